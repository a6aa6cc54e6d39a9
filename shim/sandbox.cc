// SPDX-License-Identifier: Apache-2.0
#include "shim/sandbox.h"

#include <malloc.h>

namespace ward::shim {

void Sandbox::create(ContainerSpec spec, Container::PidDone done) {
  const std::string id = spec.id;
  if (containers_.count(id) != 0) return done(fail(Code::kAlreadyExists, "container " + id + " exists already"));
  auto container = std::make_shared<Container>(surroundings_, std::move(spec));
  containers_.emplace(id, container);
  container->create([this, id, done = std::move(done)](Result<pid_t> pid) {
    if (!pid) containers_.erase(id);
    done(std::move(pid));
    // Reading config.json needs more memory than the shim ever does again.
    ::malloc_trim(0);
  });
}

Result<std::shared_ptr<Container>> Sandbox::find(const std::string& id) const {
  const auto found = containers_.find(id);
  if (found == containers_.end() || !found->second->is_created()) return fail(Code::kNotFound, "container not created");
  return found->second;
}

void Sandbox::remove(const std::string& id, std::function<void(Result<Departed>)> done) {
  auto container = find(id);
  if (!container) return done(tl::unexpected(container.error()));
  (*container)->remove({}, [this, id, done = std::move(done)](Result<Departed> departed) {
    if (departed) containers_.erase(id);
    done(std::move(departed));
  });
}

}  // namespace ward::shim
