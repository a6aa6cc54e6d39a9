// SPDX-License-Identifier: Apache-2.0
#include "cli/applied/filter_summary.h"

#include <linux/audit.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <string_view>

#include "lib/base/digest.h"
#include "profiles/filter/filter_program.h"

namespace ward::cli {
namespace {

using filter::CallArgs;
using filter::FilterProgram;
using Edges = std::array<std::vector<std::uint64_t>, 6>;
using Instructions = std::vector<sock_filter>;

constexpr std::size_t kStepsOfOneCall = 200'000;
constexpr std::size_t kQuestionsOfOneCall = 2'000;
constexpr std::size_t kPathsOfOneCall = 2'000;
constexpr std::size_t kPairsOfOneCall = 500'000;   // looked at
constexpr std::size_t kAskedPairsOfOneCall = 500;  // of those that answer otherwise
constexpr std::size_t kTriesOfOneValue = 64;
constexpr int kForeignCalls = 480;  // of i386; it has no arguments of its own to ask about

enum class CallComparison {
  kSame,         // at all edges of both
  kSampled,      // on each path of both and at some of the edges
  kNotCompared,  // one of them has more paths for it than are followed
  kDifferent,
};

std::string_view bytes_of(const Instructions& program) {
  return {reinterpret_cast<const char*>(program.data()), program.size() * sizeof(sock_filter)};
}

void count(CallCounts& counts, oci::SeccompAction action) {
  switch (action) {
    case oci::SeccompAction::kKillThread:
    case oci::SeccompAction::kKillProcess: ++counts.kill; return;
    case oci::SeccompAction::kTrap: ++counts.trap; return;
    case oci::SeccompAction::kErrno: ++counts.refuse; return;
    case oci::SeccompAction::kTrace: ++counts.trace; return;
    case oci::SeccompAction::kAllow: ++counts.allow; return;
    case oci::SeccompAction::kLog: ++counts.log; return;
    case oci::SeccompAction::kNotify: ++counts.notify; return;
  }
}

void count_call(CallCounts& counts, const FilterProgram& program, int nr) {
  filter::WorkBudget budget(kStepsOfOneCall);
  const auto paths = program.paths(oci::native_audit_arch(), nr, budget);
  const bool one =
      paths && !paths->empty() && std::all_of(paths->begin(), paths->end(), [&](const auto& path) {
        return path.answer == paths->front().answer;
      });
  if (one) {
    count(counts, paths->front().answer.action);
  } else {
    ++counts.by_arguments;
  }
}

using Path = FilterProgram::Path;
using Paths = std::vector<Path>;

bool is_masked(const oci::SeccompArg& condition) {
  switch (condition.op) {
    case oci::CompareOp::kMaskedEq:
    case oci::CompareOp::kMaskedNe:
    case oci::CompareOp::kMaskedLt:
    case oci::CompareOp::kMaskedGe: return true;
    default: return false;
  }
}

// At which the condition may turn.
void add_edges(const oci::SeccompArg& condition, std::set<std::uint64_t>& values) {
  const bool masked = is_masked(condition);
  const std::uint64_t at = masked ? condition.value_two : condition.value;
  const std::uint64_t last = masked ? at | ~condition.value : at;
  for (const std::uint64_t value : {at, last}) values.insert({value - 1, value, value + 1});
  if (masked) values.insert(at ^ condition.value);
  values.insert({at ^ (std::uint64_t{1} << 32U), at & 0xFFFFFFFF, ~std::uint64_t{0}});
}

Edges edges_of(const Paths& first, const Paths& second) {
  std::array<std::set<std::uint64_t>, 6> found;
  for (auto& values : found) values.insert(0);
  for (const Paths* paths : {&first, &second})
    for (const Path& path : *paths)
      for (const oci::SeccompArg& condition : path.conditions)
        add_edges(condition, found.at(condition.index % 6));
  Edges edges;
  for (std::size_t i = 0; i < edges.size(); ++i)
    edges.at(i).assign(found.at(i).begin(), found.at(i).end());
  return edges;
}

// A value of one argument under all conditions on it. Each half of it is tested for itself, so an
// edge of the one may go with an edge of the other.
std::optional<std::uint64_t> find_value(const std::vector<const oci::SeccompArg*>& conditions) {
  const auto fits = [&](std::uint64_t value) {
    return std::all_of(conditions.begin(), conditions.end(),
                       [value](const auto* one) { return oci::holds(*one, value); });
  };
  if (fits(0)) return 0;
  std::set<std::uint64_t> values;
  std::uint64_t bits = 0;  // those that must be set
  for (const auto* one : conditions) {
    add_edges(*one, values);
    if (one->op == oci::CompareOp::kMaskedEq) bits |= one->value_two & one->value;
  }
  if (fits(bits)) return bits;
  for (const std::uint64_t value : values) {
    if (fits(value)) return value;
    if (fits(value | bits)) return value | bits;
  }
  std::size_t tries = 0;
  for (const std::uint64_t high : values) {
    for (const std::uint64_t low : values) {
      const std::uint64_t value = (high & 0xFFFFFFFF00000000) | (low & 0xFFFFFFFF);
      if (fits(value)) return value;
      if (++tries == kTriesOfOneValue) return std::nullopt;
    }
  }
  return std::nullopt;
}

// A call that takes all of these paths.
std::optional<CallArgs> find_call(const std::vector<const Path*>& paths) {
  std::array<std::vector<const oci::SeccompArg*>, 6> conditions;
  for (const Path* path : paths)
    for (const oci::SeccompArg& one : path->conditions)
      conditions.at(one.index % 6).push_back(&one);
  CallArgs args{};
  for (std::size_t i = 0; i < args.size(); ++i) {
    const auto value = find_value(conditions.at(i));
    if (!value) return std::nullopt;
    args.at(i) = *value;
  }
  return args;
}

// Two programs, asked about one call.
class Question {
 public:
  Question(const FilterProgram& one, const FilterProgram& other, int nr)
      : one_(one), other_(other), nr_(nr) {}

