// SPDX-License-Identifier: Apache-2.0
#include "enforcer/recordings/describe.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "lib/oci/seccomp.h"
#include "profiles/filter/constants.h"
#include "profiles/harm/danger.h"
#include "profiles/learn/coverage.h"
#include "profiles/learn/life.h"
#include "profiles/learn/socket_types.h"
#include "profiles/learn/unite.h"
#include "profiles/learn/unlearnable.h"

namespace ward::enforcer {
namespace {

using profiles::ObservedSyscall;
using profiles::Origin;
using profiles::Run;

std::string syscall_name(int nr) {
  return oci::find_syscall_name(nr).value_or("syscall-" + std::to_string(nr));
}

std::set<std::string> names_of(const std::set<int>& numbers) {
  std::set<std::string> names;
  for (const int nr : numbers) names.insert(syscall_name(nr));
  return names;
}

v1::SeenSyscall to_api(int nr, const std::map<Origin, profiles::UnitedCall>& origins) {
  constexpr std::int64_t kMillisecond_ns = 1'000'000;
  const profiles::UnitedCall united = profiles::unite_origins(origins);
  v1::SeenSyscall out;
  const std::string name = syscall_name(nr);
  out.set_name(name);
  out.set_nr(nr);
  out.set_count(united.count);
  out.set_runs(static_cast<std::uint32_t>(united.runs.size()));
  out.set_first_seen_ms(united.first_seen_ns / kMillisecond_ns);
  out.set_last_seen_ms(united.last_seen_ns / kMillisecond_ns);
  out.set_by_exec(origins.contains(Origin::kExec));
  out.set_by_workload(origins.contains(Origin::kWorkload));
  bool dangerous = profiles::is_dangerous_call(name);
  for (const auto& [index, seen] : united.arguments) {
    v1::ArgumentValues* values = out.add_arguments();
    values->set_index(index);
    values->set_overflowed(seen.overflowed);
    for (const std::uint64_t value : seen.values) {
      values->add_values(value);
      values->add_values_text(filter::format_argument_value(name, index, value));
      dangerous |= profiles::is_dangerous_value(name, index, value);
    }
  }
  for (const auto& [tuple, runs] : united.together) {
    const auto& [family, type, protocol] = tuple;
    const profiles::ArgFilters args = {{0, std::nullopt, {family}},
                                       {1, std::nullopt, {type & profiles::kSocketTypeMask}},
                                       {2, std::nullopt, {protocol}}};
    const std::string text = profiles::describe_call(name, args);
    if (std::find(out.together().begin(), out.together().end(), text) == out.together().end())
      out.add_together(text);
  }
  out.set_together_overflowed(united.together_overflowed);
  out.set_dangerous(dangerous);
  return out;
}

v1::Run to_api(const Run& run) {
  v1::Run out;
  out.set_id(run.id);
  out.set_container(run.container);
  out.set_containerd_namespace(run.source.containerd_namespace);
  out.set_kubernetes_namespace(run.source.kubernetes_namespace);
  out.set_pod(run.source.pod);
  out.set_container_name(run.source.container_name);
  out.set_image(run.source.image);
  out.set_layers(run.source.layers);
  out.set_started_wall_ns(run.started_wall_ns);
  out.set_ended_wall_ns(run.ended_wall_ns);
  out.set_exit_status(run.exit_status);
  out.set_graceful(run.graceful);
  std::set<int> distinct;
  for (const ObservedSyscall& call : run.syscalls) distinct.insert(call.nr);
  out.set_syscalls(static_cast<std::uint32_t>(distinct.size()));
  out.set_lost_events(run.lost_events);
  for (const std::string& program : run.programs) out.add_programs(program);
  for (const std::string& program : run.foreign_programs) out.add_foreign_programs(program);
  if (const auto stop = profiles::stop_of(run)) out.set_stop(profiles::describe(*stop));
  if (run.life) out.set_exec_sessions(run.life->exec_sessions);
  out.set_start_not_seen(!run.start_seen);
  return out;
}

v1::SeenCapability to_api(const std::string& name,
                          const std::map<Origin, profiles::UnitedCapability>& origins) {
  const profiles::UnitedCapability united = profiles::unite_origins(origins);
  v1::SeenCapability out;
  out.set_name(name);
  out.set_count(united.count);
  out.set_runs(static_cast<std::uint32_t>(united.runs.size()));
  return out;
}

void add_discovery(const profiles::Discovery& found, v1::Coverage& out) {
  constexpr std::int64_t kMillisecond_ns = 1'000'000;
  const auto milliseconds = [](std::int64_t ns) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(ns, 0) / kMillisecond_ns);
  };
  for (const profiles::DiscoveryStep& step : found.steps) {
    v1::DiscoveryStep* const added = out.add_discovery();
    added->set_at_ms(milliseconds(step.at_ns));
    added->set_calls(step.calls);
  }
  for (const profiles::RunGain& run : found.runs) {
    v1::RunGain* const added = out.add_runs();
    added->set_run(run.run);
    added->set_length_ms(milliseconds(run.length_ns));
    added->set_added(run.added);
  }
  out.set_recorded_ms(milliseconds(found.recorded_ns));
  out.set_found_late(found.late);
}

