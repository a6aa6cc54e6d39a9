// SPDX-License-Identifier: Apache-2.0
// Which cgroups a container has whose shim is gone, for `delete`.
#pragma once

#include <filesystem>
#include <string>

#include "lib/linux/orphaned_cgroups.h"

namespace ward::shim {

// From the runtime's record of the container (runc's state.json, `cgroup_paths`); empty where it keeps none. A pid
// would not do: after the shim's death it may be somebody else's.
OrphanedCgroups read_orphaned_cgroups(const std::filesystem::path& runtime_root, const std::string& id);

// What the runtime's delete does with a container whose processes are all dead: its cgroups and its record, at once or
// not at all. False, with the record in place, where a cgroup is still busy or the runtime keeps no such record.
[[nodiscard]] bool try_delete(const std::filesystem::path& runtime_root, const std::string& id);

}  // namespace ward::shim
