// SPDX-License-Identifier: Apache-2.0
#include "shim/guard/guarded_container.h"

#include <algorithm>
#include <utility>

#include "lib/base/clock.h"
#include "lib/linux/process_info.h"
#include "shim/supervisor/record.h"

namespace ward::shim::guard {
namespace {

supervisor::Action action_or(node::v1::Action action, supervisor::Action fallback) {
  return action == node::v1::ACTION_UNSPECIFIED ? fallback
                                                : static_cast<supervisor::Action>(action);
}

supervisor::ActionSet make_actions(const node::v1::Actions& actions) {
  supervisor::ActionSet set;
  set.workload = action_or(actions.workload(), supervisor::Action::kQuarantine);
  set.exec = action_or(actions.exec(), supervisor::Action::kDeny);
  set.acts_on_refused = actions.refused() == node::v1::REFUSED_ACT;
  set.escalate_to = action_or(actions.escalate_to(), supervisor::Action::kDeny);
  set.escalate_after =
      actions.escalate_to() == node::v1::ACTION_UNSPECIFIED ? 0 : actions.escalate_after();
  set.escalate_window_ns = static_cast<std::int64_t>(actions.escalate_window_s()) * 1'000'000'000;
  set.calmed_to = action_or(actions.calmed_to(), supervisor::Action::kDeny);
  set.calmed_until_wall_ns = actions.calmed_until_wall_ns();
  return set;
}

}  // namespace

GuardedContainer::GuardedContainer(std::string container_id, std::filesystem::path bundle_directory,
                                   admission::Admitted decided)
    : id(std::move(container_id)),
      bundle(std::move(bundle_directory)),
      admitted(std::move(decided)),
      since_wall_ns(wall_ns()) {}

bool GuardedContainer::is_first_process(pid_t process) const {
  return process == pid || std::any_of(sessions.begin(), sessions.end(), [&](const auto& session) {
           return session.second == process;
         });
}

void GuardedContainer::set_state(node::v1::ContainerState next) {
  if (state == next) return;
  state = next;
  since_wall_ns = wall_ns();
}

void GuardedContainer::note_quarantine() {
  const bool quarantined = supervisor && supervisor->is_quarantined();
  if (std::exchange(was_quarantined, quarantined) != quarantined) since_wall_ns = wall_ns();
}

node::v1::Mode GuardedContainer::mode() const {
  return supervisor && admitted.supervised ? filter::to_proto(supervisor->mode()) : admitted.mode;
}

std::string GuardedContainer::partly() const {
  if (admitted.mode == node::v1::MODE_ENFORCE || mode() != node::v1::MODE_ENFORCE) return {};
  std::string kept = admitted.uncut_capabilities.empty() ? "" : "capabilities";
  if (admitted.uncut_privileges) kept += kept.empty() ? "noNewPrivileges" : ", noNewPrivileges";
  return kept.empty() ? "" : kept + ": own until the next start";
}

node::v1::ContainerStatus GuardedContainer::status() const {
  node::v1::ContainerStatus status;
  *status.mutable_identity() = admitted.identity;
  status.set_state(state);
  status.set_mode(mode());
  status.set_partly(partly());
  status.set_policy(admitted.policy);
  status.set_pid(pid);
  status.set_workload(admitted.workload);
  status.set_since_wall_ns(since_wall_ns);
  if (recording) {
    status.set_recording_id(run_id);
    status.set_record_id(record_id);
  }
  if (admitted.profile) {
    status.set_profile_name(admitted.profile->name);
    status.set_profile_digest(admitted.profile->digest);
    status.set_overlay(admitted.profile->overlay);
  }
  std::string note = unrecorded.empty() ? std::string() : "runs unrecorded: " + unrecorded;
  if (recording && !record_id.empty()) note = "recorded for `ward record`";
  for (const auto& remark : admitted.notes) note += (note.empty() ? "" : "; ") + remark;
  if (began_under && began_under->version != admitted.profile->version)
    note += (note.empty() ? "" : "; ") + ("versions " + std::to_string(began_under->version) +
                                          " and " + std::to_string(admitted.profile->version) +
                                          " of its profile together, until the next start");
  if (supervisor) {
    if (admitted.supervised) status.set_phase(filter::to_proto(supervisor->phase()));
    status.set_violations(supervisor->violations());
    status.set_continued(supervisor->continued());
    // What was done to it comes before what was said at its start.
    const auto& measure = supervisor->last_measure();
    if (!measure.note.empty()) note = measure.note;
    status.set_killed_for(measure.killed_for);
    status.set_killed_wall_ns(measure.killed_wall_ns);
    if (supervisor->is_quarantined() && state != node::v1::CONTAINER_STATE_STOPPED) {
      status.set_state(node::v1::CONTAINER_STATE_QUARANTINED);
      status.set_since_wall_ns(supervisor->quarantined_wall_ns());
    }
  }
  const bool softened =
      admitted.mode == node::v1::MODE_ENFORCE && status.mode() == node::v1::MODE_SUPERVISE;
  const std::string kept =
      softened ? "what was cut at its start stays cut until the next one" : status.partly();
  if (!kept.empty()) note = kept + (note.empty() ? "" : "; ") + note;
  status.set_note(note);
  return status;
}

supervisor::Charge make_charge(const admission::Admitted& admitted, const Places& places) {
  supervisor::Charge charge;
  charge.identity = admitted.identity;
  charge.mode = admitted.mode == node::v1::MODE_SUPERVISE ? supervisor::Mode::kSupervise
                                                          : supervisor::Mode::kEnforce;
  charge.actions = make_actions(admitted.actions);
  charge.own = admitted.own;
  charge.sessions_as_workload = admitted.sessions == node::v1::SESSIONS_WORKLOAD;
  if (admitted.profile) {
    charge.profile_name = admitted.profile->name;
    charge.profile_digest = admitted.profile->digest;
    charge.overlay = admitted.profile->overlay;
    charge.calls = admitted.profile->calls;
    charge.danger = admitted.profile->danger;
    charge.knows_up_to = admitted.profile->knows_up_to;
    charge.refused = admitted.profile->refused;
    charge.tolerated = admitted.profile->tolerated;
    charge.tolerated_own = admitted.profile->tolerated_own;
    charge.boundary_quiet = std::chrono::milliseconds(admitted.profile->boundary_quiet_ms);
    charge.boundary_latest = std::chrono::milliseconds(admitted.profile->boundary_latest_ms);
  }
  charge.quarantine_ttl = std::chrono::seconds(admitted.settings.quarantine_ttl_s());
  charge.evidence_root = places.evidence();
  if (admitted.settings.evidence_max_bytes() != 0)
    charge.evidence_limits.max_bytes = admitted.settings.evidence_max_bytes();
  if (admitted.settings.evidence_max_files() != 0)
    charge.evidence_limits.max_files = admitted.settings.evidence_max_files();
  charge.evidence_limits.full = admitted.settings.evidence_full();
  return charge;
}

bool is_or_descends_from(pid_t pid, pid_t runtime_pid) {
  if (pid == runtime_pid) return true;
  const auto stat = read_stat(pid);
  return stat && stat->parent == runtime_pid;
}

}  // namespace ward::shim::guard
