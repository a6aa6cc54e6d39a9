// SPDX-License-Identifier: Apache-2.0
#include "enforcer/make_operations.h"

#include <algorithm>

#include "enforcer/amend.h"
#include "enforcer/api/translate.h"
#include "enforcer/node.h"
#include "enforcer/node_link/container_commands.h"
#include "enforcer/node_link/widening.h"
#include "enforcer/propose_profile.h"
#include "enforcer/record.h"
#include "enforcer/recordings/describe.h"
#include "enforcer/simulate_profile.h"
#include "enforcer/test_policy.h"
#include "lib/base/escape.h"
#include "profiles/effective.h"
#include "profiles/filter/terms.h"
#include "profiles/learn/coverage.h"
#include "profiles/learn/generate.h"
#include "profiles/posture.h"
#include "profiles/yaml/write_yaml.h"

namespace ward::enforcer {
namespace {

v1::NodeStatus status(const Node& node) {
  v1::NodeStatus out;
  out.set_version(WARD_VERSION);
  out.set_started_wall_ns(node.started_at.wall_ns);
  out.set_recorder(node.recorder->status());
  out.set_processes(node.seen.status());
  *out.mutable_sampling() = node.sampling.status();
  const profiles::NewestKnown newest = profiles::newest_known_here();
  out.set_newest_call(newest.name + " (" + std::to_string(newest.number) + ")");
  out.set_shims(static_cast<std::uint32_t>(node.shims.size()));
  out.set_containers(static_cast<std::uint32_t>(node.containers.size()));
  out.set_quarantined(
      static_cast<std::uint32_t>(node.containers.count(node::v1::CONTAINER_STATE_QUARANTINED)));
  out.set_partly_enforced(static_cast<std::uint32_t>(node.containers.partly_enforced()));
  out.set_recording(static_cast<std::uint32_t>(node.recordings.open_runs()));
  out.set_events(node.journal.counts().events);
  out.set_violations(node.journal.counts().told);
  out.set_dropped(node.dropped());
  const auto expired = node.expired_events();
  out.mutable_expired()->insert(expired.begin(), expired.end());
  out.set_profiles(static_cast<std::uint32_t>(node.store.profiles_in_force()));
  out.set_policies(static_cast<std::uint32_t>(node.store.policies()));
  out.set_index_generation(node.store.generation());
  for (const std::string& problem : node.problems()) out.add_problems(problem);
  for (const std::string& runtime : node.calibrations.titles()) out.add_runtimes(runtime);
  if (const auto runtime = node.calibrations.in_use()) *out.mutable_runtime() = describe(*runtime);
  return out;
}

v1::ListContainersResponse list_containers(const Node& node, bool quarantined_only) {
  v1::ListContainersResponse out;
  auto index = node.store.open_index();
  for (const ContainerEntry& entry : node.containers.list()) {
    if (quarantined_only && entry.status.state() != node::v1::CONTAINER_STATE_QUARANTINED) continue;
    v1::Container& container = *out.add_containers();
    container = to_api(entry);
    if (!index || entry.status.state() == node::v1::CONTAINER_STATE_STOPPED) continue;
    const std::string ungoverned = ProfileStore::ungoverned(*index, entry.status);
    if (ungoverned.empty()) continue;
    container.set_note(container.note() + (container.note().empty() ? "" : "; ") + ungoverned);
  }
  return out;
}

Result<v1::ListRecordingsResponse> list_recordings(Node& node) {
  const auto workloads = node.recordings.workloads();
  if (!workloads) return tl::unexpected<Error>(workloads.error());
  v1::ListRecordingsResponse out;
  for (const std::string& workload : *workloads) {
    const auto recording = node.recordings.find(workload);
    if (recording) *out.add_recordings() = summarize(*recording);
  }
  return out;
}

Result<v1::GenerateProfileResponse> generate_profile(Node& node,
                                                     const v1::GenerateProfileRequest& request) {
  const auto recording = node.recordings.find(request.workload());
  if (!recording) return tl::unexpected<Error>(recording.error());
  profiles::GenerateOptions options;
  options.name = request.name();
  options.version = request.version();
  options.allow_lossy = request.allow_lossy();
  options.allow_mixed = request.allow_mixed();
  if (!request.posture().empty()) {
    const auto posture = profiles::parse_posture(request.posture());
    if (!posture) return tl::unexpected<Error>(posture.error());
    options.posture = *posture;
  }
  if (options.version == 0)
    options.version =
        node.store.next_version(request.name().empty() ? request.workload() : request.name());
  const auto generated = profiles::generate(recording->observations, options);
  if (!generated) return tl::unexpected<Error>(generated.error());
  v1::GenerateProfileResponse out;
  out.set_yaml(profiles::write_generated(*generated));
  out.set_syscalls(static_cast<std::uint32_t>(profiles::count_allowed(generated->profile)));
  out.set_capabilities(static_cast<std::uint32_t>(generated->profile.capabilities.size()));
  for (const auto& left_out : generated->left_out) out.add_left_out(profiles::describe(left_out));
  for (const std::string& warning : generated->warnings) out.add_warnings(warning);
  for (const std::string& note : recording->notes) out.add_warnings(note);
  const profiles::Coverage coverage = profiles::coverage(recording->observations);
  out.set_coverage(coverage.verdict);
  for (const std::string& what : coverage.not_exercised) out.add_not_exercised(what);
  return out;
}

v1::ProfileSummary summarize(const Node& node, const LoadedProfile& loaded) {
  v1::ProfileSummary out;
  out.set_name(loaded.profile.name);
  out.set_version(loaded.profile.version);
  out.set_digest(loaded.digest);
  out.set_file(loaded.path.string());
  out.set_syscalls(static_cast<std::uint32_t>(profiles::count_allowed(loaded.profile)));
  out.set_capabilities(static_cast<std::uint32_t>(loaded.profile.capabilities.size()));
  std::uint32_t used_by = 0;
  for (const ContainerEntry& entry : node.containers.list()) {
    if (entry.status.profile_digest() == loaded.digest &&
        entry.status.state() != node::v1::CONTAINER_STATE_STOPPED)
      ++used_by;
  }
  out.set_used_by(used_by);
  return out;
}

Result<v1::ProfileDocument> get_profile(const Node& node, const std::string& name) {
  const LoadedProfile* loaded = node.store.find(name);
  if (loaded == nullptr)
    return fail(Code::kNotFound,
                "there is no profile '" + escape(name, 80) + "': `ward profile list` shows them");
  v1::ProfileDocument out;
  *out.mutable_summary() = summarize(node, *loaded);
  out.set_yaml(loaded->text);
  return out;
}

std::uint32_t count_under_other_versions(const std::vector<ContainerEntry>& containers,
                                         const LoadedProfile& loaded) {
  return static_cast<std::uint32_t>(
      std::count_if(containers.begin(), containers.end(), [&](const ContainerEntry& entry) {
        return runs_under_a_profile(entry.status) &&
               entry.status.profile_name() == loaded.profile.name &&
               entry.status.profile_digest() != loaded.digest;
      }));
}

void apply_profile(Node& node, const v1::ApplyProfileRequest& request,
                   std::function<void(Result<v1::ApplyProfileResponse>)> done) {
  // Before: the file that apply writes is seen by whoever watches the directory, too, and the shims
  // may have answered when it is done.
  const std::vector<ContainerEntry> before = node.containers.list();
  node.store.apply({request.yaml(), request.file_name(), request.rollback(), request.dry_run(),
                    request.insist()},
                   [&node, before, dry_run = request.dry_run(),
                    done = std::move(done)](const Result<Applied>& applied) {
                     if (!applied) return done(tl::unexpected<Error>(applied.error()));
                     v1::ApplyProfileResponse response;
                     *response.mutable_profile() = summarize(node, applied->profile);
                     response.set_unchanged(applied->unchanged);
                     if (!dry_run)
                       response.set_running(count_under_other_versions(before, applied->profile));
                     node.widen_running();
                     const auto& provenance = applied->profile.profile.provenance;
                     if (const auto found = provenance.find("coverage"); found != provenance.end())
                       response.set_coverage(found->second);
                     for (const std::string& warning : applied->warnings)
                       response.add_warnings(warning);
                     done(std::move(response));
                   });
}

Operations::LongCall<v1::ContainerRequest, v1::ContainerResponse> command(
    Node& node, ContainerCommandKind kind) {
  return [&node, kind](const v1::ContainerRequest& request,
                       std::function<void(Result<v1::ContainerResponse>)> done) {
    command_container({kind, request.containerd_namespace(), request.container(), request.reason()},
                      node.containers, node.shims, node.journal,
                      [done = std::move(done)](const Result<ContainerEntry>& entry) {
                        if (!entry) return done(tl::unexpected<Error>(entry.error()));
                        v1::ContainerResponse response;
                        *response.mutable_container() = to_api(*entry);
                        done(std::move(response));
                      });
  };
}

node::v1::Mode asked_mode(std::string_view word) {
  const auto mode = filter::find_mode(word);
  return mode ? filter::to_proto(*mode) : node::v1::MODE_UNSPECIFIED;
}

void set_mode(Node& node, const v1::SetContainerModeRequest& request,
              std::function<void(Result<v1::ContainerResponse>)> done) {
  set_container_mode({request.containerd_namespace(), request.container(),
                      asked_mode(request.mode()), request.reason()},
                     node.containers, node.shims,
                     [done = std::move(done)](const Result<ModeSet>& set) {
                       if (!set) return done(tl::unexpected<Error>(set.error()));
                       v1::ContainerResponse response;
                       *response.mutable_container() = to_api(set->container);
                       response.set_unchanged(set->unchanged);
                       done(std::move(response));
                     });
}

// One that has ended is known by its id alone; an id that two namespaces have means both, as
// before.
Result<Operations::EventsOf> events_of(const Node& node, const std::string& name) {
  const std::size_t slash = name.find('/');
  const auto running = node.containers.find("", name);
  if (running) {
    const node::v1::Identity& who = running->status.identity();
    return Operations::EventsOf{slash == std::string::npos ? "" : who.containerd_namespace(),
                                who.container_id()};
  }
  if (running.error().code == Code::kNotFound) {
    if (slash == std::string::npos) return Operations::EventsOf{"", name};
    if (name.find('/', slash + 1) != std::string::npos)
      return tl::unexpected<Error>(running.error());
    return Operations::EventsOf{name.substr(0, slash), name.substr(slash + 1)};
  }
  const auto all = node.containers.list();
  const bool by_id = std::any_of(all.begin(), all.end(), [&](const ContainerEntry& entry) {
    return entry.status.identity().container_id() == name;
  });
  if (by_id) return Operations::EventsOf{"", name};
  return tl::unexpected<Error>(running.error());
}

}  // namespace

Operations make_operations(Node& node) {
  Operations out;
  out.status = [&node](const auto&) -> Result<v1::NodeStatus> { return status(node); };
  out.containers = [&node](const auto&) -> Result<v1::ListContainersResponse> {
    return list_containers(node, false);
  };
  out.quarantine = [&node](const auto&) -> Result<v1::ListContainersResponse> {
    return list_containers(node, true);
  };
  out.recordings = [&node](const auto&) { return list_recordings(node); };
  out.recording = [&node](const v1::GetRecordingRequest& request) -> Result<v1::Recording> {
    const auto recording = node.recordings.find(request.workload());
    if (!recording) return tl::unexpected<Error>(recording.error());
    v1::Recording described = describe(*recording);
    if (const auto runtime = node.calibrations.in_use())
      *described.mutable_runtime() = describe(*runtime);
    return described;
  };
  out.forget = [&node](const v1::ForgetRecordingRequest& request,
                       std::function<void(Result<v1::ForgetRecordingResponse>)> done) {
    node.recordings.forget(request.workload(), request.run_id(),
                           [done = std::move(done)](Result<Forgotten> forgotten) {
                             if (!forgotten) return done(tl::unexpected<Error>(forgotten.error()));
                             v1::ForgetRecordingResponse response;
                             response.set_forgotten(forgotten->runs);
                             for (const std::string& id : forgotten->run_ids)
                               response.add_run_ids(id);
                             response.set_kept_active(forgotten->kept_active);
                             done(std::move(response));
                           });
  };
  out.generate = [&node](const auto& request) { return generate_profile(node, request); };
  out.propose = [&node](const auto& request) { return propose_profile(node, request); };
  out.simulate = [&node](const auto& request) { return simulate_profile(node, request); };
  out.record = [&node](const auto& request, auto done) { record(node, request, std::move(done)); };
  out.end_record = [&node](const auto& request, auto done) {
    end_record(node, request, std::move(done));
  };
  out.profiles = [&node](const auto&) -> Result<v1::ListProfilesResponse> {
    v1::ListProfilesResponse response;
    for (const LoadedProfile& loaded : node.store.profiles())
      *response.add_profiles() = summarize(node, loaded);
    return response;
  };
  out.profile = [&node](const v1::GetProfileRequest& request) {
    return get_profile(node, request.name());
  };
  out.apply = [&node](const auto& request, auto done) {
    apply_profile(node, request, std::move(done));
  };
  out.quarantine_one = command(node, ContainerCommandKind::kQuarantine);
  out.release = command(node, ContainerCommandKind::kRelease);
  out.kill = command(node, ContainerCommandKind::kKill);
  out.test_policy = [&node](const v1::TestPolicyRequest& request) {
    return test_policy(node, request);
  };
  out.set_mode = [&node](const auto& request, auto done) {
    set_mode(node, request, std::move(done));
  };
  out.amendments = [&node](const auto& request) { return list_amendments(node, request); };
  out.drop_amendments = [&node](const auto& request) { return drop_amendments(node, request); };
  out.events_of = [&node](const std::string& name) { return events_of(node, name); };
  return out;
}

}  // namespace ward::enforcer