v1::Coverage to_api(const profiles::Coverage& coverage) {
  v1::Coverage out;
  out.set_estimated(coverage.estimated);
  if (coverage.estimated) {
    out.set_unseen_mass(coverage.fine.unseen_mass);
    out.set_unseen_mass_coarse(coverage.coarse.unseen_mass);
    out.set_estimated_total(coverage.fine.total);
    out.set_estimated_unseen(coverage.fine.unseen());
  }
  out.set_new_in_a_second_at_most(coverage.fine.mass_at_most);
  out.set_new_in_a_run_at_most(coverage.lives.at_most);
  out.set_reliable(coverage.reliable);
  out.set_verdict(coverage.verdict);
  out.set_windows(coverage.fine.windows);
  for (const profiles::LifeEvent& event : coverage.life.seen) {
    out.add_life_events_seen(event.what);
    v1::LifeEvent* const counted = out.add_life_events();
    counted->set_event(event.what);
    counted->set_times(event.times);
  }
  for (const profiles::LifeEvent& event : coverage.life.missing)
    out.add_life_events_missing(event.what);
  add_discovery(coverage.found, out);
  for (const std::string& what : coverage.not_exercised) out.add_not_exercised(what);
  return out;
}

std::vector<v1::SeenSignal> signals_of(const std::vector<Run>& runs) {
  std::map<std::tuple<profiles::Receiver, profiles::Sender, int>, v1::SeenSignal> all;
  for (const Run& run : runs) {
    if (!run.life) continue;
    for (const profiles::SeenSignal& signal : run.life->signals) {
      v1::SeenSignal& out = all[{signal.to, signal.from, signal.number}];
      out.set_name(profiles::signal_name(signal.number));
      out.set_number(static_cast<std::uint32_t>(signal.number));
      out.set_to(std::string(profiles::receiver_name(signal.to)));
      out.set_from(std::string(profiles::sender_name(signal.from)));
      out.set_delivered(out.delivered() + signal.delivered);
      out.set_ignored(out.ignored() + signal.ignored);
      out.set_runs(out.runs() + 1);
    }
  }
  std::vector<v1::SeenSignal> out;
  out.reserve(all.size());
  for (auto& [key, signal] : all) out.push_back(std::move(signal));
  return out;
}

