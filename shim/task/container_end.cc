// SPDX-License-Identifier: Apache-2.0
// How processes of a container end: signals, what is told in which order, and delete.
#include <signal.h>
#include <sys/wait.h>

#include <utility>

#include "lib/base/clock.h"
#include "lib/base/fault.h"
#include "lib/base/log.h"
#include "lib/linux/process_freezer.h"
#include "lib/linux/pty.h"
#include "shim/runtime/runtime_record.h"
#include "shim/task/container.h"
#include "shim/task/oom_watch.h"

namespace ward::shim::task {
namespace {

constexpr int kNeverRestoredStatus = SIGKILL;

}  // namespace

void Container::process_reaped(const ProcessPtr& process, pid_t pid, Exit exit) {
  // What is left of a start that failed; it may have been started again since.
  if (process->pid() != pid) return;
  process->note_reaped(exit);
  // A reader of the events wants the reason before the end.
  if (oom_watch_) oom_watch_->check();
  surroundings_.guard.exited(spec_.id, process->exec_id(), exit);
  if (process->abandoned || process->pid() != pid) return;
  if (process->is_init() && start_fifo_) start_fifo_->init_ended();
  // With a pid namespace of its own the kernel ends everything together with the init; without one,
  // nobody does.
  if (process->is_init() && !private_pid_namespace_) kill_all();
  publish_ends();
}

// The one place that says in which order ends are told: not before the start they belong to,
// sessions before the init.
void Container::publish_ends() {
  bool sessions_live = false;
  std::vector<ProcessPtr> ended;
  for (const auto& [id, exec] : execs_) {
    if (exec->has_ended()) continue;
    if (exec->reaped() && !exec->in_transition) {
      ended.push_back(exec);
    } else if (exec->in_transition || exec->state() == ProcessState::kRunning) {
      sessions_live = true;
    }
  }
  for (const auto& exec : ended) publish_end(exec);
  if (init_->reaped() && !init_->has_ended() && !init_->in_transition && created_ && !sessions_live)
    publish_end(init_);
}

void Container::publish_end(const ProcessPtr& process) {
  const Exit exit = *process->reaped();
  surroundings_.events.exited(spec_.id, process->exec_id(), process->pid(), exit);
  process->end(exit);
}

void Container::kill(const std::string& exec_id, int signal, bool all, Done done) {
  auto found = find(exec_id);
  if (!found) return done(tl::unexpected(found.error()));
  const auto& process = *found;
  if (!process->is_init() && process->state() == ProcessState::kAdded) {
    return done(fail(Code::kFailedPrecondition, "process not created"));
  }
  if (process->has_ended() || process->reaped())
    return done(fail(Code::kNotFound, "process already finished"));
  if (signal < 0 || signal > SIGRTMAX)
    return done(fail(Code::kInvalidArgument, "no such signal: " + std::to_string(signal)));
  // A frozen process takes no signal but the last one, and a person who kills a quarantined
  // container means it. Signal 0 only asks whether it is there.
  if (signal != 0 && surroundings_.guard.is_quarantined(spec_.id))
    return done(surroundings_.guard.kill_container(spec_.id, signal));
  // A paused container is left to the runtime, which thaws it. Else its work is one system call,
  // without its cost.
  const bool frozen = signal == SIGKILL && init_->state() == ProcessState::kPaused;
  if (!process->is_init() || (!all && !frozen)) {
    auto sent = process->signal(signal);
    if (sent && signal == SIGKILL) let_killed_die();
    return done(std::move(sent));
  }
  runtime::RuncCall call;
  call.arguments = {"kill"};
  if (all) call.arguments.emplace_back("--all");
  call.arguments.insert(call.arguments.end(), {spec_.id, std::to_string(signal)});
  runc_.run(std::move(call), [done = std::move(done)](const Result<std::string>& result) {
    done(result ? Result<void>() : tl::unexpected(result.error()));
  });
}

// A v1 freezer holds even SIGKILL back, whoever froze: a pause that is not over, or somebody else
// on this node. With the init everybody dies; a session dies alone.
void Container::let_killed_die() {
  if (surroundings_.guard.is_quarantined(spec_.id)) return;
  if (init_->is_dying()) return thaw(init_->pid());
  for (const auto& [id, exec] : execs_) {
    if (exec->is_dying()) let_die(exec->pid());
  }
}

void Container::kill_all() {
  if (killing_all_) return;
  killing_all_ = true;
  runtime::RuncCall call;
  call.arguments = {"kill", "--all", spec_.id, "KILL"};
  runc_.run(std::move(call), [self = shared_from_this()](const Result<std::string>& result) {
    self->killing_all_ = false;
    if (!result && result.error().code != Code::kNotFound) {
      log::warn("kill all processes", {{"id", self->spec_.id}, {"error", result.error().message}});
    }
    for (auto& next : std::exchange(self->after_kill_all_, {})) next();
  });
}

void Container::remove(const std::string& exec_id, std::function<void(Result<Departed>)> done) {
  auto process = find(exec_id);
  if (!process) return done(tl::unexpected(process.error()));
  if (!(*process)->is_init()) return remove_exec(*process, std::move(done));
  init_->operations.run(
      [self = shared_from_this(), done = std::move(done)](OperationQueue::Turn turn) {
        self->remove_init(std::move(turn), done);
      });
}

void Container::remove_init(OperationQueue::Turn turn, std::function<void(Result<Departed>)> done) {
  if (auto next = next_state(init_->state(), ProcessStep::kDelete); !next) {
    // Reaped and only held back: it will be over in a moment, and the caller was told nothing
    // wrong. A Delete that waited for its turn behind another one finds nothing any more.
    if (!init_->reaped() || init_->state() == ProcessState::kDeleted)
      return done(tl::unexpected(next.error()));
  }
  if (!init_->has_ended()) {
    // Created and never started, or about to be told as ended: its status is part of the answer.
    if (init_->pid() == 0) {
      init_->end({kNeverRestoredStatus, wall_ns()});
      return remove_init(std::move(turn), std::move(done));
    }
    if (!init_->reaped() && init_->signal(SIGKILL)) let_killed_die();
    init_->wait([self = shared_from_this(), turn, done](Exit) { self->remove_init(turn, done); });
    return;
  }
  if (oom_watch_) oom_watch_->stop();
  // The output drains while the runtime works; usually it is through already.
  struct Parts {
    int left = 2;
    Result<void> destroyed;
  };
  auto parts = std::make_shared<Parts>();
  auto part_done = [self = shared_from_this(), turn, done, parts] {
    if (--parts->left > 0) return;
    if (!parts->destroyed) return done(tl::unexpected(parts->destroyed.error()));
    (void)self->init_->advance(ProcessStep::kDelete);
    self->init_->close_streams();
    self->end_unstarted_execs();
    fault::pass("delete.before-unmount");
    if (auto ok = unmount_rootfs(self->spec_.bundle); !ok)
      log::warn(ok.error().message, {{"id", self->spec_.id}});
    self->surroundings_.guard.forget(self->spec_.id);
    self->surroundings_.events.deleted(self->spec_.id, self->init_->pid(), *self->init_->exit());
    fault::pass("delete.before-reply");
    done(Departed{self->init_->pid(), *self->init_->exit()});
  };
  destroy([parts, part_done](Result<void> result) {
    parts->destroyed = std::move(result);
    part_done();
  });
  if (init_->streams() == nullptr) return part_done();
  init_->streams()->drain(streams::kDrainLimit, part_done);
}

void Container::destroy(std::function<void(Result<void>)> done) {
  // `kill --all` freezes the cgroup while it works, and `delete` refuses what is paused.
  if (killing_all_) {
    after_kill_all_.emplace_back(
        [self = shared_from_this(), done = std::move(done)] { self->destroy(done); });
    return;
  }
  if (auto ok = fault::point("delete.before-record"); !ok) return done(tl::unexpected(ok.error()));
  if (may_delete_ && runtime::try_delete(runc_.place().root, spec_.id)) return done({});
  runtime::RuncCall call;
  call.arguments = {"delete", spec_.id};
  runc_.run(std::move(call), [done = std::move(done)](const Result<std::string>& result) {
    const bool gone = !result && result.error().code == Code::kNotFound;
    done(result || gone ? Result<void>() : tl::unexpected(result.error()));
  });
}

}  // namespace ward::shim::task
