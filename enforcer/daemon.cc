// SPDX-License-Identifier: Apache-2.0
#include "enforcer/daemon.h"

#include <asio/steady_timer.hpp>
#include <optional>

#include "enforcer/api/server.h"
#include "enforcer/api/translate.h"
#include "enforcer/config.h"
#include "enforcer/node_link/container_commands.h"
#include "enforcer/node_link/node_service.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/linux/unix_socket.h"

namespace ward::enforcer {
namespace {

// A quarantine is journalled once, also when wardd restarts and hears of it again: its id is made of what it is.
JournalEntry quarantined_event(const ContainerEntry& entry) {
  const node::v1::ContainerStatus& status = entry.status;
  JournalEntry event{"quarantined", {}};
  event.body.set_event_id("quarantined-" + status.identity().containerd_namespace() + "/" +
                          status.identity().container_id() + "-" + std::to_string(status.since_wall_ns()));
  event.body.set_wall_ns(status.since_wall_ns());
  *event.body.mutable_identity() = status.identity();
  event.body.set_mode(status.mode());
  event.body.set_profile_name(status.profile_name());
  event.body.set_profile_digest(status.profile_digest());
  event.body.set_outcome("quarantined");
  event.body.set_reason(status.note());
  return event;
}

}  // namespace

struct Daemon::State {
  State(asio::io_context& loop, Places where)
      : core(loop),
        places(std::move(where)),
        started_wall_ns(wall_ns()),
        writer(loop, places.database()),
        journal(writer, places.database(), config.journal),
        shims(loop, [this](const KnownShim& shim) { shim_gone(shim); }),
        housekeeping(loop) {
    containers.observe(
        [this](const ContainerEntry* before, const ContainerEntry* after) { container_changed(before, after); });
  }

  Result<void> serve();
  Operations operations();
  void shim_gone(const KnownShim& shim);
  void container_changed(const ContainerEntry* before, const ContainerEntry* after);
  v1::NodeStatus status() const;
  void keep_house();

  asio::io_context& core;
  const Places places;
  const std::int64_t started_wall_ns;
  Config config;
  Writer writer;
  Journal journal;
  ContainerTable containers;
  ShimLinks shims;
  asio::steady_timer housekeeping;
  std::optional<NodeService> node_service;
  std::optional<ApiServer> api;
  std::function<void()> stopped;
};

Result<void> Daemon::State::serve() {
  auto node_socket = listen_unix(places.node_socket(), StaleSocket::kReplace);
  if (!node_socket) return tl::unexpected<Error>(node_socket.error());
  auto api_socket = listen_unix(places.api_socket(), StaleSocket::kReplace);
  if (!api_socket) return tl::unexpected<Error>(api_socket.error());
  RecordingCalls calls;
  calls.begin = [](const auto&) -> Result<void> { return fail(Code::kUnimplemented, "recordings"); };
  calls.end = [](const auto&) -> Result<void> { return fail(Code::kUnimplemented, "recordings"); };
  node_service.emplace(core, std::move(*node_socket), containers, shims, journal, writer, std::move(calls));
  node_service->start();
  node_service->ask_known_shims(places.database());
  api.emplace(core, std::move(*api_socket), operations(), journal);
  if (auto started = api->start(); !started) return started;
  keep_house();
  return {};
}

void Daemon::State::keep_house() {
  journal.expire();
  housekeeping.expires_after(std::chrono::minutes(10));
  housekeeping.async_wait([this](const asio::error_code& error) {
    if (!error) keep_house();
  });
}

void Daemon::State::shim_gone(const KnownShim& shim) {
  log::debug("shim ended", {{"pid", std::to_string(shim.pid)}, {"address", shim.address}});
  containers.remove_shim(shim.address);
}

void Daemon::State::container_changed(const ContainerEntry* before, const ContainerEntry* after) {
  const auto state = [](const ContainerEntry* entry) {
    return entry != nullptr ? entry->status.state() : node::v1::CONTAINER_STATE_GONE;
  };
  if (state(after) == node::v1::CONTAINER_STATE_QUARANTINED && state(before) != node::v1::CONTAINER_STATE_QUARANTINED) {
    journal.note(quarantined_event(*after));
  }
}

v1::NodeStatus Daemon::State::status() const {
  v1::NodeStatus out;
  out.set_version(WARD_VERSION);
  out.set_started_wall_ns(started_wall_ns);
  out.set_shims(static_cast<std::uint32_t>(shims.size()));
  out.set_containers(static_cast<std::uint32_t>(containers.size()));
  out.set_quarantined(static_cast<std::uint32_t>(containers.count(node::v1::CONTAINER_STATE_QUARANTINED)));
  out.set_events(journal.counts().events);
  out.set_dropped(journal.counts().dropped);
  if (const auto problem = writer.problem()) out.add_problems(*problem);
  return out;
}

Operations Daemon::State::operations() {
  Operations out;
  out.status = [this](const auto&) -> Result<v1::NodeStatus> { return status(); };
  out.containers = [this](const auto&) -> Result<v1::ListContainersResponse> {
    v1::ListContainersResponse response;
    for (const ContainerEntry& entry : containers.list()) *response.add_containers() = to_api(entry);
    return response;
  };
  out.quarantine = [this](const auto&) -> Result<v1::ListContainersResponse> {
    v1::ListContainersResponse response;
    for (const ContainerEntry& entry : containers.list()) {
      if (entry.status.state() == node::v1::CONTAINER_STATE_QUARANTINED) *response.add_containers() = to_api(entry);
    }
    return response;
  };
  const auto command = [this](ContainerCommandKind kind) {
    return [this, kind](const v1::ContainerRequest& request, std::function<void(Result<v1::ContainerResponse>)> done) {
      command_container({kind, request.containerd_namespace(), request.container(), request.reason()}, containers,
                        shims, journal, [done = std::move(done)](const Result<ContainerEntry>& entry) {
                          if (!entry) return done(tl::unexpected<Error>(entry.error()));
                          v1::ContainerResponse response;
                          *response.mutable_container() = to_api(*entry);
                          done(std::move(response));
                        });
    };
  };
  out.release = command(ContainerCommandKind::kRelease);
  out.kill = command(ContainerCommandKind::kKill);
  return out;
}

Daemon::Daemon(std::unique_ptr<State> state) : state_(std::move(state)) {}
Daemon::~Daemon() = default;

Result<std::unique_ptr<Daemon>> Daemon::start(asio::io_context& core, const Places& places) {
  auto daemon = std::unique_ptr<Daemon>(new Daemon(std::make_unique<State>(core, places)));
  if (auto served = daemon->state_->serve(); !served) return tl::unexpected<Error>(served.error());
  return daemon;
}

void Daemon::reload() {}

void Daemon::stop(std::function<void()> done) {
  state_->stopped = std::move(done);
  state_->housekeeping.cancel();
  state_->shims.close();
  state_->node_service->stop(
      [state = state_.get()] { state->api->stop([state] { state->writer.drain(state->stopped); }); });
}

}  // namespace ward::enforcer
