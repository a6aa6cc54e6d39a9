// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "lib/base/digest.h"
#include "lib/base/log.h"
#include "shim/guard/guard_recording.h"
#include "shim/guard/guard_state.h"

namespace ward::shim::guard {

Result<GuardedContainer*> Guard::State::running(const std::string& id) const {
  auto* const container = find(id);
  if (container == nullptr) return fail(Code::kNotFound, "container '" + id + "' is not here");
  if (container->state == node::v1::CONTAINER_STATE_STOPPED) {
    return fail(Code::kFailedPrecondition, "container '" + id + "' has ended");
  }
  return container;
}

Result<void> Guard::State::quarantine(const std::string& id, const std::string& reason) {
  auto container = running(id);
  if (!container) return tl::unexpected(container.error());
  auto& supervisor = (*container)->supervisor;
  if (!supervisor) supervisor = make_supervisor(id, charge_of(**container));
  if (auto found = supervisor->find_cgroups((*container)->pid); !found) return found;
  return supervisor->quarantine(reason);
}

Result<void> Guard::State::release(const std::string& id) {
  auto container = running(id);
  if (!container) return tl::unexpected(container.error());
  if (!(*container)->supervisor)
    return fail(Code::kFailedPrecondition, "container '" + id + "' is not quarantined");
  return (*container)->supervisor->release();
}

void Guard::State::kill(const std::string& id, std::function<void(Result<void>)> done) {
  auto container = running(id);
  if (!container) return done(tl::unexpected(container.error()));
  if ((*container)->supervisor) {
    // It answers whatever happens; where its own hand fails, the runtime's may not.
    if (auto killed = (*container)->supervisor->kill(std::move(done)); !killed) {
      log::warn("kill by cgroup", {{"id", id}, {"error", killed.error().message}});
      callbacks.kill_all(id);
    }
    return;
  }
  callbacks.kill_all(id);
  done({});
}

Result<node::v1::ContainerStatus> Guard::State::set_mode(const std::string& id,
                                                         node::v1::Mode mode) {
  auto container = running(id);
  if (!container) return tl::unexpected(container.error());
  const bool switchable = mode == node::v1::MODE_SUPERVISE || mode == node::v1::MODE_ENFORCE;
  if (!switchable || !(*container)->admitted.supervised) {
    return fail(Code::kFailedPrecondition,
                "a running container is switched between supervise and enforce only; other modes "
                "need a restart");
  }
  const auto& profile = (*container)->admitted.profile;
  if (mode == node::v1::MODE_ENFORCE && profile && profile->rehearsal) {
    return fail(Code::kFailedPrecondition,
                "profile '" + profile->name +
                    "' is for rehearsal, for it was learned without a start, and is not enforced");
  }
  (*container)
      ->supervisor->set_mode(mode == node::v1::MODE_ENFORCE ? supervisor::Mode::kEnforce
                                                            : supervisor::Mode::kSupervise);
  return (*container)->status();
}

Result<void> Guard::State::calm(const node::v1::CalmCommand& command) {
  auto container = running(command.container_id());
  if (!container) return tl::unexpected(container.error());
  if (!(*container)->supervisor)
    return fail(Code::kFailedPrecondition,
                "container '" + command.container_id() + "' is under no profile");
  // Of a newer wardd, too: what this shim does not know is as mild as it gets.
  const auto known = [](node::v1::Action action) {
    return action >= node::v1::ACTION_DENY && action <= node::v1::ACTION_QUARANTINE;
  };
  (*container)
      ->supervisor->calm(known(command.then()) ? static_cast<supervisor::Action>(command.then())
                                               : supervisor::Action::kDeny,
                         command.until_wall_ns());
  return {};
}

Result<node::v1::ContainerStatus> Guard::State::widen(const node::v1::WidenRequest& request) {
  auto container = running(request.container_id());
  if (!container) return tl::unexpected(container.error());
  auto& profile = (*container)->admitted.profile;
  if (!profile || !(*container)->supervisor || profile->name != request.profile_name())
    return fail(Code::kFailedPrecondition, "container '" + request.container_id() +
                                               "' is not under profile '" + request.profile_name() +
                                               "'");
  if (profile->compiled_sha256 == request.compiled_sha256()) return (*container)->status();
  auto next = admission::read_profile_in_force(config.places, request.compiled_sha256());
  if (!next) return tl::unexpected(next.error());
  if (next->name != profile->name)
    return fail(Code::kInvalidArgument, "the compiled file is of profile '" + next->name + "'");
  auto& began = (*container)->began_under;
  if (!began) began = *profile;
  profile = admission::widened(*began, std::move(*next));
  (*container)
      ->supervisor->set_law({.profile_digest = profile->digest,
                             .overlay = profile->overlay,
                             .calls = profile->calls,
                             .danger = profile->danger,
                             .refused = profile->refused,
                             .tolerated = profile->tolerated,
                             .tolerated_own = profile->tolerated_own,
                             .knows_up_to = profile->knows_up_to});
  return (*container)->status();
}

Result<node::v1::ContainerStatus> Guard::State::record(const node::v1::RecordCommand& command) {
  auto found = running(command.container_id());
  if (!found) return tl::unexpected(found.error());
  GuardedContainer& container = **found;
  if (!command.run_id().empty()) {
    if (container.admitted.supervised)
      return fail(Code::kFailedPrecondition, "it runs under a profile, and is not recorded");
    if (container.recording)
      return fail(Code::kAlreadyExists, "it is recorded already, as run " + container.run_id);
    container.recording = true;
    container.run_id = command.run_id();
    container.admitted.workload = command.workload();
    container.record_id = command.record_id();
    container.unrecorded.clear();
  }
  if (container.record_id == command.record_id()) {
    keep_to_time(container, command.until_wall_ns());
    tell(container);
  }
  return container.status();
}

void Guard::State::keep_to_time(GuardedContainer& container, std::int64_t until_wall_ns) {
  end_recording_at(loop, node_link(), container, until_wall_ns, [this, id = container.id] {
    if (auto* const told = find(id)) tell(*told);
  });
}

Result<void> Guard::State::told(const node::v1::Seen& what) {
  auto* const container = find(what.container_id());
  if (container == nullptr || !container->supervisor) {
    return fail(Code::kNotFound, "container '" + what.container_id() + "' is not here");
  }
  const supervisor::EndedProcess process{
      .pid = what.pid(),
      .start_ticks = what.start_ticks(),
      .origin = what.exec() ? supervisor::Origin::kExec : supervisor::Origin::kWorkload,
      .comm = what.comm(),
      .abi = what.abi(),
      .nr = what.syscall_nr()};
  if (what.gained()) {
    container->supervisor->gained_privileges(process);
  } else if (what.denied()) {
    container->supervisor->missed_capability(what.capability(), process);
  } else if (!what.capability().empty()) {
    container->supervisor->used_capability(what.capability(), process);
  } else if (!container->is_first_process(what.pid())) {
    container->supervisor->process_died(process);
  }
  return {};
}

}  // namespace ward::shim::guard