std::vector<std::string> warnings_of(const WorkloadRecording& recording, std::uint64_t lost) {
  const std::vector<Run>& runs = recording.observations.runs;
  std::vector<std::string> out = recording.notes;
  if (lost > 0) {
    out.push_back(
        std::to_string(lost) +
        " events were lost: what was seen is not all there was, and a profile needs --allow-lossy");
  }
  if (const std::string mixture = profiles::describe_mixture(profiles::kinds_of(runs));
      !mixture.empty())
    out.push_back(
        mixture +
        ". Of strangers no profile is generated: forget those that do not belong here, or, where "
        "they belong together, --allow-mixed");
  if (const std::string foreign = profiles::describe_foreign(runs); !foreign.empty()) {
    out.push_back(foreign + ": they cannot be learned, and enforced they are violations");
  }
  if (const std::string unknown = profiles::describe_unknown(runs); !unknown.empty())
    out.push_back(unknown);
  if (std::any_of(runs.begin(), runs.end(),
                  [](const Run& run) { return run.life && run.life->overflowed; }))
    out.emplace_back(
        "more kinds of signals came than are kept: some that are not shown were delivered");
  const std::size_t old = profiles::life_report(runs).runs_without;
  if (old > 0) {
    out.push_back(std::to_string(old) +
                  " runs are of a version of Ward that did not record life events: signals and "
                  "stops in them are not "
                  "known");
  }
  const auto joined =
      std::count_if(runs.begin(), runs.end(), [](const Run& run) { return !run.start_seen; });
  if (joined > 0)
    out.push_back("start not seen in " + std::to_string(joined) + " of " +
                  std::to_string(runs.size()) +
                  " runs: these containers ran already when the recording began");
  const auto active = std::count_if(runs.begin(), runs.end(),
                                    [](const Run& run) { return run.ended_wall_ns == 0; });
  if (active > 0)
    out.push_back(std::to_string(active) +
                  " runs are still being recorded: how they end is not in it yet");
  return out;
}

}  // namespace

v1::RecordingSummary summarize(const WorkloadRecording& recording) {
  const std::vector<Run>& runs = recording.observations.runs;
  v1::RecordingSummary out;
  out.set_workload(recording.observations.workload);
  out.set_recorder(recording.observations.recorder);
  out.set_runs(static_cast<std::uint32_t>(runs.size()));
  std::uint32_t active = 0;
  std::int64_t last = 0;
  for (const Run& run : runs) {
    if (run.ended_wall_ns == 0) ++active;
    last = std::max({last, run.started_wall_ns, run.ended_wall_ns});
  }
  out.set_active_runs(active);
  out.set_last_wall_ns(last);
  const profiles::United united = profiles::unite(runs);
  out.set_syscalls(static_cast<std::uint32_t>(united.syscalls.size()));
  out.set_capabilities(static_cast<std::uint32_t>(united.capabilities.size()));
  out.set_lost_events(united.lost_events);
  return out;
}

v1::Recording describe(const WorkloadRecording& recording) {
  const std::vector<Run>& runs = recording.observations.runs;
  v1::Recording out;
  out.set_workload(recording.observations.workload);
  out.set_recorder(recording.observations.recorder);
  for (const Run& run : runs) *out.add_runs() = to_api(run);
  const profiles::United united = profiles::unite(runs);
  for (const auto& [nr, origins] : united.syscalls) *out.add_syscalls() = to_api(nr, origins);
  for (const auto& [nr, origins] : united.runtime) *out.add_runtime_layer() = to_api(nr, origins);
  for (const auto& [nr, origins] : united.refused) *out.add_refused() = to_api(nr, origins);
  for (const auto& [name, origins] : united.capabilities)
    *out.add_capabilities() = to_api(name, origins);
  for (v1::SeenSignal& signal : signals_of(runs)) *out.add_signals() = std::move(signal);
  *out.mutable_coverage() = to_api(profiles::coverage(recording.observations));
  out.set_lost_events(united.lost_events);
  for (const std::string& warning : warnings_of(recording, united.lost_events))
    out.add_warnings(warning);
  return out;
}

v1::Runtime describe(const RuntimeInUse& runtime) {
  v1::Runtime out;
  out.set_name(runtime.name);
  out.set_version(runtime.version);
  out.set_sha256(runtime.sha256);
  for (const std::string& name : names_of(runtime.calls)) out.add_calls(name);
  out.set_since(runtime.since);
  for (const std::string& name : names_of(runtime.gained)) out.add_gained(name);
  for (const std::string& name : names_of(runtime.lost)) out.add_lost(name);
  return out;
}

}  // namespace ward::enforcer
