// SPDX-License-Identifier: Apache-2.0
// Create, start, pause and what is answered from memory. Exec sessions are in container_exec.cc,
// ends in container_end.cc.
#include "shim/task/container.h"

#include <unistd.h>

#include <asio/post.hpp>
#include <charconv>

#include "containerd/types.pb.h"
#include "lib/base/fault.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/linux/child_process.h"
#include "lib/linux/process_freezer.h"
#include "lib/linux/pty.h"
#include "lib/oci/bundle.h"
#include "shim/remains/cut_short.h"
#include "shim/runtime/runtime_record.h"

namespace ward::shim::task {
namespace {

runtime::RuncPlace runc_place(const Surroundings& s, const std::string& bundle,
                              const runtime::RuntimeOptions& options) {
  return {std::string(), runtime::runtime_root(options, s.containerd_namespace),
          options.systemd_cgroup, bundle};
}

Result<pid_t> read_pid(const std::string& path) {
  auto text = read_file(path, 64);
  if (!text) return tl::unexpected(text.error());
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), pid);
  if (error != std::errc() || pid <= 0)
    return fail(Code::kInternal, path + ": the runtime wrote no pid");
  return pid;
}

// Each waits a second at most for what a busy node does not get done (admission.h).
constexpr int kAdmissions = 20;

}  // namespace

Container::Container(Surroundings& surroundings, ContainerSpec spec)
    : surroundings_(surroundings),
      spec_(std::move(spec)),
      runc_(surroundings.reaper, runc_place(surroundings, spec_.bundle, spec_.options)),
      init_(std::make_shared<Process>(std::string(), spec_.stdio)) {}

Result<void> Container::prepare(const admission::NodeIndex& index) {
  std::string asked = spec_.options.binary_name.empty()
                          ? std::string(runtime::kDefaultRuntimeBinary)
                          : spec_.options.binary_name;
  auto binary = find_program(surroundings_.guard.runtime_binary(index, asked));
  if (!binary) return tl::unexpected(binary.error());
  runc_.set_binary(*binary);
  if (auto ok = runtime::save_options(spec_.bundle, spec_.options, *binary); !ok) return ok;
  return mount_rootfs(spec_.bundle, spec_.rootfs);
}

Result<void> Container::open_streams(const oci::Config& config) {
  private_pid_namespace_ = config.has_private_pid_namespace();
  const bool is_runc = runtime::is_plain_runc(runc_.place().binary);
  may_start_ = is_runc;
  may_delete_ = is_runc && !spec_.options.systemd_cgroup && private_pid_namespace_;
  return init_->open_streams(surroundings_.loop, log_owner());
}

void Container::create(PidDone done) {
  surroundings_.cgroup_lock.warm();
  NodeIndex index = surroundings_.guard.open_index();
  if (auto ok = prepare(*index); !ok) return abandon(ok.error(), std::move(done));
  admit(std::move(index), kAdmissions, std::move(done));
}

void Container::admit(NodeIndex index, int attempts, PidDone done) {
  // Once, so that what is judged, what is rewritten and what is decided here is one document.
  auto config = oci::Config::read(spec_.bundle);
  if (!config) return abandon(config.error(), std::move(done));
  auto ok = surroundings_.guard.admit(spec_.id, spec_.bundle, *index, *config, runc_.place().binary,
                                      digest_of_layers(spec_.rootfs));
  if (!ok && ok.error().code == Code::kUnavailable && attempts > 1) {
    // Between two of them the others of the pod are answered.
    return asio::post(surroundings_.loop, [self = shared_from_this(), index = std::move(index),
                                           attempts, done = std::move(done)]() mutable {
      self->admit(std::move(index), attempts - 1, std::move(done));
    });
  }
  if (ok) ok = open_streams(*config);
  if (!ok) return abandon(ok.error(), std::move(done));
  init_->streams()->when_ready(
      [self = shared_from_this(), done = std::move(done)](const Result<void>& ready) {
        if (!ready) return self->abandon(ready.error(), done);
        if (!self->spec_.checkpoint.empty()) return self->create_from_checkpoint(done);
        self->run_create(done);
      });
}

