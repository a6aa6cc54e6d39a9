// SPDX-License-Identifier: Apache-2.0
#include "profiles/filter/filter_program.h"

#include <linux/seccomp.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

namespace ward::filter {
namespace {

constexpr std::uint16_t kLoad = BPF_LD | BPF_W | BPF_ABS;
constexpr std::uint16_t kAnd = BPF_ALU | BPF_AND | BPF_K;
constexpr std::uint16_t kReturn = BPF_RET | BPF_K;
constexpr std::uint16_t kJump = BPF_JMP | BPF_JA;
constexpr std::uint32_t kWholeWord = 0xFFFFFFFF;
constexpr std::uint64_t kHighWord = 0xFFFFFFFF00000000;

bool is_branch(const sock_filter& instruction) {
  switch (instruction.code) {
    case BPF_JMP | BPF_JEQ | BPF_K:
    case BPF_JMP | BPF_JGT | BPF_K:
    case BPF_JMP | BPF_JGE | BPF_K:
    case BPF_JMP | BPF_JSET | BPF_K: return true;
    default: return false;
  }
}

bool takes(const sock_filter& branch, std::uint32_t value) {
  switch (BPF_OP(branch.code)) {
    case BPF_JEQ: return value == branch.k;
    case BPF_JGT: return value > branch.k;
    case BPF_JGE: return value >= branch.k;
    case BPF_JSET: return (value & branch.k) != 0;
    default: std::abort();
  }
}

bool is_sound(const std::vector<sock_filter>& program, std::size_t at) {
  const sock_filter& instruction = program[at];
  const std::size_t after = program.size() - at - 1;
  switch (instruction.code) {
    case kLoad:
      return instruction.k % sizeof(std::uint32_t) == 0 && instruction.k < sizeof(seccomp_data) &&
             after > 0;
    case kAnd: return after > 0;
    case kReturn: return true;
    case kJump: return instruction.k < after;
    default: return is_branch(instruction) && instruction.jt < after && instruction.jf < after;
  }
}

Answer answer_of(std::uint32_t returned) {
  const std::uint32_t data = returned & SECCOMP_RET_DATA;
  switch (returned & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_KILL_THREAD: return {oci::SeccompAction::kKillThread, 0};
    case SECCOMP_RET_TRAP: return {oci::SeccompAction::kTrap, 0};
    case SECCOMP_RET_ERRNO: return {oci::SeccompAction::kErrno, data};
    case SECCOMP_RET_USER_NOTIF: return {oci::SeccompAction::kNotify, 0};
    case SECCOMP_RET_TRACE: return {oci::SeccompAction::kTrace, data};
    case SECCOMP_RET_LOG: return {oci::SeccompAction::kLog, 0};
    case SECCOMP_RET_ALLOW: return {oci::SeccompAction::kAllow, 0};
    default:
      return {oci::SeccompAction::kKillProcess, 0};  // as the kernel takes what it does not know
  }
}

// What the accumulator holds while one call's paths are followed: a number, or bits of half an
// argument.
struct Word {
  bool known = true;
  std::uint32_t value = 0;  // where known; else the bits that are looked at
  std::uint32_t index = 0;
  bool high = false;
};

oci::SeccompArg condition(const Word& word, oci::CompareOp op, std::uint32_t mask,
                          std::uint32_t value) {
  const unsigned shift = word.high ? 32U : 0U;
  return {word.index, std::uint64_t{mask} << shift, std::uint64_t{value} << shift, op};
}

oci::CompareOp opposite(oci::CompareOp op) {
  switch (op) {
    case oci::CompareOp::kMaskedEq: return oci::CompareOp::kMaskedNe;
    case oci::CompareOp::kMaskedNe: return oci::CompareOp::kMaskedEq;
    case oci::CompareOp::kMaskedGe: return oci::CompareOp::kMaskedLt;
    case oci::CompareOp::kMaskedLt: return oci::CompareOp::kMaskedGe;
    default: std::abort();
  }
}

// When is the branch taken? A truth value where the arguments do not matter.
struct Test {
  std::optional<bool> decided;
  oci::SeccompArg taken;
};

Test test_of(const sock_filter& branch, const Word& word) {
  if (word.known) return {takes(branch, word.value), {}};
  const std::uint32_t k = branch.k;
  switch (BPF_OP(branch.code)) {
    case BPF_JEQ:
      if ((k & ~word.value) != 0) return {false, {}};
      return {std::nullopt, condition(word, oci::CompareOp::kMaskedEq, word.value, k)};
    case BPF_JSET:
      if ((k & word.value) == 0) return {false, {}};
      return {std::nullopt, condition(word, oci::CompareOp::kMaskedNe, word.value & k, 0)};
    case BPF_JGT:
      if (k == kWholeWord) return {false, {}};
      return {std::nullopt, condition(word, oci::CompareOp::kMaskedGe, word.value, k + 1)};
    case BPF_JGE:
      if (k == 0) return {true, {}};
      return {std::nullopt, condition(word, oci::CompareOp::kMaskedGe, word.value, k)};
    default: std::abort();
  }
}

// What earlier tests of the same bits already say.
std::optional<bool> known_from(const Conjunction& earlier, const oci::SeccompArg& test) {
  for (const oci::SeccompArg& fact : earlier) {
    if (fact.index != test.index) continue;
    if (fact.op == oci::CompareOp::kMaskedEq && (test.value & ~fact.value) == 0)
      return holds(test, fact.value_two);
    if (fact.value != test.value || fact.value_two != test.value_two) continue;
    if (fact.op == test.op) return true;
    if (fact.op == opposite(test.op)) return false;
  }
  return std::nullopt;
}

// Where one condition says the whole argument, the others say nothing. False where they contradict
// it.
bool drop_implied(Conjunction& conditions) {
  for (std::uint32_t index = 0; index < 6; ++index) {
    const auto exact = std::find_if(
        conditions.begin(), conditions.end(),
        [&](const oci::SeccompArg& c) { return c.index == index && c.op == oci::CompareOp::kEq; });
    if (exact == conditions.end()) continue;
    const oci::SeccompArg only = *exact;
    const auto contradicts = [&](const oci::SeccompArg& c) {
      return c.index == index && !holds(c, only.value);
    };
    if (std::any_of(conditions.begin(), conditions.end(), contradicts)) return false;
    std::erase_if(conditions, [&](const oci::SeccompArg& c) { return c.index == index; });
    conditions.push_back(only);
  }
  return true;
}

// Where the high half is known, tests of the low half are comparisons of the whole argument, which
// say more in less.
Conjunction whole_arguments(const Conjunction& halves) {
  Conjunction whole;
  for (const oci::SeccompArg& half : halves) {
    const auto high = std::find_if(halves.begin(), halves.end(), [&](const oci::SeccompArg& c) {
      return c.index == half.index && c.op == oci::CompareOp::kMaskedEq && c.value == kHighWord;
    });
    if (high == halves.end() || half.value != kWholeWord) {
      whole.push_back(half);
      continue;
    }
    const std::uint64_t value = high->value_two | half.value_two;
    switch (half.op) {
      case oci::CompareOp::kMaskedEq:
        whole.push_back({half.index, value, 0, oci::CompareOp::kEq});
        break;
      case oci::CompareOp::kMaskedNe:
        whole.push_back({half.index, value, 0, oci::CompareOp::kNe});
        break;
      case oci::CompareOp::kMaskedGe:
        whole.push_back({half.index, value, 0, oci::CompareOp::kGe});
        break;
      case oci::CompareOp::kMaskedLt:
        whole.push_back({half.index, value, 0, oci::CompareOp::kLt});
        break;
      default: std::abort();
    }
  }
  return whole;
}

class Unfolding {
 public:
  Unfolding(const std::vector<sock_filter>& program, std::uint32_t arch, int nr, WorkBudget& budget)
      : program_(program), arch_(arch), nr_(static_cast<std::uint32_t>(nr)), budget_(budget) {}