  [[nodiscard]] CallComparison compare() const {
    filter::WorkBudget budget(kStepsOfOneCall), other_budget(kStepsOfOneCall);
    const auto first = one_.paths(oci::native_audit_arch(), nr_, budget);
    const auto second = other_.paths(oci::native_audit_arch(), nr_, other_budget);
    const Paths none;
    const Edges edges = edges_of(first ? *first : none, second ? *second : none);
    std::size_t all = 1;
    for (const auto& values : edges) all = std::min(all * values.size(), std::size_t{1} << 40U);
    const bool agree = same_at_edges(edges, all) && (!first || same_on_each(*first)) &&
                       (!second || same_on_each(*second)) &&
                       (!first || !second || same_on_both(*first, *second));
    if (!agree) return CallComparison::kDifferent;
    if (!first || !second) return CallComparison::kNotCompared;
    return all > kQuestionsOfOneCall ? CallComparison::kSampled : CallComparison::kSame;
  }

 private:
  [[nodiscard]] bool same(const CallArgs& args) const {
    return one_.run(oci::native_audit_arch(), nr_, args) ==
           other_.run(oci::native_audit_arch(), nr_, args);
  }

  // All of them together where these are few enough, else spread over them.
  [[nodiscard]] bool same_at_edges(const Edges& edges, std::size_t all) const {
    std::uint64_t state = 1;
    for (std::size_t question = 0; question < std::min(all, kQuestionsOfOneCall); ++question) {
      CallArgs args{};
      std::size_t rest = question;
      for (std::size_t i = 0; i < args.size(); ++i) {
        const auto& values = edges.at(i);
        if (all > kQuestionsOfOneCall) {
          state = state * 6364136223846793005U + 1442695040888963407U;
          args.at(i) = values[(state >> 33U) % values.size()];
        } else {
          args.at(i) = values[rest % values.size()];
          rest /= values.size();
        }
      }
      if (!same(args)) return false;
    }
    return true;
  }

  // However many arguments a path looks at: a sample hardly meets all of its conditions at once.
  [[nodiscard]] bool same_on_each(const Paths& paths) const {
    for (std::size_t i = 0; i < std::min(paths.size(), kPathsOfOneCall); ++i) {
      const auto args = find_call({&paths[i]});
      if (args && !same(*args)) return false;
    }
    return true;
  }

  // Where both answer, and not the same.
  [[nodiscard]] bool same_on_both(const Paths& first, const Paths& second) const {
    std::size_t pairs = 0, asked = 0;
    for (const Path& one : first) {
      for (const Path& other : second) {
        if (++pairs > kPairsOfOneCall) return true;
        if (one.answer == other.answer) continue;
        if (++asked > kAskedPairsOfOneCall) return true;
        const auto args = find_call({&one, &other});
        if (args && !same(*args)) return false;
      }
    }
    return true;
  }

  const FilterProgram& one_;
  const FilterProgram& other_;
  int nr_;
};

void add(Comparison& out, CallComparison compared, const std::string& call) {
  switch (compared) {
    case CallComparison::kSame: return;
    case CallComparison::kSampled: out.sampled.push_back(call); return;
    case CallComparison::kNotCompared: out.not_compared.push_back(call); return;
    case CallComparison::kDifferent: out.differ.push_back(call); return;
  }
}

}  // namespace

FilterSummary summarize(const Instructions& program) {
  FilterSummary out;
  out.instructions = program.size();
  out.sha256 = sha256_hex(bytes_of(program));
  const auto checked = FilterProgram::check(program);
  if (!checked) {
    out.not_understood = checked.error().message;
    return out;
  }
  for (const auto& call : oci::known_syscalls())
    if (call.second >= 0) count_call(out.calls, *checked, call.second);
  return out;
}

Comparison compare(const Instructions& one, const Instructions& other) {
  if (bytes_of(one) == bytes_of(other)) return {Agreement::kIdentical, {}, {}, {}};
  const auto first = FilterProgram::check(one);
  const auto second = FilterProgram::check(other);
  if (!first || !second) return {};
  Comparison out;
  int highest = 0;
  for (const auto& call : oci::known_syscalls()) {
    highest = std::max(highest, call.second);
    if (call.second >= 0) add(out, Question(*first, *second, call.second).compare(), call.first);
  }
  for (const int nr : {-1, highest + 1, highest + 1000, 0x40000000, 0x40000001})
    add(out, Question(*first, *second, nr).compare(), "number " + std::to_string(nr));
  for (int nr = 0; nr < kForeignCalls; ++nr)
    if (first->run(AUDIT_ARCH_I386, nr, {}) != second->run(AUDIT_ARCH_I386, nr, {}))
      out.differ.push_back("i386 " + std::to_string(nr));
  out.agreement = !out.differ.empty()         ? Agreement::kDifferent
                  : !out.not_compared.empty() ? Agreement::kNotCompared
                                              : Agreement::kSameAnswers;
  return out;
}

}  // namespace ward::cli