void Container::run_create(PidDone done) {
  runtime::RuncCall call;
  call.arguments = {"create", "--bundle", spec_.bundle};
  if (spec_.options.no_pivot_root) call.arguments.emplace_back("--no-pivot");
  if (spec_.options.no_new_keyring) call.arguments.emplace_back("--no-new-keyring");
  init_->in_transition = true;
  init_->streams()->hold_output(/*only_runtime=*/true);
  auto created = [self = shared_from_this(), done = std::move(done)](Result<pid_t> pid) {
    if (!pid) return self->abandon(pid.error(), done);
    self->created_ = true;
    (void)self->init_->advance(ProcessStep::kCreate);
    self->init_->streams()->begin_output();
    fault::pass("create.before-events");
    self->surroundings_.events.created(self->spec_.id, self->spec_.bundle, self->spec_.rootfs,
                                       self->spec_.stdio, *pid, {});
    fault::pass("create.before-reply");
    done(pid);
    self->init_->in_transition = false;
    self->publish_ends();
  };
  launch(init_, std::move(call), spec_.bundle + "/init.pid", std::move(created));
}

void Container::abandon(Error why, PidDone done) {
  init_->abandoned = true;
  init_->close_streams();
  auto finish = [self = shared_from_this(), why = std::move(why),
                 done = std::move(done)](const Result<void>& destroyed) {
    if (!destroyed)
      log::warn("after a failed create",
                {{"id", self->spec_.id}, {"error", destroyed.error().message}});
    if (auto ok = unmount_rootfs(self->spec_.bundle); !ok)
      log::warn(ok.error().message, {{"id", self->spec_.id}});
    self->surroundings_.guard.forget(self->spec_.id);
    done(tl::unexpected(why));
  };
  // The runtime cleans up after itself unless it was killed, or the failure came after it was done.
  const std::string state = runc_.place().root + "/" + spec_.id;
  if (runc_.place().binary.empty() || ::access(state.c_str(), F_OK) != 0) return finish({});
  runtime::RuncCall call;
  call.arguments = {"delete", "--force", spec_.id};
  runc_.run(
      std::move(call), [self = shared_from_this(), finish](const Result<std::string>& result) {
        // It deletes what it has a record of; where it was cut short it may have made more.
        remains::remove_unrecorded_cgroups(
            self->surroundings_.loop, self->spec_.bundle,
            [finish, result] { finish(result ? Result<void>() : tl::unexpected(result.error())); });
      });
}

void Container::launch(const ProcessPtr& process, runtime::RuncCall call,
                       const std::string& pid_file, PidDone done) {
  std::shared_ptr<ConsoleSocket> console;
  if (process->stdio_spec().terminal) {
    auto made = ConsoleSocket::make(surroundings_.run_directory);
    if (!made) return done(tl::unexpected(made.error()));
    console = std::make_shared<ConsoleSocket>(std::move(*made));
    call.arguments.insert(call.arguments.end(), {"--console-socket", console->path()});
  }
  add_place(*process, pid_file, call);
  call.gate = [self = shared_from_this(), process](pid_t pid, std::function<void()> go) {
    self->surroundings_.guard.before_runtime(self->spec_.id, process->exec_id(), pid,
                                             std::move(go));
  };
  runc_.run(std::move(call), after_launch(process, std::move(console), pid_file, std::move(done)));
}

void Container::add_place(const Process& process, const std::string& pid_file,
                          runtime::RuncCall& call) const {
  call.arguments.insert(call.arguments.end(), {"--pid-file", pid_file, spec_.id});
  call.passes_stdio_on = !process.stdio_spec().terminal;
  for (const auto& descriptor : process.streams()->child_descriptors())
    call.descriptors.push_back(descriptor);
}

