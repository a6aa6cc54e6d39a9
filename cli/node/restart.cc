// SPDX-License-Identifier: Apache-2.0
#include "cli/node/restart.h"

#include <poll.h>

#include <algorithm>

#include "cli/node/program.h"
#include "lib/base/escape.h"
#include "lib/linux/pidfd.h"

namespace ward::cli::node {
namespace {

using Clock = std::chrono::steady_clock;

// Asks again every 100 ms: neither a socket that is bound again nor a CRI plugin that has become
// ready tells anybody.
template <typename Predicate>
bool await(Predicate predicate, std::chrono::milliseconds patience) {
  const auto deadline = Clock::now() + patience;
  while (!predicate()) {
    if (Clock::now() > deadline) return false;
    ::poll(nullptr, 0, 100);
  }
  return true;
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + escape(name);
  return text;
}

}  // namespace

std::vector<std::string> restart_command(const Daemon& daemon, const std::string& given) {
  if (!given.empty()) return {"/bin/sh", "-c", given};
  std::error_code error;
  if (!daemon.unit.empty() && std::filesystem::is_directory("/run/systemd/system", error))
    return {"systemctl", "restart", daemon.unit};
  return {};
}

Result<void> await_no_created_task(const Daemon& daemon, std::chrono::milliseconds patience) {
  std::vector<std::string> created;
  std::optional<Error> failed;
  const bool none = await(
      [&] {
        auto found = tasks_in_created(daemon);
        if (!found) failed = found.error();
        created = found.value_or(std::vector<std::string>());
        return failed || created.empty();
      },
      patience);
  if (failed) return tl::unexpected(*failed);
  if (none) return {};
  return fail(Code::kFailedPrecondition,
              "a restart of containerd would lose tasks that were made and not started: " +
                  listed(created) + ". Start or delete them, and run this again");
}

Result<Daemon> restart(const Daemon& daemon, const std::vector<std::string>& command,
                       std::chrono::milliseconds patience) {
  const auto deadline = Clock::now() + patience;
  // From before the command: it may end the process and be back at once.
  Result<UniqueFd> old = daemon.pid > 0 ? open_pidfd(daemon.pid) : Result<UniqueFd>(UniqueFd());
  const auto ran = run_program(command, patience);
  if (!ran) return fail_with("restart containerd", ran.error());
  if (ran->status != 0)
    return fail(Code::kUnavailable,
                "restart containerd: '" + escape(command.back()) + "': " + last_words(*ran));
  const auto left = [&deadline] {
    return std::max<std::chrono::milliseconds>(
        std::chrono::milliseconds(1),
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()));
  };
  if (old && *old) {
    pollfd end = {old->get(), POLLIN, 0};
    if (::poll(&end, 1, static_cast<int>(left().count())) == 0)
      return fail(Code::kDeadlineExceeded,
                  "restart containerd: process " + std::to_string(daemon.pid) +
                      " has not ended after '" + escape(command.back()) + "'");
  }
  Result<Daemon> fresh = fail(Code::kUnavailable, "");
  if (!await([&] { return (fresh = read_daemon(daemon.socket)).has_value(); }, left()))
    return fail(Code::kUnavailable, "containerd does not answer at '" + daemon.socket.string() +
                                        "' after its restart; see its log");
  return fresh;
}

Result<Daemon> restart_back(const Daemon& daemon, const std::vector<std::string>& command,
                            std::chrono::milliseconds patience) {
  auto there = read_daemon(daemon.socket);
  if (!there) {
    Daemon down = daemon;
    down.pid = 0;
    return restart(down, command, patience);
  }
  if (auto quiet = await_no_created_task(*there, patience); !quiet)
    return tl::unexpected(quiet.error());
  return restart(*there, command, patience);
}

Result<CriState> await_cri(const Daemon& daemon, const std::optional<CriState>& before,
                           const std::string& handler, std::chrono::milliseconds patience) {
  Result<CriState> state = fail(Code::kUnavailable, "CRI was not asked");
  const bool ready = await(
      [&] {
        state = ask_cri(daemon.socket);
        return state && state->runtime_ready &&
               (!before || !before->network_ready || state->network_ready) &&
               (handler.empty() || state->handlers.empty() || state->handlers.count(handler) != 0);
      },
      patience);
  if (ready) return state;
  if (!state) return fail_with("containerd's CRI does not answer after the restart", state.error());
  return fail(
      Code::kUnavailable,
      !state->runtime_ready ? "containerd's CRI is not ready after the restart"
      : handler.empty() || state->handlers.count(handler) != 0
          ? "the network of containerd's CRI is not ready after the restart"
          : "containerd's CRI does not know the handler '" + handler + "' after the restart");
}

}  // namespace ward::cli::node
