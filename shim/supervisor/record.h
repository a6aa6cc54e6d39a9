// SPDX-License-Identifier: Apache-2.0
// Builds the record of a violation that goes to the journal. Strings that the container controls
// enter it escaped.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "lib/linux/process_info.h"
#include "lib/linux/seccomp_listener.h"
#include "shim/supervisor/verdict.h"
#include "ward/node/v1/types.pb.h"

namespace ward::shim::supervisor {

// The task that asked, while it is parked in its call. Empty where /proc had nothing any more.
struct Offender {
  pid_t tid = 0;
  pid_t pid = 0;
  std::string comm;  // escaped
  std::string exe;   // escaped
};
Offender read_offender(pid_t tid);

// Ids that are unique for ever: a random prefix of this process, '-' and a counter.
std::string next_event_id();
const std::string& event_id_prefix();

// In place of a number, where a process was ended by SIGSYS: in a foreign ABI; in a call that is
// not known for sure.
inline constexpr int kForeignCall = -1;
inline constexpr int kEndedCall = -2;
std::string syscall_name(
    int nr);  // "foreign-abi", "sigsys"; "syscall_512" where libseccomp has no name

// Everything but who (identity, profile), the times after the answer and the outcome.
node::v1::Violation make_violation(const Notification& call, const Verdict& verdict, Phase phase,
                                   Origin origin, const std::string& profile);

// A process ended by SIGSYS: the kernel itself stopped a call for which there is no notification
// (K4).
node::v1::Violation make_foreign_abi_violation(pid_t pid, Phase phase, Origin origin);

// What the container has from its start in supervise, and mode enforce would have cut; the reason
// is the caller's.
node::v1::Violation make_uncut_violation(Phase phase, Origin origin);

}  // namespace ward::shim::supervisor
