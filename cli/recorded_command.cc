// SPDX-License-Identifier: Apache-2.0
#include "cli/recorded_command.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "lib/base/escape.h"
#include "lib/base/scope_exit.h"

namespace ward::cli {

Result<RecordedCommand> RecordedCommand::start(const std::vector<std::string>& words,
                                               const StopSignals& signals) {
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  const ScopeExit destroy([&] { ::posix_spawnattr_destroy(&attributes); });
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  ::posix_spawnattr_setsigmask(&attributes, &signals.mask_before());
  pid_t pid = -1;
  const int error =
      ::posix_spawnp(&pid, arguments.front(), nullptr, &attributes, arguments.data(), environ);
  if (error != 0) return fail_errno("run '" + escape(words.front(), 80) + "'", error);
  return RecordedCommand(pid);
}

void RecordedCommand::pass_on(int signal) {
  if (ended()) return;
  if (asked_) {
    ::kill(pid_, SIGKILL);
    return;
  }
  asked_ = true;
  const bool by_key = signal == SIGINT && ::tcgetpgrp(STDIN_FILENO) == ::getpgrp();
  if (!by_key) ::kill(pid_, signal);
}

std::optional<int> RecordedCommand::ended() {
  int status = 0;
  if (!status_ && ::waitpid(pid_, &status, WNOHANG) == pid_)
    status_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return status_;
}

}  // namespace ward::cli
