// SPDX-License-Identifier: Apache-2.0
// Checkpoint of a running container, and the start of one from a checkpoint instead of from its
// program.
#include <filesystem>

#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/linux/pty.h"
#include "shim/task/container.h"

namespace ward::shim::task {
namespace {

// What CRIU says is the reason; the runtime only says that CRIU failed.
Error with_criu_error(Error error, const std::filesystem::path& log) {
  const auto text = read_file(log, 64U << 20U);
  const auto reason = text ? runtime::find_criu_error(*text) : std::string();
  error.message += reason.empty() ? " (criu)" : ": criu: " + reason;
  return error;
}

}  // namespace

std::string Container::criu_work_path(const std::string& asked) const {
  return asked.empty() ? spec_.bundle + "/criu-work" : asked;
}

void Container::checkpoint(const std::string& path, runtime::CheckpointOptions options, Done done) {
  init_->operations.run([self = shared_from_this(), path, options = std::move(options),
                         done = std::move(done)](OperationQueue::Turn turn) {
    const std::string image = path.empty() ? options.image_path : path;
    if (image.empty())
      return done(fail(Code::kInvalidArgument, "a checkpoint needs a path to go to"));
    if (auto next = next_state(self->init_->state(), ProcessStep::kCheckpoint);
        !next || self->init_->reaped()) {
      return done(next ? fail(Code::kFailedPrecondition, "cannot checkpoint a stopped container")
                       : tl::unexpected(next.error()));
    }
    if (self->surroundings_.guard.is_quarantined(self->spec_.id)) {
      return done(
          fail(Code::kFailedPrecondition, "container " + self->spec_.id + " is quarantined"));
    }
    const auto criu = runtime::criu_directory(self->spec_.options, self->spec_.bundle);
    if (!criu) return done(tl::unexpected(criu.error()));
    const std::string work = self->criu_work_path(options.work_path);
    runtime::RuncCall call;
    call.arguments = runtime::checkpoint_arguments(options, image, work);
    call.arguments.push_back(self->spec_.id);
    call.path_first = *criu;
    self->runc_.run(std::move(call), [self, turn, done, image,
                                      work](const Result<std::string>& result) {
      std::error_code ignored;
      auto answer = result ? Result<void>()
                           : tl::unexpected(with_criu_error(result.error(), work + "/dump.log"));
      if (work == self->criu_work_path({})) std::filesystem::remove_all(work, ignored);
      if (answer) self->surroundings_.events.checkpointed(self->spec_.id, image);
      done(answer);
    });
  });
}

// Nothing runs yet: the checkpoint becomes processes at Start.
void Container::create_from_checkpoint(const PidDone& done) {
  if (const auto criu = runtime::criu_directory(spec_.options, spec_.bundle); !criu)
    return abandon(criu.error(), done);
  // A restored process has the filter it had, and no listener could be put into it.
  if (surroundings_.guard.is_supervised(spec_.id)) {
    return abandon({Code::kFailedPrecondition,
                    "container " + spec_.id +
                        " has a profile, which cannot be put in force on a restored process",
                    0},
                   done);
  }
  created_ = true;
  (void)init_->advance(ProcessStep::kCreate);
  surroundings_.events.created(spec_.id, spec_.bundle, spec_.rootfs, spec_.stdio, 0,
                               spec_.checkpoint);
  done(pid_t{0});
}

void Container::restore(PidDone done) {
  const auto criu = runtime::criu_directory(spec_.options, spec_.bundle);
  if (!criu) {
    init_->in_transition = false;
    return done(tl::unexpected(criu.error()));
  }
  const std::string work = criu_work_path(spec_.options.criu_work_path);
  runtime::RuncCall call;
  call.arguments = runtime::restore_arguments(spec_.options, spec_.bundle, spec_.checkpoint, work);
  call.path_first = *criu;
  init_->streams()->hold_output(/*only_runtime=*/false);
  auto restored = [self = shared_from_this(), work, done = std::move(done)](Result<pid_t> pid) {
    const auto& init = self->init_;
    if (pid) {
      (void)init->advance(ProcessStep::kStart);
      init->streams()->begin_output();
      self->surroundings_.guard.started(self->spec_.id, {});
      self->surroundings_.events.started(self->spec_.id, *pid);
      done(pid);
      self->watch_oom();
    } else {
      done(tl::unexpected(with_criu_error(pid.error(), work + "/restore.log")));
    }
    std::error_code ignored;
    if (work == self->criu_work_path({})) std::filesystem::remove_all(work, ignored);
    init->in_transition = false;
    self->publish_ends();
  };
  launch(init_, std::move(call), spec_.bundle + "/init.pid", std::move(restored));
}

}  // namespace ward::shim::task