runtime::Runc::Done Container::after_launch(const ProcessPtr& process,
                                            std::shared_ptr<ConsoleSocket> console,
                                            const std::string& pid_file, PidDone done) {
  return [self = shared_from_this(), process, console = std::move(console), pid_file,
          hold = surroundings_.reaper.hold(), warm = surroundings_.cgroup_lock.hold(),
          done = std::move(done)](const Result<std::string>& result) {
    if (auto* streams = process->streams()) streams->release_child_descriptors();
    if (!result) {
      return done(tl::unexpected<Error>(self->surroundings_.guard.why_failed(
          self->spec_.id, process->exec_id(), result.error())));
    }
    self->adopt(process, pid_file, console.get(), done);
  };
}

void Container::adopt(const ProcessPtr& process, const std::string& pid_file,
                      const ConsoleSocket* console, PidDone done) {
  const auto pid = read_pid(pid_file);
  if (!pid) return done(tl::unexpected(pid.error()));
  process->set_pid(*pid);
  if (process->is_init()) cgroup_membership_ = read_cgroup_membership(*pid).value_or("");
  surroundings_.reaper.watch(*pid, [self = shared_from_this(), process, pid = *pid](Exit exit) {
    self->process_reaped(process, pid, exit);
  });
  if (console != nullptr) {
    auto master = console->receive_master();
    if (!master) return done(tl::unexpected(master.error()));
    if (auto ok = process->streams()->attach_terminal(std::move(*master)); !ok)
      return done(tl::unexpected(ok.error()));
  }
  surroundings_.guard.confirm(spec_.id, process->exec_id(), *pid,
                              [pid = *pid, done = std::move(done)](Result<void> ok) {
                                done(ok ? Result<pid_t>(pid) : tl::unexpected(ok.error()));
                              });
}

void Container::start(const std::string& exec_id, PidDone done) {
  auto process = find(exec_id);
  if (!process) return done(tl::unexpected(process.error()));
  (*process)->operations.run([self = shared_from_this(), process = *process,
                              done = std::move(done)](OperationQueue::Turn turn) {
    auto reply = [turn, done](Result<pid_t> pid) { done(std::move(pid)); };
    if (process->is_init()) {
      self->start_init(std::move(reply));
    } else {
      self->start_exec(process, std::move(reply));
    }
  });
}

void Container::start_init(PidDone done) {
  if (auto next = next_state(init_->state(), ProcessStep::kStart); !next)
    return done(tl::unexpected(next.error()));
  if (auto ok = fault::point("start.before-release"); !ok) return done(tl::unexpected(ok.error()));
  init_->in_transition = true;
  if (!spec_.checkpoint.empty()) return restore(std::move(done));
  auto started = [self = shared_from_this(), done = std::move(done)](const Result<void>& result) {
    const auto& init = self->init_;
    self->start_fifo_.reset();
    if (result) {
      (void)init->advance(ProcessStep::kStart);
      self->surroundings_.guard.started(self->spec_.id, {});
      self->surroundings_.events.started(self->spec_.id, init->pid());
      // Quarantined by a call it made before `start` had come back.
      if (self->surroundings_.guard.is_quarantined(self->spec_.id)) self->set_frozen(true);
      fault::pass("start.before-reply");
      done(init->pid());
      self->watch_oom();
    } else {
      done(tl::unexpected(result.error()));
    }
    init->in_transition = false;
    self->publish_ends();
  };
  if (may_start_ && !init_->reaped())
    start_fifo_ = runtime::StartFifo::open(surroundings_.loop, runc_.place().root, spec_.id);
  if (start_fifo_) return start_fifo_->wait(std::move(started));
  runtime::RuncCall call;
  call.arguments = {"start", spec_.id};
  runc_.run(std::move(call), [started = std::move(started)](const Result<std::string>& result) {
    started(result ? Result<void>() : tl::unexpected(result.error()));
  });
}

