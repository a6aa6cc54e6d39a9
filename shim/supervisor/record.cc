// SPDX-License-Identifier: Apache-2.0
#include "shim/supervisor/record.h"

#include "lib/base/clock.h"
#include "lib/base/digest.h"
#include "lib/base/file.h"
#include "lib/base/utf8.h"
#include "lib/oci/seccomp.h"
#include "shim/supervisor/decode_args.h"

namespace ward::shim::supervisor {
namespace {

constexpr std::size_t kMaxExeBytes = 1024;

const std::string& boot_id() {
  static const std::string id = [] {
    std::string text = read_file("/proc/sys/kernel/random/boot_id", 64).value_or("");
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
  }();
  return id;
}

node::v1::Violation stamped() {
  node::v1::Violation violation;
  violation.set_event_id(next_event_id());
  violation.set_wall_ns(wall_ns());
  violation.set_monotonic_ns(monotonic_ns());
  violation.set_boot_id(boot_id());
  return violation;
}

}  // namespace

Offender read_offender(pid_t tid) {
  Offender offender;
  offender.tid = tid;
  if (const auto status = read_status(tid)) offender.pid = status->thread_group;
  if (const auto stat = read_stat(tid)) offender.comm = to_utf8(stat->comm);
  offender.exe = to_utf8(std::string_view(read_exe(tid)).substr(0, kMaxExeBytes));
  return offender;
}

const std::string& event_id_prefix() {
  static const std::string prefix = random_hex(10);
  return prefix;
}

std::string next_event_id() {
  static std::uint64_t counter = 0;
  return event_id_prefix() + "-" + std::to_string(++counter);
}

std::string syscall_name(int nr) {
  if (nr == kForeignCall) return "foreign-abi";
  if (nr == kEndedCall) return "sigsys";
  return oci::find_syscall_name(nr).value_or("syscall_" + std::to_string(nr));
}

node::v1::Violation make_violation(const Notification& call, const Verdict& verdict, Phase phase,
                                   Origin origin, const std::string& profile) {
  node::v1::Violation violation = stamped();
  violation.set_origin(filter::to_proto(origin));
  violation.set_phase(filter::to_proto(phase));
  violation.set_action(filter::to_proto(verdict.action));
  violation.set_arch(call.arch);
  violation.set_syscall_nr(call.nr);
  violation.set_syscall(syscall_name(call.nr));
  for (const std::uint64_t arg : call.args) violation.add_args(arg);
  for (auto& text : decode_args(call.nr, call.args)) violation.add_args_text(std::move(text));
  violation.set_tid(call.tid);
  violation.set_own_filter_denies(verdict.own_filter_denies);
  violation.set_tolerated(verdict.tolerated);
  violation.set_own_number(verdict.own_number);
  violation.set_calmed(verdict.calmed);
  violation.set_reason(explain(verdict, violation.syscall(), profile, phase));
  return violation;
}

node::v1::Violation make_foreign_abi_violation(pid_t pid, Phase phase, Origin origin) {
  node::v1::Violation violation = stamped();
  violation.set_origin(filter::to_proto(origin));
  violation.set_phase(filter::to_proto(phase));
  violation.set_action(node::v1::ACTION_KILL);
  violation.set_syscall_nr(-1);
  violation.set_syscall("foreign-abi");
  violation.set_pid(pid);
  violation.set_tid(pid);
  violation.set_outcome("killed");
  violation.set_reason(
      "ended by SIGSYS: a system call through a foreign ABI, or one that the filter kills for");
  return violation;
}

node::v1::Violation make_uncut_violation(Phase phase, Origin origin) {
  node::v1::Violation violation = stamped();
  violation.set_origin(filter::to_proto(origin));
  violation.set_phase(filter::to_proto(origin == Origin::kExec ? Phase::kExec : phase));
  violation.set_action(node::v1::ACTION_LOG);
  violation.set_syscall_nr(-1);
  violation.set_outcome("continued");
  return violation;
}

}  // namespace ward::shim::supervisor
