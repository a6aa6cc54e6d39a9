// SPDX-License-Identifier: Apache-2.0
#include "profiles/learn/simulate.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "lib/oci/seccomp.h"
#include "profiles/compile.h"
#include "profiles/filter/call_tables.h"
#include "profiles/filter/constants.h"
#include "profiles/harm/harm_table.h"

namespace ward::profiles {
namespace {

using filter::CallArgs;

constexpr std::size_t kMostShown = 16;  // values of one call

// One way in which a call was made: what is known of its arguments. What is not known compares as
// the profile likes it.
struct Made {
  CallArgs args{};
  KnownArguments known{};
};

Made made_with(const std::vector<std::pair<std::uint32_t, std::uint64_t>>& values) {
  Made made;
  for (const auto& [index, value] : values) {
    made.args.at(index) = value;
    made.known.at(index) = value;
  }
  return made;
}

// Each value once, beside the first of every other argument.
std::vector<Made> ways_of(const ObservedSyscall& call) {
  std::vector<Made> ways;
  if (call.together && !call.together->overflowed) {
    for (const ArgumentTuple& tuple : call.together->values)
      ways.push_back(made_with({{0, tuple[0]}, {1, tuple[1]}, {2, tuple[2]}}));
    return ways;
  }
  std::vector<std::pair<std::uint32_t, std::uint64_t>> first;
  for (const auto& [index, seen] : call.arguments)
    if (!seen.values.empty()) first.emplace_back(index, *seen.values.begin());
  ways.push_back(made_with(first));
  for (const auto& [index, seen] : call.arguments) {
    for (const std::uint64_t value : seen.values) {
      if (value == *seen.values.begin()) continue;
      auto values = first;
      for (auto& [at, there] : values)
        if (at == index) there = value;
      ways.push_back(made_with(values));
    }
  }
  return ways;
}

// Does some rule of the call allow it, as far as its arguments are known?
bool allows(const filter::CallTable& table, int nr, const Made& made, std::uint32_t layers) {
  if (table.allows(nr, made.args, layers)) return true;
  const auto rules = table.rules_of(nr);
  return std::any_of(rules.begin(), rules.end(), [&](const filter::CallRule& rule) {
    if ((rule.layers & layers) == 0) return false;
    return std::any_of(rule.alternatives.begin(), rule.alternatives.end(), [&](const auto& all) {
      return std::all_of(all.begin(), all.end(), [&](const auto& condition) {
        return !made.known.at(condition.index) ||
               oci::holds(condition, made.args.at(condition.index));
      });
    });
  });
}

std::string describe(const std::string& name, const Made& made) {
  std::string text;
  for (std::uint32_t index = 0; index < made.known.size(); ++index) {
    if (!made.known.at(index)) continue;
    text += (text.empty() ? "" : ", ") +
            filter::format_argument_value(name, index, *made.known.at(index));
  }
  return text;
}

class Simulation {
 public:
  explicit Simulation(const node::v1::CompiledProfile& compiled)
      : calls_(filter::to_table(compiled)),
        tolerated_(filter::to_tolerated(compiled)),
        danger_(filter::to_danger(compiled)) {}

  // Returns whether it is acted upon.
  bool call(int nr, Origin origin, const Made& made, const std::string& run, std::uint64_t count) {
    const std::uint32_t layers =
        origin == Origin::kExec ? filter::kAllowedInExec : filter::kAllowedInServing;
    if (allows(calls_, nr, made, layers)) return false;
    // What is not known of the arguments may make it one of the danger set.
    const std::string name = oci::find_syscall_name(nr).value_or("syscall-" + std::to_string(nr));
    const bool let_run = origin == Origin::kWorkload && !danger_.allows(nr, made.args, ~0U) &&
                         class_of(name, made.known) < HarmClass::kDanger &&
                         tolerated_.allows(nr, made.args, ~0U);
    SimulatedCall& outside = outside_[{!let_run ? 0 : 1, name, origin}];
    outside.syscall = name;
    outside.origin = origin;
    outside.let_run = let_run;
    outside.harm = std::max(outside.count + outside.events == 0 ? HarmClass::kSelf : outside.harm,
                            class_of(name, made.known));
    if (const std::string values = describe(name, made);
        !values.empty() && outside.arguments.size() < kMostShown)
      outside.arguments.insert(values);
    if (run.empty()) {
      outside.events += count;
    } else {
      outside.runs.insert(run);
      outside.count += count;
    }
    return !let_run;
  }

  void add_run(const Run& run, Simulated& out) {
    bool stopped = false;
    for (const ObservedSyscall& seen : run.syscalls) {
      std::uint64_t count = seen.count;  // told once, whatever the values
      for (const Made& made : ways_of(seen)) {
        const bool acted = call(seen.nr, seen.origin, made, run.id, count);
        stopped = stopped || acted;
        if (acted) count = 0;
      }
    }
    out.runs += run.syscalls.empty() ? 0 : 1;
    out.stopped += stopped ? 1 : 0;
  }

  [[nodiscard]] std::vector<SimulatedCall> take() {
    std::vector<SimulatedCall> all;
    for (auto& [key, outside] : outside_) all.push_back(std::move(outside));
    return all;
  }

 private:
  filter::CallTable calls_, tolerated_, danger_;
  std::map<std::tuple<int, std::string, Origin>, SimulatedCall> outside_;  // acted upon first
};

}  // namespace

Result<Simulated> simulate(const Profile& profile, const std::vector<Run>& runs,
                           const std::vector<CallOutside>& events) {
  const auto compiled = compile(profile);
  if (!compiled) return tl::unexpected<Error>(compiled.error());
  Simulation simulation(*compiled);
  Simulated out;
  for (const Run& run : runs) {
    simulation.add_run(run, out);
    for (const ObservedCapability& used : run.capabilities) {
      const bool kept = std::find(profile.capabilities.begin(), profile.capabilities.end(),
                                  used.name) != profile.capabilities.end();
      if (!kept && used.origin == Origin::kWorkload) out.capabilities.insert(used.name);
    }
  }
  for (const CallOutside& event : events) {
    Made made;
    made.args = event.args;
    for (std::size_t i = 0; i < event.args.size(); ++i) made.known.at(i) = event.args.at(i);
    out.events += event.count;
    if (simulation.call(event.nr, event.origin, made, "", event.count))
      out.events_stopped += event.count;
  }
  out.calls = simulation.take();
  return out;
}

}  // namespace ward::profiles
