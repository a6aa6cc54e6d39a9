// SPDX-License-Identifier: Apache-2.0
// What a filter that is used without the shim lets the runtime do. runc installs a container's
// filter before it executes the container's program, and makes calls of its own in between (K8).
// The shim knows by the moment that these are the runtime's; a filter alone has to allow them for
// ever. Pure; what a node's runtime calls is measured by enforcer/recorder/calibration.h.
//
// Allowed is the union of what was measured and of a list in the source, for four reasons:
// - Where the filter is installed depends on noNewPrivileges, which no filter says: so measured
//   means both orders, and exec sessions as well as starts.
// - A measurement is one sample of one container. Calls of Go's scheduler come and go, and another
//   user, group or label may take other calls.
// - The file outlives the runtime it was made on: it is carried to other nodes, and kept over
//   upgrades. The list is that of all versions that were measured for this source.
// - The list costs little: runc 1.3.6 makes all of its calls but getgid.
// What was measured and is in the danger set stays out all the same: only a person allows that.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace ward::profiles {

struct RuntimeCalls {
  std::set<std::string> allowed;      // whatever their arguments; clone without new namespaces
  std::vector<std::string> left_out;  // measured, and in the danger set; sorted
};

// `measured`: names; empty where nothing was measured, and then the list alone is allowed.
RuntimeCalls runtime_calls(const std::set<std::string>& measured);

// Made by Go's scheduler, its collector or its signals, at moments of their own: such a call says
// nothing about the version of a runtime.
bool is_of_scheduler(std::string_view syscall);

}  // namespace ward::profiles