  std::optional<std::vector<FilterProgram::Path>> paths() {
    follow(0, {}, {});
    if (failed_) return std::nullopt;
    return std::move(paths_);
  }

 private:
  // Each branch that is open adds a condition: not deeper than a call has comparisons.
  void follow(std::size_t at, Word word, Conjunction conditions) {
    for (; !failed_; ++at) {
      if (!budget_.spend(1)) failed_ = true;
      const sock_filter& instruction = program_[at];
      switch (instruction.code) {
        case kLoad: word = load(instruction.k); break;
        case kAnd: word.value &= instruction.k; break;
        case kJump: at += instruction.k; break;
        case kReturn: return finish(conditions, instruction.k);
        default: {
          const Test test = test_of(instruction, word);
          if (!test.decided && !budget_.spend(conditions.size())) failed_ = true;
          const auto decided = test.decided ? test.decided : known_from(conditions, test.taken);
          if (decided) {
            at += *decided ? instruction.jt : instruction.jf;
            break;
          }
          Conjunction taken = conditions;
          taken.push_back(test.taken);
          follow(at + 1 + instruction.jt, word, std::move(taken));
          conditions.push_back(test.taken);
          conditions.back().op = opposite(test.taken.op);
          at += instruction.jf;
        }
      }
    }
  }

