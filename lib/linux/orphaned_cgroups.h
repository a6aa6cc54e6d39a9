// SPDX-License-Identifier: Apache-2.0
// The cgroups of a container whose owner is gone: ends every process in them, frozen or not, and
// removes them. A runtime's own forced delete knows the freezer it uses itself, not one that
// somebody else used, and gives the kernel a third of a second to empty them; where its record was
// never written it knows nothing at all.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "lib/base/result.h"

namespace ward {

struct OrphanedCgroups {
  std::filesystem::path unified;           // empty: none
  std::filesystem::path freezer;           // of cgroup v1; empty: none
  std::vector<std::filesystem::path> all;  // every hierarchy's
};

// Every hierarchy's cgroup `path` ("/a/b", as in cgroupsPath; none where it has "..") that is
// there. A runtime enters them one after the other: where it was cut short, any number of them may
// be.
OrphanedCgroups find_cgroups(const std::string& path);

// Kills, thaws and waits until all are dead, at most two seconds (containerd gives `delete` five).
Result<void> end_processes(const OrphanedCgroups& cgroups);

// Once, without waiting, and not what is below them: true where all of them are gone. Ends at the
// first that stays, because it holds somebody or has others below it.
[[nodiscard]] bool try_remove_cgroups(const OrphanedCgroups& cgroups);

// What is left of them and below them; waits at most a second for the kernel to let go.
Result<void> remove_cgroups(const OrphanedCgroups& cgroups);

}  // namespace ward
