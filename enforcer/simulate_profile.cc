// SPDX-License-Identifier: Apache-2.0
#include "enforcer/simulate_profile.h"

#include "enforcer/calls_outside.h"
#include "enforcer/node.h"
#include "lib/base/escape.h"
#include "profiles/filter/terms.h"
#include "profiles/learn/simulate.h"
#include "profiles/yaml/read_yaml.h"

namespace ward::enforcer {
namespace {

v1::SimulatedCall to_api(const profiles::SimulatedCall& call) {
  v1::SimulatedCall out;
  out.set_syscall(call.syscall);
  out.set_origin(std::string(filter::origin_name(call.origin)));
  out.set_harm(std::string(profiles::harm_class_name(call.harm)));
  out.set_let_run(call.let_run);
  for (const std::string& values : call.arguments) out.add_arguments(values);
  for (const std::string& run : call.runs) out.add_runs(run);
  out.set_count(call.count);
  out.set_events(call.events);
  return out;
}

}  // namespace

Result<v1::SimulateProfileResponse> simulate_profile(Node& node,
                                                     const v1::SimulateProfileRequest& request) {
  const auto profile = profiles::read_profile(
      request.yaml(), request.file_name().empty() ? "profile" : request.file_name());
  if (!profile) return tl::unexpected<Error>(profile.error());
  const std::string workload = request.workload().empty() ? profile->name : request.workload();
  const auto recording = node.recordings.find(workload);
  if (!recording && !request.workload().empty()) return tl::unexpected<Error>(recording.error());
  const auto events = read_calls_outside(node.journal, profile->name);
  if (!events) return tl::unexpected<Error>(events.error());
  if (!recording && events->calls.empty()) {
    return fail(Code::kNotFound, "there are no recordings of '" + escape(workload, 80) +
                                     "' and no events of profile '" + escape(profile->name, 80) +
                                     "' to replay: name a workload of `ward learn list`");
  }
  const std::vector<profiles::Run> none;
  const auto simulated =
      profiles::simulate(*profile, recording ? recording->observations.runs : none, events->calls);
  if (!simulated) return tl::unexpected<Error>(simulated.error());
  v1::SimulateProfileResponse out;
  out.set_profile(profile->name);
  out.set_workload(recording ? workload : "");
  out.set_runs(simulated->runs);
  out.set_stopped(simulated->stopped);
  out.set_events(simulated->events);
  out.set_events_stopped(simulated->events_stopped);
  for (const profiles::SimulatedCall& call : simulated->calls) *out.add_calls() = to_api(call);
  for (const std::string& capability : simulated->capabilities) out.add_capabilities(capability);
  if (!events->all)
    out.add_warnings("only the newest " + std::to_string(kMostEvents) +
                     " events of the node were looked at");
  return out;
}

}  // namespace ward::enforcer
