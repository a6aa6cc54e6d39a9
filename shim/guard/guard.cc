// SPDX-License-Identifier: Apache-2.0
#include "shim/guard/guard.h"

#include <sys/wait.h>
#include <unistd.h>

#include <asio/post.hpp>
#include <csignal>
#include <map>
#include <optional>
#include <utility>

#include "lib/base/digest.h"
#include "lib/base/fault.h"
#include "lib/base/log.h"
#include "lib/linux/process_info.h"
#include "lib/linux/reaper.h"
#include "shim/admission/index.h"
#include "shim/guard/guard_recording.h"
#include "shim/guard/guarded_container.h"
#include "shim/guard/node_service.h"
#include "shim/guard/session_program.h"
#include "shim/guard/watched_container.h"
#include "shim/links/node_link.h"
#include "shim/links/violation_outbox.h"
#include "shim/supervisor/record.h"

namespace ward::shim::guard {
namespace {

constexpr std::chrono::seconds kListenerDeadline{2};
// Of one container (T8). An exec session that left processes behind keeps its own.
constexpr std::size_t kMostListeners = 256;

std::string by_signal(const Exit& exit) {
  if (!WIFSIGNALED(exit.wait_status)) return "";
  return ", by signal " + std::to_string(WTERMSIG(exit.wait_status));
}

}  // namespace

struct Guard::State {
  State(asio::io_context& l, GuardConfig c, GuardCallbacks cb)
      : loop(l),
        config(std::move(c)),
        callbacks(std::move(cb)),
        private_directory(supervisor::private_directory_name(config.places.run)) {}

  GuardedContainer* find(const std::string& id) const {
    const auto found = containers.find(id);
    return found == containers.end() ? nullptr : found->second.get();
  }

