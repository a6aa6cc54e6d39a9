// SPDX-License-Identifier: Apache-2.0
// That this node has, or had, a policy: known without <state>/compiled, so that an index that is gone is not taken for
// a node that nobody governs. wardd writes it beside the compiled files and into the run directory, because either may
// be removed; it is never taken back.
#pragma once

#include "lib/base/places.h"
#include "lib/base/result.h"

namespace ward::compiled {

enum class Governed {
  kNever,
  kRefuse,  // where nothing can be read, containers are refused
  kOpen,    // they run without a policy: the node's choice (wardd.yaml, whenUngoverned: open)
};

Governed read_governed(const Places& places);                     // the strictest that is found
Result<void> write_governed(const Places& places, Governed how);  // where it does not say so already

}  // namespace ward::compiled
