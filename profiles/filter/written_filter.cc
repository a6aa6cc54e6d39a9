// SPDX-License-Identifier: Apache-2.0
#include "profiles/filter/written_filter.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <set>

namespace ward::filter {
namespace {

constexpr std::size_t kMostQuestionsOfOneCall = 4'000;

using Rules = std::vector<const oci::SeccompRule*>;
using Edges = std::array<std::vector<std::uint64_t>, 6>;

Answer answer_of(oci::SeccompAction action, const std::optional<std::uint32_t>& errno_ret) {
  return {action, carries_errno(action) ? errno_ret.value_or(EPERM) : 0};
}

Answer expected(const oci::Seccomp& filter, const Rules& rules, const CallArgs& args) {
  for (const oci::SeccompRule* rule : rules) {
    const bool all =
        std::all_of(rule->args.begin(), rule->args.end(), [&](const oci::SeccompArg& one) {
          return one.index < 6 && holds(one, args.at(one.index));
        });
    if (all) return answer_of(rule->action, rule->errno_ret);
  }
  return answer_of(filter.default_action, filter.default_errno_ret);
}

Edges edges_of(const Rules& rules) {
  std::array<std::set<std::uint64_t>, 6> found;
  for (auto& values : found) values.insert(0);
  for (const oci::SeccompRule* rule : rules) {
    for (const oci::SeccompArg& condition : rule->args) {
      if (condition.index >= 6) continue;
      auto& values = found.at(condition.index);
      const bool masked = condition.op == oci::CompareOp::kMaskedEq;
      const std::uint64_t at = masked ? condition.value_two : condition.value;
      const std::uint64_t last = masked ? at | ~condition.value : at;
      for (const std::uint64_t value : {at, last}) values.insert({value - 1, value, value + 1});
      values.insert({at ^ (std::uint64_t{1} << 32U), at & 0xFFFFFFFF, ~std::uint64_t{0}});
    }
  }
  Edges edges;
  for (std::size_t i = 0; i < edges.size(); ++i)
    edges.at(i).assign(found.at(i).begin(), found.at(i).end());
  return edges;
}

// All of them together where that are few enough; else spread over them, the same ones each time.
template <typename Ask>
void ask_at_edges(const Edges& edges, std::size_t most, const Ask& ask) {
  std::size_t all = 1;
  for (const auto& values : edges) all = std::min(all * values.size(), std::size_t{1} << 40U);
  const std::size_t questions = std::min(all, most);
  std::uint64_t state = 1;
  for (std::size_t question = 0; question < questions; ++question) {
    CallArgs args{};
    std::size_t rest = question;
    for (std::size_t i = 0; i < args.size(); ++i) {
      const auto& values = edges.at(i);
      if (all > most) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        args.at(i) = values[(state >> 33U) % values.size()];
      } else {
        args.at(i) = values[rest % values.size()];
        rest /= values.size();
      }
    }
    if (!ask(args)) return;
  }
}

}  // namespace

std::vector<std::string> find_written_wrong(const oci::Seccomp& filter,
                                            const FilterProgram& written,
                                            std::size_t most_questions) {
  std::map<std::string, Rules> calls;
  for (const oci::SeccompRule& rule : filter.rules) {
    for (const std::string& name : rule.names) calls[name].push_back(&rule);
  }
  std::erase_if(calls, [](const auto& call) {
    return std::all_of(call.second.begin(), call.second.end(),
                       [](const auto* rule) { return rule->args.empty(); });
  });
  std::vector<std::string> wrong;
  if (calls.empty()) return wrong;
  const std::size_t most = std::min(kMostQuestionsOfOneCall, most_questions / calls.size());
  for (const auto& call : calls) {
    const Rules& rules = call.second;
    const auto nr = oci::find_syscall(call.first);
    if (!nr) continue;
    bool right = true;
    ask_at_edges(edges_of(rules), most, [&](const CallArgs& args) {
      right = written.answer(oci::native_audit_arch(), *nr, args) == expected(filter, rules, args);
      return right;
    });
    if (!right) wrong.push_back(call.first);
  }
  return wrong;
}

Result<std::vector<std::string>> notify_what_is_written_wrong(oci::Seccomp& filter,
                                                              const RuntimeHabits& habits) {
  constexpr int kMostRounds = 8;
  std::vector<std::string> all;
  for (int round = 0; round < kMostRounds; ++round) {
    const auto written = make_runtime_filter(filter, habits);
    if (!written) return tl::unexpected<Error>(written.error());
    const auto wrong = find_written_wrong(filter, *written);
    if (wrong.empty()) return all;
    notify_whole(filter, wrong);
    all.insert(all.end(), wrong.begin(), wrong.end());
  }
  return fail(Code::kInternal,
              "libseccomp writes something else than the filter says, whatever is left out");
}

void notify_whole(oci::Seccomp& filter, const std::vector<std::string>& calls) {
  for (const std::string& name : calls) {
    for (oci::SeccompRule& rule : filter.rules) std::erase(rule.names, name);
    if (name == "write") {
      filter.rules.push_back({{name}, oci::SeccompAction::kErrno, EPERM, {}});
    } else {
      filter.rules.push_back({{name}, oci::SeccompAction::kNotify, std::nullopt, {}});
    }
  }
  std::erase_if(filter.rules, [](const oci::SeccompRule& rule) { return rule.names.empty(); });
}

}  // namespace ward::filter
