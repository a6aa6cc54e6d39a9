// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <asio/post.hpp>
#include <csignal>
#include <utility>

#include "lib/base/fault.h"
#include "lib/linux/process_info.h"
#include "shim/guard/guard_state.h"
#include "shim/guard/session_program.h"
#include "shim/guard/watched_container.h"
#include "shim/links/violation_outbox.h"

namespace ward::shim::guard {
namespace {

constexpr std::chrono::seconds kListenerDeadline{2};
// Of one container (T8). An exec session that left processes behind keeps its own.
constexpr std::size_t kMostListeners = 256;

}  // namespace

Result<void> Guard::State::expect_listeners(GuardedContainer& container) {
  container.supervisor = make_supervisor(container.id, charge_of(container));
  if (socket) return {};
  if (auto made = supervisor::make_private_directory(private_directory); !made) return made;
  auto opened = supervisor::ListenerSocket::open(
      loop, container.admitted.listener_path,
      [this](supervisor::ListenerOffer offer) { return take(std::move(offer)); },
      [this](pid_t sender, const Error& why) { listener_refused(sender, why); });
  if (!opened) return tl::unexpected(opened.error());
  socket = std::move(*opened);
  return {};
}

supervisor::Charge Guard::State::charge_of(const GuardedContainer& container) const {
  supervisor::Charge charge = make_charge(container.admitted, config.places);
  charge.bundle = container.bundle;
  return charge;
}

std::unique_ptr<supervisor::Supervisor> Guard::State::make_supervisor(const std::string& id,
                                                                      supervisor::Charge charge) {
  supervisor::SupervisorCallbacks hooks;
  hooks.count = [this, who = charge.identity, profile = charge.profile_name] {
    node_link().violations().count(who, profile);
  };
  hooks.report = [this, id](node::v1::Violation violation) {
    node_link().violations().add(std::move(violation));
    if (auto* const container = find(id)) tell(*container);
  };
  hooks.frozen_changed = [this, id](bool frozen) { callbacks.frozen_changed(id, frozen); };
  hooks.changed = [this, id] {
    if (auto* const container = find(id)) tell(*container);
  };
  hooks.kill_all = [this, id] { callbacks.kill_all(id); };
  return std::make_unique<supervisor::Supervisor>(loop, std::move(charge), std::move(hooks));
}

Result<void> Guard::State::take(supervisor::ListenerOffer offer) {
  auto* const container = find(offer.state.container_id);
  if (container == nullptr || !container->admitted.supervised) {
    return fail(Code::kNotFound, "no start of such a container is in progress here");
  }
  if (offer.state.metadata != container->admitted.nonce)
    return fail(Code::kPermissionDenied, "the nonce is wrong");
  for (auto& [exec_id, start] : container->starts) {
    if (start.listener_arrived || !is_or_descends_from(offer.sender, start.runtime_pid)) continue;
    if (container->supervisor->sessions() >= kMostListeners) {
      return fail(Code::kResourceExhausted,
                  "256 exec sessions of this container have left processes behind");
    }
    if (auto ok = fault::point("listener.arrived"); !ok) return ok;
    start.listener_arrived = true;
    announce_for_watching(*container, config.places, exec_id, offer.state.pid);
    container->supervisor->adopt(exec_id, offer.state.pid, std::move(offer.listener));
    if (start.confirmed) finish(*container, exec_id, {});
    return {};
  }
  return fail(Code::kPermissionDenied, "the sender is not the runtime of a start in progress");
}

void Guard::State::listener_refused(pid_t sender, const Error& why) {
  for (auto& [id, container] : containers) {
    for (auto& [exec_id, start] : container->starts) {
      const bool is_its = sender == start.runtime_pid || descends_from(sender, start.runtime_pid);
      if (start.listener_arrived || !is_its) continue;
      if (!start.confirmed) end_waiting(start.runtime_pid);
      return give_up(*container, exec_id,
                     with_context("the runtime's seccomp listener was refused", why));
    }
  }
}

void Guard::State::end_waiting(pid_t runtime) {
  // Our child only: a number that was given away again is somebody else's.
  const auto stat = read_stat(runtime);
  if (!stat || stat->parent != ::getpid()) return;
  const auto made = read_descendants(runtime);
  ::kill(runtime, SIGKILL);
  for (const pid_t pid : made) ::kill(pid, SIGKILL);
}

void Guard::State::give_up(GuardedContainer& container, const std::string& exec_id, Error why) {
  const auto found = container.starts.find(exec_id);
  if (found == container.starts.end()) return;
  if (!found->second.refused) found->second.refused = std::move(why);
  if (found->second.confirmed)
    finish(container, exec_id, tl::unexpected<Error>(*found->second.refused));
}

void Guard::State::finish(GuardedContainer& container, std::string exec_id,
                          const Result<void>& result) {
  const auto found = container.starts.find(exec_id);
  if (found == container.starts.end()) return;
  const auto confirmed = std::move(found->second.confirmed);
  container.starts.erase(found);
  if (confirmed) confirmed(result);
}

void Guard::State::confirm(GuardedContainer& container, const std::string& exec_id,
                           std::function<void(Result<void>)> done) {
  Start& start = container.starts[exec_id];
  start.confirmed = std::move(done);
  if (!container.admitted.supervised || start.listener_arrived)
    return finish(container, exec_id, {});
  if (start.refused) return finish(container, exec_id, tl::unexpected<Error>(*start.refused));
  start.deadline = std::make_unique<asio::steady_timer>(loop, kListenerDeadline);
  start.deadline->async_wait([this, weak = std::weak_ptr<bool>(alive), id = container.id,
                              exec_id](const asio::error_code& error) {
    auto* const late = !error && !weak.expired() ? find(id) : nullptr;
    if (late == nullptr) return;
    finish(*late, exec_id,
           fail(Code::kDeadlineExceeded,
                "the runtime delivered no seccomp listener within 2 s: the container would run "
                "unsupervised"));
  });
}

void Guard::State::look_at_program(const std::string& id, const std::string& exec_id,
                                   std::string process_json) {
  asio::post(loop, [this, weak = std::weak_ptr<bool>(alive), id, exec_id,
                    document = std::move(process_json)]() mutable {
    auto* const container = weak.expired() ? nullptr : find(id);
    if (container == nullptr || container->state == node::v1::CONTAINER_STATE_STOPPED) return;
    look_at_session_program(loop, {std::move(document), container->pid, container->made_wall_ns},
                            container->looks, [this, weak, id, exec_id](const std::string& newer) {
                              auto* const told = weak.expired() ? nullptr : find(id);
                              if (told != nullptr)
                                told->supervisor->session_runs_newer(exec_id, newer);
                            });
  });
}

}  // namespace ward::shim::guard