void Container::pause(Done done) {
  init_->operations.run([self = shared_from_this(),
                         done = std::move(done)](OperationQueue::Turn turn) {
    if (self->surroundings_.guard.is_quarantined(self->spec_.id)) {
      return done(fail(Code::kFailedPrecondition,
                       "container " + self->spec_.id + " is quarantined: it is frozen already"));
    }
    if (auto ok = self->init_->advance(ProcessStep::kPause); !ok) return done(ok);
    runtime::RuncCall call;
    call.arguments = {"pause", self->spec_.id};
    self->runc_.run(std::move(call), [self, turn, done](const Result<std::string>& result) {
      if (!result) {
        if (self->init_->state() == ProcessState::kPausing) {
          // It is said to run, so it must: the runtime may have come as far as to freeze it.
          if (!self->surroundings_.guard.is_quarantined(self->spec_.id)) thaw(self->init_->pid());
          (void)self->init_->advance(ProcessStep::kResume);
        }
        return done(tl::unexpected(result.error()));
      }
      if (self->init_->advance(ProcessStep::kPaused)) {
        self->surroundings_.guard.paused(self->spec_.id, true);
        self->surroundings_.events.paused(self->spec_.id);
      }
      // A SIGKILL that came while the runtime froze one process after the other.
      self->let_killed_die();
      done({});
    });
  });
}

void Container::resume(Done done) {
  init_->operations.run(
      [self = shared_from_this(), done = std::move(done)](OperationQueue::Turn turn) {
        const std::string& id = self->spec_.id;
        if (self->surroundings_.guard.is_quarantined(id)) {
          return done(tl::unexpected<Error>(self->surroundings_.guard.quarantined_error(id)));
        }
        if (auto next = next_state(self->init_->state(), ProcessStep::kResume); !next) {
          return done(tl::unexpected(next.error()));
        }
        runtime::RuncCall call;
        call.arguments = {"resume", id};
        self->runc_.run(std::move(call), [self, turn, done](const Result<std::string>& result) {
          // A runtime that failed after it had thawed the container would refuse every further
          // attempt.
          if (!result && (self->init_->reaped() || is_frozen(self->init_->pid())))
            return done(tl::unexpected(result.error()));
          if (self->init_->advance(ProcessStep::kResume)) {
            self->surroundings_.guard.paused(self->spec_.id, false);
            self->surroundings_.events.resumed(self->spec_.id);
          }
          done({});
        });
      });
}

void Container::set_frozen(bool frozen) {
  const auto state = init_->state();
  if (frozen && (state == ProcessState::kRunning || state == ProcessState::kPausing)) {
    (void)init_->advance(ProcessStep::kPaused);
    surroundings_.events.paused(spec_.id);
  } else if (!frozen && state == ProcessState::kPaused) {
    (void)init_->advance(ProcessStep::kResume);
    surroundings_.events.resumed(spec_.id);
  }
}

Result<std::shared_ptr<Process>> Container::find(const std::string& exec_id) const {
  if (exec_id.empty()) return init_;
  const auto found = execs_.find(exec_id);
  if (found == execs_.end()) return fail(Code::kNotFound, "process does not exist " + exec_id);
  return found->second;
}

ProcessState Container::visible_state(const Process& process) const {
  const auto state = process.state();
  if (state != ProcessState::kRunning) return state;
  if (surroundings_.guard.is_quarantined(spec_.id)) return ProcessState::kPaused;
  // Sessions are frozen together with the container.
  const auto container = init_->state();
  return container == ProcessState::kPaused || container == ProcessState::kPausing ? container
                                                                                   : state;
}

Result<void> Container::wait(const std::string& exec_id, Process::Waiter waiter) {
  auto process = find(exec_id);
  if (!process) return tl::unexpected(process.error());
  (*process)->wait(std::move(waiter));
  return {};
}

Result<void> Container::resize(const std::string& exec_id, std::uint16_t columns,
                               std::uint16_t rows) {
  auto process = find(exec_id);
  if (!process) return tl::unexpected(process.error());
  const auto* streams = (*process)->streams();
  return streams == nullptr ? Result<void>() : (*process)->streams()->resize(columns, rows);
}

Result<void> Container::close_stdin(const std::string& exec_id) {
  auto process = find(exec_id);
  if (!process) return tl::unexpected(process.error());
  if (auto* streams = (*process)->streams()) streams->close_stdin();
  return {};
}

}  // namespace ward::shim::task
