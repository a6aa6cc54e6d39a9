// SPDX-License-Identifier: Apache-2.0
// A signal that the container's own filter answers with, where the kernel was not left to send it:
// in a call that had to be notified.
#pragma once

#include "lib/linux/seccomp_listener.h"
#include "shim/supervisor/verdict.h"

namespace ward::shim::supervisor {

// To be called before the answer: KILL ends the process (SIGKILL: its status is 137, where the
// kernel's is 159), TRAP sends SIGSYS to the thread. The thread that asks must still be parked;
// nobody else is sent anything.
void send_own_signal(const SeccompListener& listener, const Notification& call, OwnSignal signal);

}  // namespace ward::shim::supervisor
