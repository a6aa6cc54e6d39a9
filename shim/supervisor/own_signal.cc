// SPDX-License-Identifier: Apache-2.0
#include "shim/supervisor/own_signal.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>

#include "lib/base/log.h"
#include "lib/linux/pidfd.h"
#include "lib/linux/process_info.h"

namespace ward::shim::supervisor {

void send_own_signal(const SeccompListener& listener, const Notification& call, OwnSignal signal) {
  if (signal == OwnSignal::kNone) return;
  const auto status = read_status(call.tid);
  if (!status) return;
  const auto process = open_pidfd(status->thread_group);
  // Only now: the number belongs to the thread that asks, and what was opened is its process.
  if (!process || !listener.is_valid(call.id)) return;
  if (signal == OwnSignal::kTrap) {
    ::syscall(SYS_tgkill, status->thread_group, call.tid, SIGSYS);
    return;
  }
  if (auto killed = send_signal(*process, SIGKILL);
      !killed && killed.error().code != Code::kNotFound) {
    log::error("cannot kill a process as its own seccomp profile asks",
               {{"pid", std::to_string(status->thread_group)}, {"error", killed.error().message}});
  }
}

}  // namespace ward::shim::supervisor