  Word load(std::uint32_t offset) {
    if (offset == offsetof(seccomp_data, nr)) return {true, nr_, 0, false};
    if (offset == offsetof(seccomp_data, arch)) return {true, arch_, 0, false};
    constexpr std::size_t kArgs = offsetof(seccomp_data, args);
    if (offset < kArgs) failed_ = true;  // the instruction pointer: nothing that is known here
    const std::size_t from_args = offset - kArgs;
    return {false, kWholeWord, static_cast<std::uint32_t>(from_args / 8 % 6), from_args % 8 != 0};
  }

  void finish(const Conjunction& conditions, std::uint32_t returned) {
    if (!budget_.spend(conditions.size() * 2 + 10)) failed_ = true;
    if (failed_) return;
    Conjunction whole = whole_arguments(conditions);
    if (drop_implied(whole)) paths_.push_back({std::move(whole), answer_of(returned)});
  }

  const std::vector<sock_filter>& program_;
  const std::uint32_t arch_;
  const std::uint32_t nr_;
  WorkBudget& budget_;
  std::vector<FilterProgram::Path> paths_;
  bool failed_ = false;
};

}  // namespace

int Answer::error_number() const {
  constexpr std::uint32_t kMaxErrno = 4095;  // MAX_ERRNO of the kernel
  // The kernel cuts larger numbers down (seccomp(2), SECCOMP_RET_ERRNO); without a tracer a traced
  // call is no call.
  if (action == oci::SeccompAction::kErrno)
    return static_cast<int>(std::min(errno_ret & 0xFFFFU, kMaxErrno));
  return action == oci::SeccompAction::kTrace ? ENOSYS : EPERM;
}

Result<FilterProgram> FilterProgram::check(std::vector<sock_filter> instructions) {
  if (instructions.empty() || instructions.size() > BPF_MAXINSNS) {
    return fail(Code::kInvalidArgument, "a program of " + std::to_string(instructions.size()) +
                                            " instructions, where the kernel takes 1 to " +
                                            std::to_string(BPF_MAXINSNS));
  }
  for (std::size_t at = 0; at < instructions.size(); ++at) {
    if (is_sound(instructions, at)) continue;
    return fail(Code::kInvalidArgument, "instruction " + std::to_string(at) + " (code " +
                                            std::to_string(instructions[at].code) +
                                            ") is none of a seccomp program");
  }
  return FilterProgram(std::move(instructions));
}

std::uint32_t FilterProgram::run(std::uint32_t arch, int nr, const CallArgs& args) const {
  seccomp_data data{};
  data.nr = nr;
  data.arch = arch;
  std::copy(args.begin(), args.end(), std::begin(data.args));
  std::uint32_t accumulator = 0;
  for (std::size_t at = 0;; ++at) {
    const sock_filter& instruction = instructions_[at];
    switch (instruction.code) {
      case kLoad:
        std::memcpy(&accumulator, reinterpret_cast<const char*>(&data) + instruction.k, 4);
        break;
      case kAnd: accumulator &= instruction.k; break;
      case kJump: at += instruction.k; break;
      case kReturn: return instruction.k;
      default: at += takes(instruction, accumulator) ? instruction.jt : instruction.jf;
    }
  }
}

Answer FilterProgram::answer(std::uint32_t arch, int nr, const CallArgs& args) const {
  return answer_of(run(arch, nr, args));
}

std::optional<std::vector<FilterProgram::Path>> FilterProgram::paths(std::uint32_t arch, int nr,
                                                                     WorkBudget& budget) const {
  return Unfolding(instructions_, arch, nr, budget).paths();
}

}  // namespace ward::filter
