// SPDX-License-Identifier: Apache-2.0
// A restart of containerd, and what has to hold before and after it.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "cli/node/containerd.h"
#include "cli/node/cri.h"

namespace ward::cli::node {

// What restarts it: the command that was given, else its unit of systemd. Empty: a person has to.
std::vector<std::string> restart_command(const Daemon& daemon, const std::string& given);

// Waits until no task is made but not started; kFailedPrecondition names those that stay so.
Result<void> await_no_created_task(const Daemon& daemon, std::chrono::milliseconds patience);

// Runs the command and waits until another process answers at the socket. Gives that one.
Result<Daemon> restart(const Daemon& daemon, const std::vector<std::string>& command,
                       std::chrono::milliseconds patience);

// The same on a way back, where it may be down: who does not answer has no task to lose.
Result<Daemon> restart_back(const Daemon& daemon, const std::vector<std::string>& command,
                            std::chrono::milliseconds patience);

// Waits until CRI is ready, as ready as it was before, and has the handler (empty: whichever).
Result<CriState> await_cri(const Daemon& daemon, const std::optional<CriState>& before,
                           const std::string& handler, std::chrono::milliseconds patience);

}  // namespace ward::cli::node
