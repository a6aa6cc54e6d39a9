// SPDX-License-Identifier: Apache-2.0
#include "enforcer/api/translate.h"

#include <linux/audit.h>

#include <algorithm>

#include "profiles/filter/syscall_arity.h"
#include "profiles/filter/terms.h"

namespace ward::enforcer {
namespace {

std::string arch_name(std::uint32_t arch) {
  switch (arch) {
    case 0: return "";
    case AUDIT_ARCH_X86_64: return "x86_64";
    case AUDIT_ARCH_I386: return "i386";
    case AUDIT_ARCH_AARCH64: return "aarch64";
    case AUDIT_ARCH_ARM: return "arm";
    default: return "arch-" + std::to_string(arch);
  }
}

// Rounded up: a violation that was contained never shows as "0 us", which means "does not apply".
std::int64_t microseconds(std::int64_t ns) { return ns <= 0 ? 0 : (ns + 999) / 1000; }

}  // namespace

std::string state_name(node::v1::ContainerState state) {
  switch (state) {
    case node::v1::CONTAINER_STATE_CREATED: return "CREATED";
    case node::v1::CONTAINER_STATE_RUNNING: return "RUNNING";
    case node::v1::CONTAINER_STATE_PAUSED: return "PAUSED";
    case node::v1::CONTAINER_STATE_QUARANTINED: return "QUARANTINED";
    case node::v1::CONTAINER_STATE_STOPPED: return "STOPPED";
    default: return "UNKNOWN";
  }
}

// Where no profile is in force there are no phases, and a program that runs is past those of the
// runtime.
std::string phase_of(const node::v1::ContainerStatus& status) {
  const bool governed =
      status.mode() == node::v1::MODE_SUPERVISE || status.mode() == node::v1::MODE_ENFORCE;
  const bool created = status.state() == node::v1::CONTAINER_STATE_CREATED;
  if (!governed || status.state() == node::v1::CONTAINER_STATE_STOPPED) return "";
  return std::string(filter::phase_name(!created && status.phase() == node::v1::PHASE_RUNTIME
                                            ? node::v1::PHASE_BOOT
                                            : status.phase()));
}

v1::Container to_api(const ContainerEntry& entry) {
  const node::v1::ContainerStatus& status = entry.status;
  const node::v1::Identity& identity = status.identity();
  v1::Container out;
  out.set_containerd_namespace(identity.containerd_namespace());
  out.set_id(identity.container_id());
  out.set_kubernetes_namespace(identity.kubernetes_namespace());
  out.set_pod(identity.pod());
  out.set_name(identity.container_name());
  out.set_image(identity.image());
  out.set_state(state_name(status.state()));
  out.set_mode(std::string(filter::mode_name(status.mode())));
  out.set_policy(status.policy());
  out.set_profile(status.profile_name());
  out.set_profile_digest(status.profile_digest());
  out.set_phase(phase_of(status));
  out.set_pid(status.pid());
  out.set_shim_pid(entry.shim_pid);
  out.set_workload(status.workload());
  out.set_recording_id(status.recording_id());
  out.set_note(status.note());
  out.set_violations(status.violations());
  out.set_continued(status.continued());
  out.set_since_wall_ns(status.since_wall_ns());
  out.set_partly(status.partly());
  out.set_overlay(status.overlay());
  return out;
}

v1::Event to_api(const JournalRecord& record) {
  const node::v1::Violation& body = record.entry.body;
  v1::Event out;
  out.set_id(body.event_id());
  out.set_sequence(record.sequence);
  out.set_wall_ns(body.wall_ns());
  out.set_kind(std::string(event_kind_name(record.entry.kind)));
  out.set_containerd_namespace(body.identity().containerd_namespace());
  out.set_container(body.identity().container_id());
  out.set_kubernetes_namespace(body.identity().kubernetes_namespace());
  out.set_pod(body.identity().pod());
  out.set_container_name(body.identity().container_name());
  out.set_exec_id(body.exec_id());
  out.set_origin(std::string(filter::origin_name(body.origin())));
  out.set_phase(std::string(filter::phase_name(body.phase())));
  out.set_mode(std::string(filter::mode_name(body.mode())));
  out.set_profile(body.profile_name());
  out.set_profile_digest(body.profile_digest());
  out.set_action(std::string(filter::action_name(body.action())));
  out.set_outcome(body.outcome());
  out.set_arch(arch_name(body.arch()));
  out.set_syscall_nr(body.syscall_nr());
  out.set_syscall(body.syscall());
  for (const std::uint64_t value : body.args()) out.add_args(value);
  const int most = filter::syscall_arity(body.syscall()).value_or(body.args_text_size());
  for (int i = 0; i < std::min(most, body.args_text_size()); ++i)
    out.add_args_text(body.args_text(i));
  out.set_pid(body.pid());
  out.set_tid(body.tid());
  out.set_comm(body.comm());
  out.set_exe(body.exe());
  out.set_answered_us(microseconds(body.answered_ns()));
  out.set_contained_us(microseconds(body.contained_ns()));
  out.set_repeats(body.repeats());
  out.set_dropped_before(body.dropped_before());
  out.set_evidence(body.evidence());
  out.set_reason(body.reason());
  out.set_capability(body.capability());
  out.set_newer_program(body.newer_program());
  out.set_calmed(body.calmed());
  out.set_overlay(body.overlay());
  return out;
}

}  // namespace ward::enforcer
