// SPDX-License-Identifier: Apache-2.0
// The filter of both judges. Deny is the default (ENOSYS, so that libc falls back from calls newer than Ward), every
// other answer is spelt out: facts 1 to 7.
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>

#include "lib/oci/argument_space.h"
#include "lib/oci/seccomp_intersect.h"

namespace ward::oci {
namespace {

constexpr Answer kNotSeen{SeccompAction::kErrno, ENOSYS};
constexpr Answer kSeen{SeccompAction::kNotify, 0};

// A program of the kernel holds 4096 instructions (BPF_MAXINSNS). Unconditional rules take one each; a condition up to
// seven. Beyond these limits a call is notified whatever its arguments, and decided in user space.
constexpr std::size_t kMaxPiecesOfOneCall = 96;
constexpr std::size_t kMaxConditions = 320;

// So many pieces are never worth their work: such a call is notified without looking for them.
constexpr std::size_t kMaxConjunctionsOfOneCall = 512;
// Looks at a condition: some ten milliseconds for one call, and five times that for all together,
// however hard the filter was written to be. A container's own filter is a tenant's, and the shim
// has one thread for all of a pod.
constexpr std::size_t kMaxWorkOfOneCall = 2'000'000;
constexpr std::size_t kMaxWork = 10'000'000;

struct Judged {
  int nr = 0;
  std::string name;
  std::vector<Piece> pieces;
  Answer fallback;  // for the whole call
  [[nodiscard]] std::size_t conditions() const {
    std::size_t n = 0;
    for (const Piece& piece : pieces) n += piece.conditions.size();
    return n;
  }
};

// What the runtime can load: KILL_THREAD leaves half-dead processes (fact 4), NOTIFY has one meaning here.
Answer carried(const Answer& own) {
  if (own.action == SeccompAction::kKillThread) return {SeccompAction::kKillProcess, 0};
  if (own.action == SeccompAction::kNotify) return {SeccompAction::kErrno, EPERM};
  return own;
}

bool answers_with_a_signal(const Answer& answer) {
  return answer.action == SeccompAction::kKillProcess || answer.action == SeccompAction::kKillThread ||
         answer.action == SeccompAction::kTrap;
}

class Judge {
 public:
  Judge(const CallTable& table, const OwnFilter& own) : table_(table), own_(own) {}

  [[nodiscard]] Judged judge(int nr, std::string name) {
    Judged judged{nr, std::move(name), {}, kSeen};
    if (nr == SYS_execve || nr == SYS_execveat) {
      judged.pieces = {{{}, kSeen}};
      return judged;
    }
    // The runtime has to write the listener's number to its parent: NOTIFY there would hang it (fact 1).
    if (nr == SYS_write) judged.fallback = {SeccompAction::kErrno, EPERM};
    if (enosys(nr)) judged.fallback = kNotSeen;
    const std::vector<OwnFilter::Rule> own_rules = own_.rules_of(nr);
    bool allowed_always = nr == SYS_write;
    std::vector<Conjunction> conjunctions;
    for (const CallRule& rule : table_.rules_of(nr)) {
      if ((rule.layers & kAllowedInServing) == 0) continue;
      if (rule.alternatives.empty()) allowed_always = true;
      for (const Conjunction& c : rule.alternatives) {
        if (indexes_are_valid(c)) conjunctions.push_back(c);
      }
    }
    if (allowed_always) conjunctions.clear();
    const std::size_t first_own = conjunctions.size();
    const bool asked = allowed_always || first_own > 0 || enosys(nr);
    if (!asked) {
      judged.pieces = {{{}, kSeen}};
      return judged;
    }
    for (const OwnFilter::Rule& rule : own_rules) conjunctions.push_back(rule.conditions);
    const auto allowed = [&](const std::vector<bool>& held) {
      const auto end = held.begin() + static_cast<std::ptrdiff_t>(first_own);
      return allowed_always || std::find(held.begin(), end, true) != end;
    };
    const auto label = [&](const std::vector<bool>& held) {
      return answer(nr, allowed(held), own_.strictest(own_rules, held, first_own));
    };
    const auto settled = [&](const std::vector<bool>& held) -> std::optional<Answer> {
      if (enosys(nr) || allowed(held)) return std::nullopt;
      return kSeen;
    };
    judged.pieces = cut(conjunctions, label, settled).value_or(std::vector<Piece>{{{}, judged.fallback}});
    return judged;
  }

