// SPDX-License-Identifier: Apache-2.0
// A container's cgroups: what is counted there, other limits, and kills for want of memory.
#include "containerd/types.pb.h"
#include "lib/base/log.h"
#include "lib/linux/memory_file.h"
#include "lib/oci/resources.h"
#include "shim/stats/metrics.h"
#include "shim/task/container.h"
#include "shim/task/oom_watch.h"

namespace ward::shim::task {
namespace {

// Read when first needed, and then for the life of the shim: the node's mounts stay.
Result<const CgroupHierarchies*> hierarchies_of(Surroundings& surroundings) {
  if (!surroundings.hierarchies) {
    auto read = CgroupHierarchies::read();
    if (!read) return tl::unexpected(read.error());
    surroundings.hierarchies = std::move(*read);
  }
  return &*surroundings.hierarchies;
}

}  // namespace

Result<containerd::Any> Container::stats() const {
  const auto hierarchies = hierarchies_of(surroundings_);
  if (!hierarchies) return tl::unexpected(hierarchies.error());
  return stats::read_metrics(**hierarchies, cgroup_membership_);
}

void Container::update(std::string_view resources, Done done) {
  auto normal = oci::normalize_resources(resources);
  if (!normal) return done(tl::unexpected(normal.error()));
  init_->operations.run([self = shared_from_this(), normal = std::move(*normal),
                         done = std::move(done)](OperationQueue::Turn turn) {
    if (auto next = next_state(self->init_->state(), ProcessStep::kUpdate);
        !next || self->init_->reaped()) {
      return done(next ? fail(Code::kFailedPrecondition, "cannot update a stopped container")
                       : tl::unexpected(next.error()));
    }
    const auto file = make_memory_file("resources", normal);
    if (!file) return done(tl::unexpected(file.error()));
    runtime::RuncCall call;
    call.arguments = {"update", "--resources", "-", self->spec_.id};
    call.descriptors = {{file->get(), 0}};
    self->runc_.run(std::move(call), [turn, done](const Result<std::string>& result) {
      done(result ? Result<void>() : tl::unexpected(result.error()));
    });
  });
}

void Container::watch_oom() {
  const auto hierarchies = hierarchies_of(surroundings_);
  if (!hierarchies) return log::warn(hierarchies.error().message, {{"id", spec_.id}});
  const auto cgroup = (*hierarchies)->find("memory", cgroup_membership_);
  if (cgroup.empty()) return;
  const auto mode = (*hierarchies)->is_unified() ? OomWatch::Mode::kUnified : OomWatch::Mode::kV1;
  auto watch = OomWatch::open(surroundings_.loop, mode, cgroup,
                              [this] { surroundings_.events.oom(spec_.id); });
  if (watch) {
    oom_watch_ = std::move(*watch);
  } else if (watch.error().code != Code::kNotFound) {
    // The event is a courtesy; a container runs without it, as it does where there is no memory
    // controller.
    log::warn(watch.error().message, {{"id", spec_.id}});
  }
}

}  // namespace ward::shim::task
