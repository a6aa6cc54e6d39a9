// SPDX-License-Identifier: Apache-2.0
// Exec sessions of a container: registered by Exec, run by Start.
#include <signal.h>
#include <unistd.h>

#include <algorithm>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/linux/cgroup.h"
#include "lib/linux/memory_file.h"
#include "lib/linux/process_freezer.h"
#include "lib/linux/process_info.h"
#include "lib/linux/pty.h"
#include "shim/runtime/early_exec.h"
#include "shim/streams/log_uri.h"
#include "shim/task/container.h"

namespace ward::shim::task {
namespace {

// A client may ask for sessions that it never starts.
constexpr int kMostEarlyExecs = 4;

// runc writes it under a name with a dot first, and refuses where that is there: killed in between,
// it would fail the next session of this id.
void remove_pid_file(const std::filesystem::path& file) {
  ::unlink(file.c_str());
  ::unlink((file.parent_path() / ("." + file.filename().string())).c_str());
}

}  // namespace

// A session may be called "init", and init.pid is the container's.
std::string Container::exec_pid_file(const std::string& exec_id) const {
  return spec_.bundle + "/exec-" + exec_id + ".pid";
}

Result<void> Container::add_exec(const std::string& exec_id, streams::StdioSpec stdio,
                                 std::string document) {
  if (execs_.count(exec_id) != 0) {
    return fail(Code::kAlreadyExists,
                "id " + exec_id + ": already exists: container " + spec_.id +
                    " has an exec session of this name; delete it, or take another one");
  }
  if (surroundings_.guard.is_quarantined(spec_.id))
    return tl::unexpected<Error>(
        with_context("exec", surroundings_.guard.quarantined_error(spec_.id)));
  if (visible_state(*init_) == ProcessState::kPaused) {
    return fail(Code::kFailedPrecondition, "cannot exec in a paused state");
  }
  if (auto next = next_state(init_->state(), ProcessStep::kExec); !next)
    return tl::unexpected(next.error());
  if (auto ok = surroundings_.guard.admit_session(spec_.id, exec_id); !ok) return ok;
  surroundings_.cgroup_lock.warm();  // its start is about to be asked for
  stdio.uid = spec_.options.io_uid;
  stdio.gid = spec_.options.io_gid;
  const auto process = std::make_shared<Process>(exec_id, std::move(stdio), std::move(document));
  execs_.emplace(exec_id, process);
  surroundings_.events.exec_added(spec_.id, exec_id);
  if (may_begin_exec(*process)) begin_exec(process);
  return {};
}

// A runtime that is not runc may look at the container, or at its document, in another order; a
// recording has to begin before the runtime does; and a logger is started when the session is.
bool Container::may_begin_exec(const Process& process) const {
  const streams::StdioSpec& stdio = process.stdio_spec();
  const auto out = streams::parse_log_uri(stdio.out);
  if (!may_start_ || stdio.terminal || !out || out->is_logger()) return false;
  if (!may_start_exec() || surroundings_.guard.is_recorded(spec_.id)) return false;
  const auto waiting = std::count_if(execs_.begin(), execs_.end(), [](const auto& exec) {
    return exec.second->early() && exec.second->early()->waits();
  });
  return waiting < kMostEarlyExecs;
}

void Container::begin_exec(const ProcessPtr& process) {
  if (!process->open_pipes(surroundings_.loop)) return;  // told at Start, if it is still so
  runtime::RuncCall call;
  call.arguments = {"exec", "--detach"};
  add_place(*process, exec_pid_file(process->exec_id()), call);
  const std::weak_ptr<Process> weak = process;
  process->begin_early(
      runtime::EarlyExec::begin(surroundings_.loop, runc_, std::move(call), [weak] {
        if (const auto ended = weak.lock()) ended->forget_early();
      }));
  if (!process->early()->waits()) process->forget_early();
}

// The container may have been frozen without our knowledge: this runtime has looked already, the
// next one will refuse.
bool Container::go_on_with_early(const ProcessPtr& process, const std::string& document,
                                 const PidDone& done) {
  if (process->early() == nullptr) return false;
  // A recording that began meanwhile tags a runtime before it runs: this one runs already.
  if (is_frozen(init_->pid()) || surroundings_.guard.is_recorded(spec_.id)) {
    process->begin_early(nullptr);
    return false;
  }
  const pid_t runtime = process->early()->pid();
  surroundings_.guard.before_runtime(spec_.id, process->exec_id(), runtime, [] {});
  auto again = [self = shared_from_this(), process, document, done] {
    self->run_exec(process, document, done);
  };
  return process->early()->go(
      document, after_launch(process, nullptr, exec_pid_file(process->exec_id()), done),
      std::move(again));
}

void Container::run_exec(const ProcessPtr& process, const std::string& document, PidDone done) {
  auto file = make_memory_file("process", document);
  if (!file) return done(tl::unexpected(file.error()));
  process->streams()->when_ready(
      [self = shared_from_this(), process, done = std::move(done),
       file = std::make_shared<UniqueFd>(std::move(*file))](const Result<void>& ready) {
        if (!ready) return done(tl::unexpected(ready.error()));
        runtime::RuncCall call;
        call.arguments = {"exec", "--process",
                          "/proc/self/fd/" + std::to_string(runtime::kFirstFreeRuncDescriptor),
                          "--detach"};
        call.descriptors.emplace_back(file->get(), runtime::kFirstFreeRuncDescriptor);
        self->launch(process, std::move(call), self->exec_pid_file(process->exec_id()), done);
      });
}

Result<void> Container::may_start_exec() const {
  // An end that was reaped but is still held back for other sessions is an end.
  if (init_->reaped() || init_->state() == ProcessState::kStopped) {
    return fail(Code::kFailedPrecondition,
                "container " + spec_.id + " init process is not running");
  }
  const auto state = visible_state(*init_);
  if (state == ProcessState::kRunning) return {};
  if (surroundings_.guard.is_quarantined(spec_.id))
    return tl::unexpected<Error>(
        with_context("exec", surroundings_.guard.quarantined_error(spec_.id)));
  return fail(Code::kFailedPrecondition,
              "cannot exec in a " + std::string(state_name(state)) + " state");
}

void Container::start_exec(const ProcessPtr& process, PidDone done) {
  if (auto next = next_state(process->state(), ProcessStep::kStart);
      !next || process->state() != ProcessState::kAdded) {
    return done(next ? fail(Code::kFailedPrecondition, "cannot start a running process")
                     : tl::unexpected(next.error()));
  }
  if (auto ok = may_start_exec(); !ok) return done(tl::unexpected(ok.error()));
  process->in_transition = true;
  process->note_start();
  auto started = [self = shared_from_this(), process, done = std::move(done)](Result<pid_t> pid) {
    if (pid) {
      (void)process->advance(ProcessStep::kStart);
      process->drop_document();
      process->streams()->begin_output();
      self->surroundings_.guard.started(self->spec_.id, process->exec_id());
      self->surroundings_.events.exec_started(self->spec_.id, process->exec_id(), *pid);
    } else {
      self->exec_failed(process);
    }
    done(std::move(pid));
    process->in_transition = false;
    self->publish_ends();
  };
  auto document = surroundings_.guard.admit_exec(spec_.id, process->exec_id(), process->document());
  if (!document) return started(tl::unexpected(document.error()));
  // With what it has said, should it have given up.
  if (process->early() != nullptr && !process->early()->waits()) {
    process->begin_early(nullptr);
    process->close_streams();
  }
  if (auto ok = process->open_streams(surroundings_.loop, log_owner()); !ok)
    return started(tl::unexpected(ok.error()));
  process->streams()->hold_output(/*only_runtime=*/false);
  if (go_on_with_early(process, *document, started)) return;
  run_exec(process, *document, std::move(started));
}

// No TaskExit: containerd was never told that it runs. It stays created, and may be started again.
// What there is of it is reaped in silence.
void Container::exec_failed(const ProcessPtr& process) {
  if (process->pid() > 0) (void)process->signal(SIGKILL);
  process->in_transition = false;
  process->begin_early(nullptr);
  process->close_streams();
  process->note_failed_start();
  kill_strays();
}

// Processes of a session whose runtime was killed before it could tell their pid. In a pid
// namespace of its own the container's orphans are its init's: whoever there is our child, and no
// process we know, was made by a runtime.
void Container::kill_strays() {
  if (!private_pid_namespace_ || init_->pid() <= 0 || init_->reaped()) return;
  for (const auto& [id, exec] : execs_) {
    if (exec->in_transition) return;  // it may be this one's, about to be told
  }
  const auto cgroups = open_cgroups_of(init_->pid());
  if (!cgroups) return;
  const auto pids = cgroups->unified ? cgroups->unified->pids() : cgroups->freezer->pids();
  if (!pids) return;
  for (const pid_t pid : *pids) {
    const bool known = pid == init_->pid() ||
                       std::any_of(execs_.begin(), execs_.end(),
                                   [pid](const auto& exec) { return exec.second->pid() == pid; });
    const auto stat = known ? Result<TaskStat>() : read_stat(pid);
    // Our own children keep their pid until we reap them.
    if (!known && stat && stat->parent == ::getpid()) ::kill(pid, SIGKILL);
  }
}

// Their container is gone, and whoever waits for one must not wait for ever.
void Container::end_unstarted_execs() {
  for (const auto& [id, exec] : execs_) {
    exec->forget_early();
    if (!exec->has_ended()) exec->end(kNeverRan);
  }
}

// As long as the stock shim of the containerd in charge: two seconds before 2.0, which is the first
// to write its own description of the shim into the bundle.
std::chrono::seconds Container::exec_drain_limit() const {
  constexpr std::chrono::seconds kBeforeContainerd2{2};
  const std::string written = spec_.bundle + "/bootstrap.json";
  return ::access(written.c_str(), F_OK) == 0 ? streams::kDrainLimit : kBeforeContainerd2;
}

void Container::remove_exec(const ProcessPtr& process, std::function<void(Result<Departed>)> done) {
  process->operations.run(
      [self = shared_from_this(), process, done = std::move(done)](OperationQueue::Turn turn) {
        auto next = next_state(process->state(), ProcessStep::kDelete);
        if (!next) return done(tl::unexpected(next.error()));
        process->forget_early();
        auto finish = [self, process, turn, done] {
          (void)process->advance(ProcessStep::kDelete);
          process->close_streams();
          remove_pid_file(self->exec_pid_file(process->exec_id()));
          self->execs_.erase(process->exec_id());
          if (!process->has_ended()) process->end(kNeverRan);
          done(Departed{process->pid(), *process->exit()});
        };
        if (process->streams() == nullptr) return finish();
        process->streams()->drain(self->exec_drain_limit(), finish);
      });
}

}  // namespace ward::shim::task
