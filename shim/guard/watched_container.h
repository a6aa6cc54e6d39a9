// SPDX-License-Identifier: Apache-2.0
// Announces a container to the programs by which wardd watches processes in the kernel
// (profiles/filter/watch_maps.h), before its own program begins. No request to wardd, and nothing
// to wait for: where nothing is pinned, nobody watches.
#pragma once

#include <sys/types.h>

#include <string>

#include "lib/base/places.h"
#include "shim/guard/guarded_container.h"

namespace ward::shim::guard {

// `init` is the runtime's init of the container (exec_id empty) or of a session, under the filter,
// before its execve.
void announce_for_watching(GuardedContainer& container, const Places& places,
                           const std::string& exec_id, pid_t init);

}  // namespace ward::shim::guard
