// SPDX-License-Identifier: Apache-2.0
// `start`: binds the pod's socket, leaves a server behind on it and prints the address. Where a
// server of the pod is there already, prints that one's. Run once for each container, so everything
// superfluous here costs every start.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "lib/base/file.h"
#include "lib/linux/child_process.h"
#include "lib/linux/unix_socket.h"
#include "shim/command/invocation.h"
#include "shim/command/shim_address.h"
#include "shim/command/start_options.h"

namespace ward::shim::command {
namespace {

Result<std::string> read_standard_input() {
  std::string text;
  char buffer[4096];
  for (;;) {
    const ssize_t n = ::read(STDIN_FILENO, buffer, sizeof(buffer));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return text;
    text.append(buffer, static_cast<std::size_t>(n));
    if (text.size() > kLargestStartInput)
      return fail(Code::kResourceExhausted, "standard input is over 10 MiB");
  }
}

// Cores are shared only inside the pod; must be asked for before the server is forked.
Result<void> schedule_cores() {
  const char* wanted = ::getenv("SCHED_CORE");
  if (wanted == nullptr || *wanted == '\0') return {};
  constexpr int kProcessGroup = 2;
  if (::prctl(PR_SCHED_CORE, PR_SCHED_CORE_CREATE, 0, kProcessGroup, 0) != 0)
    return fail_errno("enable sched core");
  return {};
}

Result<void> write_text(const std::filesystem::path& path, const std::string& text) {
  FILE* file = std::fopen(path.c_str(), "we");
  if (file == nullptr) return fail_errno("open " + path.string());
  const bool written = std::fputs(text.c_str(), file) >= 0;
  if (std::fclose(file) != 0 || !written) return fail_errno("write " + path.string());
  return {};
}

// v1 has a tree for each controller, v2 one for all.
Result<void> join_cgroup(pid_t pid, const std::string& cgroup) {
  if (cgroup.empty()) return {};
  const std::filesystem::path root = "/sys/fs/cgroup";
  const std::string below = std::filesystem::path("/" + cgroup).lexically_normal().relative_path();
  std::error_code error;
  if (std::filesystem::exists(root / "cgroup.controllers", error)) {
    std::filesystem::create_directories(root / below, error);
    return write_text(root / below / "cgroup.procs", std::to_string(pid));
  }
  bool joined = false;
  for (const auto& controller : std::filesystem::directory_iterator(root, error)) {
    // cpuset needs its parent's values copied before it takes a process; containerd's own shim
    // leaves it out, too.
    if (controller.is_symlink() || !controller.is_directory() ||
        controller.path().filename() == "cpuset")
      continue;
    std::filesystem::create_directories(controller.path() / below, error);
    joined =
        write_text(controller.path() / below / "cgroup.procs", std::to_string(pid)).has_value() ||
        joined;
  }
  if (!joined) return fail(Code::kInternal, "no controller has a cgroup " + cgroup);
  return {};
}

// One more than containerd's: under memory pressure the shim goes first.
void raise_oom_score(pid_t pid) {
  const auto parent = read_file("/proc/" + std::to_string(::getppid()) + "/oom_score_adj", 64);
  if (!parent) return;
  int score = 0;
  std::from_chars(parent->data(), parent->data() + parent->size(), score);
  (void)write_text("/proc/" + std::to_string(pid) + "/oom_score_adj",
                   std::to_string(std::min(score + 1, 1000)));
}

struct Server {
  pid_t pid = -1;
  UniqueFd readiness;
};

// The server is a fork that goes on: a program started anew would load and relocate itself, set up
// protobuf's tables, and so begin to serve 2 ms later, with `start` waiting for it. Its command
// line, which it has inherited, is to be that of a server.
Result<Server> start_server(const Invocation& invocation, const UniqueFd& listener, char* action) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("pipe2");
  Server server{-1, UniqueFd(ends[0])};
  UniqueFd ready(ends[1]);
  server.pid = ::fork();
  if (server.pid < 0) return fail_errno("fork the server");
  if (server.pid > 0) return server;
  server.readiness.reset();
  std::memset(action, 0, std::strlen(action));
  ::setpgid(0, 0);
  if (auto ok = leave_behind_all_but({listener.get(), ready.get()}); !ok) ::_exit(1);
  ::_exit(serve(invocation, {UniqueFd(listener.get()), std::move(ready)}));
}

// Wait until the server serves. A containerd that gets the address of a server that died is refused
// by its socket, and some then leave the socket for ever: nobody clears up after a shim that was
// never connected.
Result<void> await_readiness(const Server& server) {
  constexpr int kPatienceMs = 10'000;
  pollfd readable = {server.readiness.get(), POLLIN, 0};
  int count = 0;
  do count = ::poll(&readable, 1, kPatienceMs);
  while (count < 0 && errno == EINTR);
  if (count < 0) return fail_errno("poll");
  if (count == 0) return fail(Code::kDeadlineExceeded, "the server does not serve after 10 s");
  char byte = 0;
  if (::read(server.readiness.get(), &byte, 1) == 1) return {};
  return fail(Code::kInternal, "the server ended before it served; its log may say why");
}

Result<std::string> start(const Invocation& invocation, char* action) {
  const auto input = read_standard_input();
  if (!input) return tl::unexpected(input.error());
  const auto options = parse_start_options(*input, invocation.containerd_namespace, invocation.id);
  if (!options) return tl::unexpected(options.error());
  const auto grouping = read_grouping(".", invocation.id);
  if (!grouping) return tl::unexpected(grouping.error());
  const auto directory =
      options->socket_directory.empty() ? kDefaultSocketDirectory : options->socket_directory;
  const auto path =
      shim_socket_path(directory, invocation.address, invocation.containerd_namespace, *grouping);
  const std::string address = "unix://" + path;
  std::error_code error;
  if (!std::filesystem::exists(directory, error)) {
    std::filesystem::create_directories(directory, error);
    std::filesystem::permissions(directory, std::filesystem::perms::owner_all, error);
  }

  auto listener = listen_unix(path, StaleSocket::kReplace);
  const bool served = !listener && listener.error().code == Code::kAlreadyExists;
  if (!listener && !served) return tl::unexpected(listener.error());
  auto failed = [&path, served](Error why) -> Result<std::string> {
    if (!served) ::unlink(path.c_str());
    return tl::unexpected(std::move(why));
  };
  // containerd before 2.0 looks here after its restart.
  if (auto ok = write_file_atomically("address", address, 0644, Durability::kNone); !ok)
    return failed(ok.error());
  if (served) return address;

  if (auto ok = schedule_cores(); !ok) return failed(ok.error());
  // Keep our descriptor of the socket open, so that no other start takes the socket of a dying
  // server for stale and puts its own in its place before it is removed here.
  const auto server = start_server(invocation, *listener, action);
  if (!server) return failed(server.error());
  raise_oom_score(server->pid);
  auto stillborn = [&](std::string_view what, Error why) {
    ::kill(server->pid, SIGKILL);
    return failed(with_context(what, std::move(why)));
  };
  if (auto ok = join_cgroup(server->pid, options->runtime.shim_cgroup); !ok) {
    return stillborn("join the shim's cgroup", ok.error());
  }
  if (auto ok = await_readiness(*server); !ok) return stillborn("wait for the server", ok.error());
  return address;
}

}  // namespace

int run_start(const Invocation& invocation, char* action) {
  const auto address = start(invocation, action);
  if (!address) {
    std::fprintf(stderr, "start the shim: %s\n", address.error().message.c_str());
    return 1;
  }
  std::fputs(address->c_str(), stdout);
  return std::fflush(stdout) == 0 ? 0 : 1;
}

}  // namespace ward::shim::command
