// SPDX-License-Identifier: Apache-2.0
// wardd, one per node: see --help.
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <utility>

#include "enforcer/command_line.h"
#include "enforcer/node.h"
#include "enforcer/systemd/journald.h"
#include "enforcer/systemd/service_manager.h"
#include "lib/base/log.h"
#include "lib/base/standard_streams.h"
#include "lib/linux/descriptors.h"
#include "lib/man/man_page.h"

namespace {

using ward::enforcer::kExitFailure;
using ward::enforcer::kExitSecondInstance;
using ward::enforcer::kExitUsage;

constexpr std::size_t kWantedDescriptors = 65'536;  // every shim is a connection and a pidfd

void tell_ready(int ready_fd) {
  constexpr std::string_view kReady = "ready\n";
  if (ready_fd < 0) return;
  (void)!::write(ready_fd, kReady.data(), kReady.size());
  ::close(ready_fd);
}

// What `systemctl status wardd` shows.
std::string status_line(const ward::enforcer::Node& node) {
  const auto count = [](std::size_t number, const char* what) {
    return std::to_string(number) + " " + what + (number == 1 ? "" : "s");
  };
  const auto now = node.metrics_snapshot();
  return count(node.containers.list().size(), "container") + ", " +
         std::to_string(now.quarantined) + " in quarantine, " + count(now.problems, "problem") +
         (now.problems == 0 ? "" : ": see `ward status`");
}

int serve(const ward::Places& places, int ready_fd) {
  auto claim = ward::enforcer::NodeClaim::take(places);
  if (!claim) {
    ward::log::error("cannot start", {{"error", claim.error().message}});
    return claim.error().code == ward::Code::kAlreadyExists ? kExitSecondInstance : kExitFailure;
  }
  asio::io_context core(1);
  // Before there are sockets: whoever finds them may want it to stop, or to read its files again,
  // in the next moment.
  asio::signal_set signals(core, SIGTERM, SIGINT, SIGHUP);
  int status = 0;
  bool stopping = false;
  std::function<void()> stop;
  ward::enforcer::Node node(core, places, std::move(*claim), [&](const ward::Error&) {
    status = kExitSecondInstance;
    asio::post(core, stop);
  });
  ward::enforcer::ServiceManager service_manager(core, [&] { return status_line(node); });
  stop = [&] {
    if (std::exchange(stopping, true)) return;
    service_manager.stopping();
    node.stop([&] { core.stop(); });
  };
  if (auto served = node.serve(); !served) {
    ward::log::error("cannot start", {{"error", served.error().message}});
    return kExitFailure;
  }
  std::function<void()> await_signal = [&] {
    signals.async_wait([&](const asio::error_code& error, int signal) {
      if (error) return;
      await_signal();
      if (signal == SIGHUP) return node.read_again();
      if (!stopping) ward::log::info("stopping", {{"signal", std::to_string(signal)}});
      stop();
    });
  };
  await_signal();
  ward::log::info(
      "ready",
      {{"version", WARD_VERSION}, {"run", places.run.string()}, {"state", places.state.string()}});
  tell_ready(ready_fd);
  service_manager.ready();
  core.run();
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  ward::open_standard_streams();
  ward::enforcer::CommandLine asked;
  const auto tree = ward::enforcer::make_app(asked);
  CLI::App& app = *tree;
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const bool helped = app.exit(error) == 0;
    if (!std::cout.flush()) return kExitFailure;
    return helped ? 0 : kExitUsage;
  }
  if (asked.man) {
    std::cout << ward::enforcer::man_page_of(app, ward::man::page_date());
    return std::cout.flush() ? 0 : kExitFailure;
  }
  ward::Places& places = asked.places;
  for (auto* path : {&places.config, &places.state, &places.run})
    *path = std::filesystem::absolute(*path);
  std::optional<ward::enforcer::JournaldLog> journald;
  if (ward::enforcer::is_journal_stream(std::getenv("JOURNAL_STREAM"), STDERR_FILENO))
    journald.emplace();
  if (asked.verbose) ward::log::set_level(ward::log::Level::kDebug);
  ::umask(077);
  std::signal(SIGPIPE, SIG_IGN);
  ward::raise_descriptor_limit(kWantedDescriptors);
  return serve(places, asked.ready_fd);
}