 private:
  [[nodiscard]] bool enosys(int nr) const { return nr == SYS_clone3 || table_.answers_enosys(nr); }

  [[nodiscard]] Answer answer(int nr, bool allowed, const Answer& own) const {
    if (enosys(nr)) return answers_with_a_signal(own) ? carried(own) : kNotSeen;
    if (!allowed) return kSeen;
    return own.executes() ? own : carried(own);
  }

  std::optional<std::vector<Piece>> cut(const std::vector<Conjunction>& conjunctions,
                                        const std::function<Answer(const std::vector<bool>&)>& label,
                                        const std::function<std::optional<Answer>(const std::vector<bool>&)>& settled) {
    if (conjunctions.size() > kMaxConjunctionsOfOneCall) return std::nullopt;
    const std::size_t share = std::min(work_.left(), kMaxWorkOfOneCall);
    WorkBudget budget(share);
    auto pieces = partition(conjunctions, label, settled, kMaxPiecesOfOneCall, budget);
    work_.spend(share - budget.left());
    return pieces;
  }

  static bool indexes_are_valid(const Conjunction& conditions) {
    return std::all_of(conditions.begin(), conditions.end(), [](const SeccompArg& c) { return c.index < 6; });
  }

  const CallTable& table_;
  const OwnFilter& own_;
  WorkBudget work_{kMaxWork};
};

// The most expensive calls lose their filters until the program fits.
void fit(std::vector<Judged>& all) {
  std::size_t total = 0;
  for (const Judged& judged : all) total += judged.conditions();
  while (total > kMaxConditions) {
    auto worst = std::max_element(all.begin(), all.end(),
                                  [](const Judged& a, const Judged& b) { return a.conditions() < b.conditions(); });
    total -= worst->conditions();
    worst->pieces = {{{}, worst->fallback}};
  }
}

// Calls with one answer for all arguments share a rule.
void add_unconditional(const Judged& judged, const Answer& answer, std::vector<SeccompRule>& rules) {
  const auto same = [&](const SeccompRule& rule) {
    return rule.args.empty() && rule.action == answer.action && rule.errno_ret.value_or(0) == answer.errno_ret;
  };
  auto found = std::find_if(rules.begin(), rules.end(), same);
  if (found == rules.end()) {
    SeccompRule rule{{}, answer.action, std::nullopt, {}};
    if (carries_errno(answer.action)) rule.errno_ret = answer.errno_ret;
    found = rules.insert(rules.end(), std::move(rule));
  }
  found->names.push_back(judged.name);
}

}  // namespace

Seccomp complement_form(const CallTable& table, const OwnFilter& own) {
  Judge judge(table, own);
  std::vector<Judged> all;
  for (int nr = 0; nr < kSyscallSearchEnd; ++nr) {
    if (auto name = find_syscall_name(nr)) all.push_back(judge.judge(nr, *std::move(name)));
  }
  fit(all);
  Seccomp seccomp;
  seccomp.default_action = kNotSeen.action;
  seccomp.default_errno_ret = kNotSeen.errno_ret;
  seccomp.architectures = {native_scmp_arch()};
  std::vector<SeccompRule> filtered;
  for (const Judged& judged : all) {
    for (const Piece& piece : judged.pieces) {
      if (piece.label == kNotSeen) continue;  // the default says it
      if (piece.conditions.empty()) {
        add_unconditional(judged, piece.label, seccomp.rules);
        continue;
      }
      SeccompRule rule{{judged.name}, piece.label.action, std::nullopt, piece.conditions};
      if (carries_errno(piece.label.action)) rule.errno_ret = piece.label.errno_ret;
      filtered.push_back(std::move(rule));
    }
  }
  seccomp.rules.insert(seccomp.rules.end(), filtered.begin(), filtered.end());
  return seccomp;
}

}  // namespace ward::oci
