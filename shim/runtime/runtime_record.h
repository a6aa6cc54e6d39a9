// SPDX-License-Identifier: Apache-2.0
// What libcontainer (runc) has written down of a container, <root>/<id>/state.json: its cgroups,
// and whether the start and the delete of it are more than what the record says. A pid would not do
// for what is left of a dead shim's container: it may be somebody else's by then. Source: runc 1.1
// to 1.4, libcontainer/container_linux.go (State) and configs/config.go (Hooks)
#pragma once

#include <filesystem>
#include <string>

#include "lib/linux/orphaned_cgroups.h"

namespace ward::shim::runtime {

struct RuntimeRecord {
  OrphanedCgroups cgroups;        // `cgroup_paths`
  bool is_libcontainers = false;  // false: none, torn, or of a runtime that keeps other records
  // Hooks that are run, or a resource-control group that is removed. A wrapper of the runtime may
  // have added them at create.
  bool has_work_at_start = true;
  bool has_work_at_delete = true;
};

RuntimeRecord read_runtime_record(const std::filesystem::path& runtime_root, const std::string& id);

// A binary named runc, by whatever link it is reached, and no script: a wrapper has its own idea of
// a start and a delete, and so has another runtime that is only called runc.
bool is_plain_runc(const std::filesystem::path& binary);

// What the runtime's delete does with a container whose processes are all dead, where that is no
// more than its cgroups and its record. False, with the record in place, where a cgroup is busy or
// has others below it: their removal takes its time, and the caller answers other containers.
[[nodiscard]] bool try_delete(const std::filesystem::path& runtime_root, const std::string& id);

}  // namespace ward::shim::runtime
