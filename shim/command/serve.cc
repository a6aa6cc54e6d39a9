// SPDX-License-Identifier: Apache-2.0
// The served process: puts the parts together, runs the loop, ends when containerd has asked for it
// or a signal came.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <asio/io_context.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "lib/base/fault.h"
#include "lib/base/log.h"
#include "lib/linux/reaper.h"
#include "lib/linux/unix_socket.h"
#include "lib/ttrpc/server.h"
#include "shim/command/desertion_watch.h"
#include "shim/command/invocation.h"
#include "shim/command/shim_address.h"
#include "shim/guard/guard.h"
#include "shim/links/event_publisher.h"
#include "shim/task/sandbox.h"
#include "shim/task/task_events.h"
#include "shim/task/task_service.h"

namespace ward::shim::command {
namespace {

// containerd made this FIFO in the bundle and reads it. Opened for both directions, so that a
// reader that went away is no error; non-blocking, so that a full one costs a log line and not the
// pod.
void open_log(bool debug) {
  const int fd = ::open("log", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd >= 0) {
    ::dup3(fd, STDERR_FILENO, O_CLOEXEC);
    ::close(fd);
  }
  if (debug) log::set_level(log::Level::kDebug);
}

// Tells `start`, which waits for it. Where it has gone, and has told nobody, the next one of the
// pod may be connecting already: whether anybody comes is the desertion watch's to see. SIGPIPE
// must be ignored by now.
void say_ready(UniqueFd readiness) {
  if (readiness && ::write(readiness.get(), "", 1) != 1)
    log::warn("who started this server has gone");
}

std::string own_address(const UniqueFd& listener) {
  sockaddr_un address = {};
  socklen_t size = sizeof(address);
  if (::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
  return {address.sun_path, ::strnlen(address.sun_path, sizeof(address.sun_path))};
}

// A test does not wait for a minute.
std::chrono::milliseconds desertion_patience() {
  if constexpr (fault::kEnabled) {
    if (const char* wanted = ::getenv("WARD_DESERTED_AFTER_MS"))
      return std::chrono::milliseconds(std::atoi(wanted));
  }
  return DesertionWatch::kPatience;
}

class Shim {
 public:
  Shim(const Invocation& invocation, UniqueFd listener)
      : address_(own_address(listener)),
        loop_(1),
        reaper_(loop_),
        cgroup_lock_(reaper_),
        publisher_(loop_, environment("TTRPC_ADDRESS"), invocation.containerd_namespace),
        events_([this](task::TaskEvent e) {
          publisher_.publish(std::move(e.topic), std::move(e.type_url), std::move(e.payload));
        }),
        guard_(
            loop_, {places_from_environment(), invocation.containerd_namespace, address_},
            {[this](const std::string& id) { with(id, [](task::Container& c) { c.kill_all(); }); },
             [this](const std::string& id, bool frozen) {
               with(id, [frozen](task::Container& c) { c.set_frozen(frozen); });
             }}),
        sandbox_({loop_, reaper_, guard_, events_, cgroup_lock_, invocation.containerd_namespace,
                  places_from_environment().run}),
        tasks_(sandbox_, [this] { shut_down(); }),
        server_(loop_, std::move(listener)),
        desertion_(loop_, desertion_patience(),
                   {[this] { return sandbox_.was_used(); },
                    // The client of a Create that is not over yet may have gone.
                    [this] { return sandbox_.empty() ? server_.alone_since() : std::nullopt; }},
                   [this] {
                     log::warn("nobody came with a container, nobody is connected: leaving");
                     shut_down();
                   }) {}

  Result<void> run(UniqueFd readiness) {
    auto started = reaper_.start([this](int) { shut_down(); }, [this] { describe(); });
    if (!started) return started;
    reaper_.on_stranger(
        [this](pid_t pid, std::uint64_t start_ticks) { return guard_.stranger(pid, start_ticks); });
    tasks_.serve_on(server_);
    guard_.serve_on(server_);
    server_.start();
    desertion_.start();
    say_ready(std::move(readiness));
    loop_.run();
    return {};
  }

 private:
  static std::string environment(const char* name) {
    const char* value = ::getenv(name);
    return value != nullptr ? value : "";
  }

  void with(const std::string& id, const std::function<void(task::Container&)>& action) {
    if (const auto container = sandbox_.find(id)) action(**container);
  }

  // SIGUSR1: where Go's shims write their stacks. There is one here, and it tells nothing.
  void describe() const {
    log::info("asked by SIGUSR1", {{"containers", std::to_string(sandbox_.size())},
                                   {"processes_waited_for", std::to_string(reaper_.watched())},
                                   {"events_queued", std::to_string(publisher_.waiting())},
                                   {"events_dropped", std::to_string(publisher_.dropped())}});
  }

  // The socket goes first: a `start` for the same pod must not be sent to a server that is leaving.
  void shut_down() {
    if (std::exchange(leaving_, true)) return;
    sandbox_.close();
    desertion_.stop();
    if (!address_.empty()) ::unlink(address_.c_str());
    publisher_.drain([this] {
      server_.stop([this] {
        guard_.stop();
        reaper_.stop();
        loop_.stop();
      });
    });
  }

  std::string address_;
  asio::io_context loop_;
  Reaper reaper_;
  runtime::WarmCgroupLock cgroup_lock_;
  links::EventPublisher publisher_;
  task::TaskEvents events_;
  guard::Guard guard_;
  task::Sandbox sandbox_;
  task::TaskService tasks_;
  ttrpc::Server server_;
  DesertionWatch desertion_;
  bool leaving_ = false;
};

}  // namespace

int serve(const Invocation& invocation, ServerEnds ends) {
  open_log(invocation.debug);
  // The bundle of a pod's first container may be deleted while we serve the others.
  if (::chdir("/") != 0) {
    log::error(fail_errno("enter /").value().message);
    return 1;
  }
  fault::pass("serve.before-listen");
  // Never destroyed: handlers that still wait would only be torn down in a careful order for
  // nothing.
  auto* shim = new Shim(invocation, std::move(ends.listener));
  if (auto ok = shim->run(std::move(ends.readiness)); !ok) {
    log::error(ok.error().message);
    return 1;
  }
  ::_exit(0);
}

int run_serve(const Invocation& invocation) {
  if (invocation.socket.empty()) {
    std::fputs(
        "containerd-shim-ward-v1: no action given (start, delete), and no -socket to serve on\n",
        stderr);
    return 1;
  }
  auto listener = listen_unix(invocation.socket, StaleSocket::kReplace);
  if (!listener) {
    std::fprintf(stderr, "containerd-shim-ward-v1: %s\n", listener.error().message.c_str());
    return 1;
  }
  return serve(invocation, {std::move(*listener), {}});
}

}  // namespace ward::shim::command
