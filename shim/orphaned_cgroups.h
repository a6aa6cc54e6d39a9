// SPDX-License-Identifier: Apache-2.0
// The cgroups of a container whose shim is gone, for `delete`: ends every process in them, frozen or not, and removes
// them. The runtime's own forced delete knows the freezer it uses itself, not the one a quarantine used, and gives the
// kernel a third of a second to empty them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "lib/base/result.h"

namespace ward::shim {

struct OrphanedCgroups {
  std::filesystem::path unified;           // empty: none
  std::filesystem::path freezer;           // of cgroup v1; empty: none
  std::vector<std::filesystem::path> all;  // every hierarchy's
};

// From the runtime's record of the container (runc's state.json, `cgroup_paths`); empty where it keeps none. A pid
// would not do: after the shim's death it may be somebody else's.
OrphanedCgroups read_orphaned_cgroups(const std::filesystem::path& runtime_root, const std::string& id);

// Kills, thaws and waits until all are dead, at most two seconds (containerd gives `delete` five).
Result<void> end_processes(const OrphanedCgroups& cgroups);

// What the runtime's delete has left of them; waits at most a second for the kernel to let go.
Result<void> remove_cgroups(const OrphanedCgroups& cgroups);

// What the runtime's delete does with a container whose processes are all dead: its cgroups and its record, at once or
// not at all. False, with the record in place, where a cgroup is still busy or the runtime keeps no such record.
[[nodiscard]] bool try_delete(const std::filesystem::path& runtime_root, const std::string& id);

}  // namespace ward::shim
