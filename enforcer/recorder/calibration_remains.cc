// SPDX-License-Identifier: Apache-2.0
#include "enforcer/recorder/calibration_remains.h"

#include <set>

#include "lib/base/digest.h"
#include "lib/base/file.h"
#include "lib/linux/cgroup_paths.h"
#include "lib/linux/orphaned_cgroups.h"

namespace ward::recorder {
namespace {

void add_names_below(const std::filesystem::path& directory, const std::string& prefix,
                     std::set<std::string>& names) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename();
    if (name.rfind(prefix, 0) == 0) names.insert(name);
  }
}

}  // namespace

std::string calibration_prefix(const std::filesystem::path& work_directory) {
  return "ward-calibration-" + sha256_hex(work_directory.string()).substr(0, 8) + "-";
}

Result<void> clear_calibration(const std::filesystem::path& work_directory, const std::string& id) {
  const OrphanedCgroups cgroups =
      find_cgroups("/" + id);  // that is what a calibration container asks for
  if (auto ended = end_processes(cgroups); !ended)
    return fail_with("end the processes of " + id, ended.error());
  if (auto removed = remove_cgroups(cgroups); !removed)
    return fail_with("remove " + id, removed.error());
  // Last: while it is there, a later start knows that there is something to do.
  std::error_code error;
  std::filesystem::remove_all(work_directory / id, error);
  if (error) return fail_errno("remove " + (work_directory / id).string(), error.value());
  return {};
}

ClearedCalibrations clear_abandoned_calibrations(const std::filesystem::path& work_directory) {
  const std::string prefix = calibration_prefix(work_directory);
  std::set<std::string> names;
  add_names_below(work_directory, prefix, names);
  if (const auto mounts = read_cgroup_mounts()) {
    for (const auto& mount : mounts->all) add_names_below(mount, prefix, names);
  }
  ClearedCalibrations cleared;
  for (const std::string& id : names) {
    if (auto done = clear_calibration(work_directory, id)) {
      cleared.removed.push_back(id);
    } else {
      cleared.problems.push_back(done.error().message);
    }
  }
  return cleared;
}

}  // namespace ward::recorder
