// SPDX-License-Identifier: Apache-2.0
#include "shim/guard/guard.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <utility>

#include "lib/base/log.h"
#include "lib/linux/reaper.h"
#include "shim/admission/index.h"
#include "shim/guard/guard_recording.h"
#include "shim/guard/guard_state.h"
#include "shim/guard/node_service.h"
#include "shim/guard/session_program.h"
#include "shim/links/node_link.h"
#include "shim/supervisor/record.h"

namespace ward::shim::guard {
namespace {

std::string by_signal(const Exit& exit) {
  if (!WIFSIGNALED(exit.wait_status)) return "";
  return ", by signal " + std::to_string(WTERMSIG(exit.wait_status));
}

}  // namespace

Guard::State::State(asio::io_context& l, GuardConfig c, GuardCallbacks cb)
    : loop(l),
      config(std::move(c)),
      callbacks(std::move(cb)),
      private_directory(supervisor::private_directory_name(config.places.run)) {}

GuardedContainer* Guard::State::find(const std::string& id) const {
  const auto found = containers.find(id);
  return found == containers.end() ? nullptr : found->second.get();
}

links::NodeLink& Guard::State::node_link() {
  if (!link) {
    link = std::make_unique<links::NodeLink>(
        loop, links::NodeLinkConfig{.places = config.places,
                                    .shim_address = config.shim_address,
                                    .unique_name = config.containerd_namespace + "-" +
                                                   std::to_string(::getpid()) + "-" +
                                                   supervisor::event_id_prefix(),
                                    .containers = [this] { return statuses(); }});
    link->start();
  }
  return *link;
}

std::vector<node::v1::ContainerStatus> Guard::State::statuses() const {
  std::vector<node::v1::ContainerStatus> all;
  for (const auto& [id, container] : containers) all.push_back(container->status());
  return all;
}

void Guard::State::tell(GuardedContainer& container) {
  container.note_quarantine();
  node_link().update(container.status());
}

Guard::Guard(asio::io_context& loop, GuardConfig config, GuardCallbacks callbacks)
    : state_(std::make_unique<State>(loop, std::move(config), std::move(callbacks))) {}

Guard::~Guard() { stop(); }

void Guard::serve_on(ttrpc::Server& server) {
  State& state = *state_;
  (void)state.node_link();
  serve_node_service(
      server,
      {.containerd_namespace = state.config.containerd_namespace,
       .list =
           [&state] {
             state.node_link()
                 .look_now();  // a wardd that has just started asks the shims that it knows
             node::v1::RegisterRequest all;
             all.set_shim_pid(::getpid());
             all.set_shim_address(state.config.shim_address);
             all.set_shim_version(WARD_VERSION);
             for (auto& status : state.statuses()) *all.add_containers() = std::move(status);
             return all;
           },
       .quarantine = [&state](const std::string& id,
                              const std::string& why) { return state.quarantine(id, why); },
       .release = [&state](const std::string& id) { return state.release(id); },
       .kill = [&state](const std::string& id, auto done) { state.kill(id, std::move(done)); },
       .set_mode = [&state](const std::string& id,
                            node::v1::Mode mode) { return state.set_mode(id, mode); },
       .calm = [&state](const node::v1::CalmCommand& command) { return state.calm(command); },
       .widen = [&state](const node::v1::WidenRequest& request) { return state.widen(request); },
       .record = [&state](const node::v1::RecordCommand& command) { return state.record(command); },
       .tell = [&state](const node::v1::Seen& seen) { return state.told(seen); }});
}

std::shared_ptr<admission::NodeIndex> Guard::open_index() const {
  return std::make_shared<admission::NodeIndex>(admission::open_index(state_->config.places));
}

Result<void> Guard::admit(const std::string& id, const std::filesystem::path& bundle,
                          admission::NodeIndex& index, oci::Config& config,
                          const std::filesystem::path& runtime, const std::string& layers) {
  State& state = *state_;
  auto admitted = admission::admit(state.config.places,
                                   {.containerd_namespace = state.config.containerd_namespace,
                                    .container_id = id,
                                    .bundle = bundle,
                                    .private_directory = state.private_directory,
                                    .runtime = runtime,
                                    .layers = layers,
                                    .seen = state.seen},
                                   index, config);
  if (!admitted) return tl::unexpected(admitted.error());
  if (admitted->governed_node) state.seen = admitted->settings;
  auto container = std::make_unique<GuardedContainer>(id, bundle, std::move(*admitted));
  for (const auto& note : container->admitted.notes)
    log::warn("admission", {{"id", id}, {"note", note}});
  if (container->admitted.supervised) {
    if (auto expected = state.expect_listeners(*container); !expected) return expected;
  }
  const auto& kept = state.containers[id] = std::move(container);
  state.tell(*kept);
  return {};
}

std::string Guard::runtime_binary(const admission::NodeIndex& index,
                                  const std::string& asked) const {
  // The node's choice goes before the client's: a pod must not bring its own runtime (T7).
  const std::string chosen =
      admission::read_node_runtime(state_->config.places, index, state_->seen);
  state_->runtime = chosen.empty() ? asked : chosen;
  return state_->runtime;
}

Result<void> Guard::admit_session(const std::string& id, const std::string& exec_id) {
  const auto* const container = state_->find(id);
  if (container == nullptr || container->mode() != node::v1::MODE_ENFORCE) return {};
  const std::string& by = container->admitted.sessions_refused_by;
  if (by.empty()) return {};
  container->supervisor->session_refused(exec_id, by);
  return fail(Code::kFailedPrecondition,
              "container '" + id + "' takes no exec session: " + by + " says `exec: refuse`");
}

Result<std::string> Guard::admit_exec(const std::string& id, const std::string& exec_id,
                                      std::string process_json) {
  const auto* const container = state_->find(id);
  if (container == nullptr) return process_json;
  // Asked again: its mode may be another by now.
  if (auto ok = admit_session(id, exec_id); !ok) return tl::unexpected<Error>(ok.error());
  if (!container->admitted.sessions_refused_by.empty())
    container->supervisor->session_refused(exec_id, container->admitted.sessions_refused_by);
  if (container->admitted.supervised) {
    container->supervisor->session_begins(exec_id);
    state_->look_at_program(id, exec_id, process_json);
  }
  return admission::admit_exec(container->admitted, container->mode(), std::move(process_json));
}

void Guard::before_runtime(const std::string& id, const std::string& exec_id, pid_t runc_pid,
                           std::function<void()> go) {
  auto* const container = state_->find(id);
  if (container == nullptr) return go();
  // Anew: a session whose runtime failed may have left one, with a listener that had arrived.
  auto& start = container->starts[exec_id] = Start{};
  start.runtime_pid = runc_pid;
  if (!is_recorded(id)) return go();
  begin_recording(state_->loop, state_->node_link(), *container,
                  state_->config.places.node_socket(), exec_id, runc_pid, state_->runtime,
                  [&state = *state_, weak = std::weak_ptr<bool>(state_->alive), id, exec_id,
                   go = std::move(go)] {
                    if (!weak.expired()) {
                      if (auto* const told = state.find(id)) {
                        if (!told->record_id.empty() && exec_id.empty())
                          state.keep_to_time(*told, told->admitted.record_until_wall_ns);
                        state.tell(*told);
                      }
                    }
                    go();
                  });
}

void Guard::confirm(const std::string& id, const std::string& exec_id, pid_t pid,
                    std::function<void(Result<void>)> done) {
  auto* const container = state_->find(id);
  if (container == nullptr) return done({});
  (exec_id.empty() ? container->pid : container->sessions[exec_id]) = pid;
  if (exec_id.empty()) container->made_wall_ns = wall_ns_of_files();
  state_->confirm(*container, exec_id, std::move(done));
}

Error Guard::why_failed(const std::string& id, const std::string& exec_id, Error said) const {
  const auto* const container = state_->find(id);
  if (container == nullptr) return said;
  const auto start = container->starts.find(exec_id);
  if (start != container->starts.end() && start->second.refused) {
    return with_context(start->second.refused->message, std::move(said));
  }
  const std::string closed =
      admission::why_the_runtime_may_fail(container->admitted, container->bundle);
  return closed.empty() ? said : with_context(closed, std::move(said));
}

void Guard::started(const std::string& id, const std::string& exec_id) {
  auto* const container = state_->find(id);
  if (container == nullptr || !exec_id.empty()) return;
  if (container->state == node::v1::CONTAINER_STATE_CREATED)
    container->set_state(node::v1::CONTAINER_STATE_RUNNING);
  state_->tell(*container);
}

void Guard::exited(const std::string& id, const std::string& exec_id, const Exit& exit) {
  auto* const container = state_->find(id);
  if (container == nullptr) return;
  // Tell a caller that still waits for its listener: none will come, and a create or exec would
  // wait for ever.
  if (container->starts.contains(exec_id)) {
    Error ended = fail(Code::kFailedPrecondition,
                       "the process ended before its seccomp listener was taken over")
                      .value();
    const std::string closed =
        admission::why_the_runtime_may_fail(container->admitted, container->bundle);
    State::give_up(*container, exec_id,
                   closed.empty() ? ended : with_context(closed, std::move(ended)));
  }
  if (container->supervisor && WIFSIGNALED(exit.wait_status) &&
      WTERMSIG(exit.wait_status) == SIGSYS) {
    container->supervisor->foreign_abi(
        exec_id,
        {.pid = exit.pid,
         .start_ticks = exit.start_ticks,
         .origin = exec_id.empty() ? supervisor::Origin::kWorkload : supervisor::Origin::kExec});
  }
  if (!exec_id.empty()) {
    container->sessions.erase(exec_id);
    return;
  }
  // Whoever ends it through us has ended its quarantine before.
  if (container->supervisor)
    container->supervisor->ends_in_quarantine("it ended in quarantine" + by_signal(exit) +
                                              ", which neither containerd nor a person asked for");
  container->set_state(node::v1::CONTAINER_STATE_STOPPED);
  if (container->recording) end_recording(state_->node_link(), *container, exit.wait_status);
  state_->tell(*container);
}

std::function<void()> Guard::stranger(pid_t pid, std::uint64_t start_ticks) {
  State& state = *state_;
  for (const auto& [id, container] : state.containers) {
    if (!container->supervisor || !container->admitted.supervised ||
        !container->supervisor->holds(pid))
      continue;
    return [&state, weak = std::weak_ptr<bool>(state.alive), id = id, pid, start_ticks] {
      auto* const told = weak.expired() ? nullptr : state.find(id);
      if (told != nullptr && told->supervisor)
        told->supervisor->process_died({.pid = pid, .start_ticks = start_ticks});
    };
  }
  return {};
}

void Guard::forget(const std::string& id) {
  const auto found = state_->containers.find(id);
  if (found == state_->containers.end()) return;
  const auto container = std::move(found->second);
  state_->containers.erase(found);
  if (container->supervisor) container->supervisor->flush();
  auto status = container->status();
  status.set_state(node::v1::CONTAINER_STATE_GONE);
  state_->node_link().update(std::move(status));
}

bool Guard::is_supervised(const std::string& id) const {
  const auto* const container = state_->find(id);
  return container != nullptr && container->admitted.supervised;
}

bool Guard::is_recorded(const std::string& id) const {
  const auto* const container = state_->find(id);
  return container != nullptr &&
         (container->admitted.mode == node::v1::MODE_LEARN || container->recording);
}

bool Guard::is_quarantined(const std::string& id) const {
  const auto* const container = state_->find(id);
  return container != nullptr && container->supervisor && container->supervisor->is_quarantined();
}

Error Guard::quarantined_error(const std::string& id) const {
  const auto* const container = state_->find(id);
  const bool known = container != nullptr && container->supervisor;
  const std::string note = known ? container->supervisor->last_measure().note : "";
  return {Code::kFailedPrecondition, "container " + id + " is " +
                                         (note.empty() ? "quarantined" : note) +
                                         "; to let it run again: ward quarantine release " + id};
}

void Guard::paused(const std::string& id, bool paused) {
  auto* const container = state_->find(id);
  if (container == nullptr) return;
  container->set_state(paused ? node::v1::CONTAINER_STATE_PAUSED
                              : node::v1::CONTAINER_STATE_RUNNING);
  state_->tell(*container);
}

Result<void> Guard::kill_container(const std::string& id, int signal) {
  const auto* const container = state_->find(id);
  if (container != nullptr && container->supervisor) {
    container->supervisor->ends_in_quarantine("killed through containerd, by signal " +
                                              std::to_string(signal));
    return container->supervisor->kill();
  }
  state_->callbacks.kill_all(id);
  return {};
}

void Guard::stop() {
  if (!state_) return;
  // Out of the map first: what a supervisor reports while it ends must not meet it half empty.
  std::exchange(state_->containers, {}).clear();
  if (state_->link) state_->link->stop();
  if (!state_->socket) return;
  state_->socket.reset();
  std::error_code ignored;
  std::filesystem::remove_all(state_->private_directory, ignored);
}

}  // namespace ward::shim::guard
