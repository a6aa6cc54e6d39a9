// SPDX-License-Identifier: Apache-2.0
#include "cli/stop_signals.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace ward::cli {

Result<StopSignals> StopSignals::block() {
  sigset_t all;
  sigset_t before;
  sigemptyset(&all);
  for (const int number : {SIGINT, SIGTERM, SIGCHLD}) sigaddset(&all, number);
  if (::pthread_sigmask(SIG_BLOCK, &all, &before) != 0) return fail_errno("block signals");
  UniqueFd fd(::signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) return fail_errno("signalfd");
  return StopSignals(std::move(fd), before);
}

StopSignals::~StopSignals() {
  if (fd_) ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

std::optional<int> StopSignals::wait(std::chrono::milliseconds longest) const {
  pollfd waiting{fd_.get(), POLLIN, 0};
  if (::poll(&waiting, 1, static_cast<int>(longest.count())) <= 0) return std::nullopt;
  signalfd_siginfo info{};
  if (::read(fd_.get(), &info, sizeof info) != static_cast<ssize_t>(sizeof info))
    return std::nullopt;
  return static_cast<int>(info.ssi_signo);
}

}  // namespace ward::cli
