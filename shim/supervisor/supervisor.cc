// SPDX-License-Identifier: Apache-2.0
#include "shim/supervisor/supervisor.h"

#include <algorithm>
#include <asio/post.hpp>

#include "shim/supervisor/supervisor_state.h"

namespace ward::shim::supervisor {

Supervisor::Supervisor(asio::io_context& loop, Charge charge, Callbacks callbacks)
    : state_(std::make_shared<State>(loop, std::move(charge), std::move(callbacks))) {}

Supervisor::~Supervisor() {
  flush();
  state_->counts_timer.cancel();
  state_->summary_timer.cancel();
  state_->ttl_timer.cancel();
}

Result<void> Supervisor::find_cgroups(pid_t pid) {
  if (state_->containment) return {};
  auto opened = Containment::open(state_->loop, pid);
  if (!opened) return tl::unexpected(opened.error());
  state_->containment = std::move(*opened);
  return {};
}

void Supervisor::adopt(const std::string& exec_id, pid_t pid, SeccompListener listener) {
  State& state = *state_;
  if (auto found = find_cgroups(pid); !found) {
    log::error("no cgroup to contain the container in",
               {{"id", state.id()}, {"error", found.error().message}});
  }
  const std::weak_ptr<State> weak = state_;
  const Origin origin = exec_id.empty() ? Origin::kWorkload : Origin::kExec;
  const std::uint64_t number =
      origin == Origin::kWorkload ? State::kWorkloadSession : ++state.last_session;
  Session::Callbacks callbacks{
      .circumstances = [&state] { return state.circumstances(); },
      .law = [&state]() -> Law {
        return {state.charge.calls,   state.charge.own,         state.charge.danger,
                state.charge.actions, state.charge.knows_up_to, &state.charge.refused};
      },
      .violated = [&state](const Violated& violated) { return state.violated(violated); },
      .continued = [&state] { ++state.continued; },
      .phase_changed = [&state] { state.callbacks.changed(); },
      // Not erased from inside of the session's own callback.
      .ended =
          [weak, number, &loop = state.loop] {
            asio::post(loop, [weak, number] {
              if (const auto self = weak.lock()) self->sessions.erase(number);
            });
          }};
  state.sessions[number] = std::make_unique<Session>(
      state.loop, origin, exec_id, std::move(listener), pid, state.charge.boundary_quiet,
      state.charge.boundary_latest, std::move(callbacks));
}

std::size_t Supervisor::sessions() const { return state_->sessions.size(); }

Result<void> Supervisor::quarantine(const std::string& reason) {
  State& state = *state_;
  if (!state.containment)
    return fail(Code::kFailedPrecondition, "the container has no cgroup of its own to freeze");
  if (auto begun = state.containment->begin_quarantine(); !begun) return begun;
  state.quarantined_wall_ns = wall_ns();
  state.note = "quarantined by request" + (reason.empty() ? std::string() : ": " + reason);
  state.await_frozen(std::nullopt, monotonic_ns());
  return {};
}

Result<void> Supervisor::release() {
  State& state = *state_;
  if (!state.containment)
    return fail(Code::kFailedPrecondition, "the container is not quarantined");
  if (auto released = state.containment->release(); !released) return released;
  state.ttl_timer.cancel();
  state.forgive_until_ns = monotonic_ns() + kForgiveFor_ns;
  state.note.clear();
  state.callbacks.frozen_changed(false);
  state.callbacks.changed();
  return {};
}

Result<void> Supervisor::kill(std::function<void(Result<void>)> done) {
  return state_->start_kill([done = std::move(done)](Result<std::int64_t> dead) {
    if (!done) return;
    dead ? done({}) : done(tl::unexpected(dead.error()));
  });
}

void Supervisor::set_mode(Mode mode) {
  state_->charge.mode = mode;
  state_->callbacks.changed();
}

void Supervisor::set_law(filter::CallTable calls, filter::CallTable danger,
                         std::string profile_digest) {
  state_->charge.calls = std::move(calls);
  state_->charge.danger = std::move(danger);
  state_->charge.profile_digest = std::move(profile_digest);
  state_->callbacks.changed();
}

bool Supervisor::is_quarantined() const {
  if (!state_->containment) return false;
  const auto state = state_->containment->state();
  return state == ContainmentState::kFreezing || state == ContainmentState::kQuarantined;
}

std::int64_t Supervisor::quarantined_wall_ns() const { return state_->quarantined_wall_ns; }

Phase Supervisor::phase() const {
  const auto session = state_->sessions.find(State::kWorkloadSession);
  return session == state_->sessions.end() ? Phase::kRuntime : session->second->phase();
}

Mode Supervisor::mode() const { return state_->charge.mode; }
std::uint64_t Supervisor::violations() const { return state_->violations; }
std::uint64_t Supervisor::continued() const { return state_->continued; }
std::string Supervisor::note() const { return state_->note; }

void Supervisor::flush() {
  if (state_->pending && state_->pending->outcome().empty())
    state_->pending->set_outcome("the container ended first");
  state_->report_contained();
  state_->report_summaries(true);
}

}  // namespace ward::shim::supervisor
