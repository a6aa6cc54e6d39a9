// SPDX-License-Identifier: Apache-2.0
#include "cli/applied/filter_summary.h"

#include <linux/audit.h>

#include <algorithm>
#include <array>
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
constexpr int kForeignCalls = 480;  // of i386; it has no arguments of its own to ask about

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

void add_edges(const std::vector<FilterProgram::Path>& paths,
               std::array<std::set<std::uint64_t>, 6>& found) {
  for (const auto& path : paths) {
    for (const oci::SeccompArg& condition : path.conditions) {
      auto& values = found.at(condition.index % 6);
      const bool masked =
          condition.op == oci::CompareOp::kMaskedEq || condition.op == oci::CompareOp::kMaskedNe ||
          condition.op == oci::CompareOp::kMaskedLt || condition.op == oci::CompareOp::kMaskedGe;
      const std::uint64_t at = masked ? condition.value_two : condition.value;
      const std::uint64_t last = masked ? at | ~condition.value : at;
      for (const std::uint64_t value : {at, last}) values.insert({value - 1, value, value + 1});
      if (masked) values.insert(at ^ condition.value);
      values.insert({at ^ (std::uint64_t{1} << 32U), at & 0xFFFFFFFF, ~std::uint64_t{0}});
    }
  }
}

// All of them together where these are few enough, else spread over them.
bool same_at_edges(const FilterProgram& one, const FilterProgram& other, int nr,
                   const Edges& edges) {
  std::size_t all = 1;
  for (const auto& values : edges) all = std::min(all * values.size(), std::size_t{1} << 40U);
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
    if (one.run(oci::native_audit_arch(), nr, args) !=
        other.run(oci::native_audit_arch(), nr, args))
      return false;
  }
  return true;
}

bool same_for(const FilterProgram& one, const FilterProgram& other, int nr) {
  std::array<std::set<std::uint64_t>, 6> found;
  for (auto& values : found) values.insert(0);
  for (const FilterProgram* program : {&one, &other}) {
    filter::WorkBudget budget(kStepsOfOneCall);
    if (const auto paths = program->paths(oci::native_audit_arch(), nr, budget))
      add_edges(*paths, found);
  }
  Edges edges;
  for (std::size_t i = 0; i < edges.size(); ++i)
    edges.at(i).assign(found.at(i).begin(), found.at(i).end());
  return same_at_edges(one, other, nr, edges);
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
  if (bytes_of(one) == bytes_of(other)) return {Agreement::kIdentical, {}};
  const auto first = FilterProgram::check(one);
  const auto second = FilterProgram::check(other);
  if (!first || !second) return {};
  Comparison out;
  int highest = 0;
  for (const auto& call : oci::known_syscalls()) {
    highest = std::max(highest, call.second);
    if (call.second >= 0 && !same_for(*first, *second, call.second))
      out.differ.push_back(call.first);
  }
  for (const int nr : {-1, highest + 1, highest + 1000, 0x40000000, 0x40000001})
    if (!same_for(*first, *second, nr)) out.differ.push_back("number " + std::to_string(nr));
  for (int nr = 0; nr < kForeignCalls; ++nr)
    if (first->run(AUDIT_ARCH_I386, nr, {}) != second->run(AUDIT_ARCH_I386, nr, {}))
      out.differ.push_back("i386 " + std::to_string(nr));
  out.agreement = out.differ.empty() ? Agreement::kSameAnswers : Agreement::kDifferent;
  return out;
}

}  // namespace ward::cli