  // Connects early: the first container may have to be recorded.
  links::NodeLink& node_link() {
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

  [[nodiscard]] std::vector<node::v1::ContainerStatus> statuses() const {
    std::vector<node::v1::ContainerStatus> all;
    for (const auto& [id, container] : containers) all.push_back(container->status());
    return all;
  }

  void tell(GuardedContainer& container) {
    container.note_quarantine();
    node_link().update(container.status());
  }

  // --- listeners

  // One socket for the pod, made for the first container that needs one; the id and the nonce tell
  // whose listener it is.
  Result<void> expect_listeners(GuardedContainer& container) {
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

  [[nodiscard]] supervisor::Charge charge_of(const GuardedContainer& container) const {
    supervisor::Charge charge = make_charge(container.admitted, config.places);
    charge.bundle = container.bundle;
    return charge;
  }

  std::unique_ptr<supervisor::Supervisor> make_supervisor(const std::string& id,
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

  // A listener is believed when it names the container, knows its nonce, and comes from the very
  // runtime process of a start that has not had its listener yet.
  Result<void> take(supervisor::ListenerOffer offer) {
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

  // The start whose runtime sent it fails at once, and says why.
  void listener_refused(pid_t sender, const Error& why) {
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

  // From 1.2 on the runtime's init waits for its parent in a call that its own filter notifies, and
  // holds the listener itself: nobody answers, and it does not even see its parent die. And runc
  // goes on waiting for it (K69).
  static void end_waiting(pid_t runtime) {
    // Our child only: a number that was given away again is somebody else's.
    const auto stat = read_stat(runtime);
    if (!stat || stat->parent != ::getpid()) return;
    const auto made = read_descendants(runtime);
    ::kill(runtime, SIGKILL);
    for (const pid_t pid : made) ::kill(pid, SIGKILL);
  }

  // No listener comes any more. A caller that has not asked yet hears it when it does; the first
  // reason is the true one.
  static void give_up(GuardedContainer& container, const std::string& exec_id, Error why) {
    const auto found = container.starts.find(exec_id);
    if (found == container.starts.end()) return;
    if (!found->second.refused) found->second.refused = std::move(why);
    if (found->second.confirmed)
      finish(container, exec_id, tl::unexpected<Error>(*found->second.refused));
  }

  // `exec_id` by value: the start it is the key of goes away.
  static void finish(GuardedContainer& container, std::string exec_id, const Result<void>& result) {
    const auto found = container.starts.find(exec_id);
    if (found == container.starts.end()) return;
    const auto confirmed = std::move(found->second.confirmed);
    container.starts.erase(found);
    if (confirmed) confirmed(result);
  }

  void confirm(GuardedContainer& container, const std::string& exec_id,
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

  // From the loop, so that the runtime is on its way first.
  void look_at_program(const std::string& id, const std::string& exec_id,
                       std::string process_json) {
    asio::post(loop, [this, weak = std::weak_ptr<bool>(alive), id, exec_id,
                      document = std::move(process_json)]() mutable {
      auto* const container = weak.expired() ? nullptr : find(id);
      if (container == nullptr || container->state == node::v1::CONTAINER_STATE_STOPPED) return;
      look_at_session_program(loop, {std::move(document), container->pid, container->made_wall_ns},
                              container->looks,
                              [this, weak, id, exec_id](const std::string& newer) {
                                auto* const told = weak.expired() ? nullptr : find(id);
                                if (told != nullptr)
                                  told->supervisor->session_runs_newer(exec_id, newer);
                              });
    });
  }

  // --- commands of people, through wardd

  Result<GuardedContainer*> running(const std::string& id) const {
    auto* const container = find(id);
    if (container == nullptr) return fail(Code::kNotFound, "container '" + id + "' is not here");
    if (container->state == node::v1::CONTAINER_STATE_STOPPED) {
      return fail(Code::kFailedPrecondition, "container '" + id + "' has ended");
    }
    return container;
  }

  Result<void> quarantine(const std::string& id, const std::string& reason) {
    auto container = running(id);
    if (!container) return tl::unexpected(container.error());
    auto& supervisor = (*container)->supervisor;
    if (!supervisor) supervisor = make_supervisor(id, charge_of(**container));
    if (auto found = supervisor->find_cgroups((*container)->pid); !found) return found;
    return supervisor->quarantine(reason);
  }

  Result<void> release(const std::string& id) {
    auto container = running(id);
    if (!container) return tl::unexpected(container.error());
    if (!(*container)->supervisor)
      return fail(Code::kFailedPrecondition, "container '" + id + "' is not quarantined");
    return (*container)->supervisor->release();
  }

  void kill(const std::string& id, std::function<void(Result<void>)> done) {
    auto container = running(id);
    if (!container) return done(tl::unexpected(container.error()));
    if ((*container)->supervisor) {
      // It answers whatever happens; where its own hand fails, the runtime's may not.
      if (auto killed = (*container)->supervisor->kill(std::move(done)); !killed) {
        log::warn("kill by cgroup", {{"id", id}, {"error", killed.error().message}});
        callbacks.kill_all(id);
      }
      return;
    }
    callbacks.kill_all(id);
    done({});
  }

  Result<node::v1::ContainerStatus> set_mode(const std::string& id, node::v1::Mode mode) {
    auto container = running(id);
    if (!container) return tl::unexpected(container.error());
    const bool switchable = mode == node::v1::MODE_SUPERVISE || mode == node::v1::MODE_ENFORCE;
    if (!switchable || !(*container)->admitted.supervised) {
      return fail(Code::kFailedPrecondition,
                  "a running container is switched between supervise and enforce only; other modes "
                  "need a restart");
    }
    const auto& profile = (*container)->admitted.profile;
    if (mode == node::v1::MODE_ENFORCE && profile && profile->rehearsal) {
      return fail(
          Code::kFailedPrecondition,
          "profile '" + profile->name +
              "' is for rehearsal, for it was learned without a start, and is not enforced");
    }
    (*container)
        ->supervisor->set_mode(mode == node::v1::MODE_ENFORCE ? supervisor::Mode::kEnforce
                                                              : supervisor::Mode::kSupervise);
    return (*container)->status();
  }

  Result<void> calm(const node::v1::CalmCommand& command) {
    auto container = running(command.container_id());
    if (!container) return tl::unexpected(container.error());
    if (!(*container)->supervisor)
      return fail(Code::kFailedPrecondition,
                  "container '" + command.container_id() + "' is under no profile");
    // Of a newer wardd, too: what this shim does not know is as mild as it gets.
    const auto known = [](node::v1::Action action) {
      return action >= node::v1::ACTION_DENY && action <= node::v1::ACTION_QUARANTINE;
    };
    (*container)
        ->supervisor->calm(known(command.then()) ? static_cast<supervisor::Action>(command.then())
                                                 : supervisor::Action::kDeny,
                           command.until_wall_ns());
    return {};
  }

  Result<node::v1::ContainerStatus> widen(const node::v1::WidenRequest& request) {
    auto container = running(request.container_id());
    if (!container) return tl::unexpected(container.error());
    auto& profile = (*container)->admitted.profile;
    if (!profile || !(*container)->supervisor || profile->name != request.profile_name())
      return fail(Code::kFailedPrecondition, "container '" + request.container_id() +
                                                 "' is not under profile '" +
                                                 request.profile_name() + "'");
    if (profile->compiled_sha256 == request.compiled_sha256()) return (*container)->status();
    auto next = admission::read_profile_in_force(config.places, request.compiled_sha256());
    if (!next) return tl::unexpected(next.error());
    if (next->name != profile->name)
      return fail(Code::kInvalidArgument, "the compiled file is of profile '" + next->name + "'");
    auto& began = (*container)->began_under;
    if (!began) began = *profile;
    profile = admission::widened(*began, std::move(*next));
    (*container)
        ->supervisor->set_law({.profile_digest = profile->digest,
                               .overlay = profile->overlay,
                               .calls = profile->calls,
                               .danger = profile->danger,
                               .refused = profile->refused,
                               .tolerated = profile->tolerated,
                               .tolerated_own = profile->tolerated_own,
                               .knows_up_to = profile->knows_up_to});
    return (*container)->status();
  }

  // For a person, through wardd. The recorder tags what runs; from here on exec sessions are told
  // to it, and so is the end.
  Result<node::v1::ContainerStatus> record(const node::v1::RecordCommand& command) {
    auto found = running(command.container_id());
    if (!found) return tl::unexpected(found.error());
    GuardedContainer& container = **found;
    if (!command.run_id().empty()) {
      if (container.admitted.supervised)
        return fail(Code::kFailedPrecondition, "it runs under a profile, and is not recorded");
      if (container.recording)
        return fail(Code::kAlreadyExists, "it is recorded already, as run " + container.run_id);
      container.recording = true;
      container.run_id = command.run_id();
      container.admitted.workload = command.workload();
      container.record_id = command.record_id();
      container.unrecorded.clear();
    }
    if (container.record_id == command.record_id()) {
      keep_to_time(container, command.until_wall_ns());
      tell(container);
    }
    return container.status();
  }

  void keep_to_time(GuardedContainer& container, std::int64_t until_wall_ns) {
    end_recording_at(loop, node_link(), container, until_wall_ns, [this, id = container.id] {
      if (auto* const told = find(id)) tell(*told);
    });
  }

  // What the kernel saw. The first processes are our own children: their ends we see ourselves.
  Result<void> told(const node::v1::Seen& what) {
    auto* const container = find(what.container_id());
    if (container == nullptr || !container->supervisor) {
      return fail(Code::kNotFound, "container '" + what.container_id() + "' is not here");
    }
    const supervisor::EndedProcess process{
        .pid = what.pid(),
        .start_ticks = what.start_ticks(),
        .origin = what.exec() ? supervisor::Origin::kExec : supervisor::Origin::kWorkload,
        .comm = what.comm(),
        .abi = what.abi(),
        .nr = what.syscall_nr()};
    if (what.gained()) {
      container->supervisor->gained_privileges(process);
    } else if (what.denied()) {
      container->supervisor->missed_capability(what.capability(), process);
    } else if (!what.capability().empty()) {
      container->supervisor->used_capability(what.capability(), process);
    } else if (!container->is_first_process(what.pid())) {
      container->supervisor->process_died(process);
    }
    return {};
  }

  asio::io_context& loop;
  GuardConfig config;
  GuardCallbacks callbacks;
  std::filesystem::path private_directory;
  std::unique_ptr<supervisor::ListenerSocket> socket;  // once a container was supervised
  std::string runtime;
  std::optional<node::v1::NodeSettings> seen;  // admission::Request::seen
  std::map<std::string, std::unique_ptr<GuardedContainer>> containers;
  std::unique_ptr<links::NodeLink> link;
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);  // for callbacks that may come later
};

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
