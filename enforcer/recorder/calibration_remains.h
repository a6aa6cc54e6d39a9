// SPDX-License-Identifier: Apache-2.0
// What a calibration (calibration.h) leaves where wardd is killed in the middle of it: a container
// that waits to be started, or its program, its cgroups and its directory. Names say whose they
// are, so that the next start of wardd finds them without any record, and takes nothing of another
// node's.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "lib/base/result.h"

namespace ward::recorder {

// How the names of a work directory's calibrations begin: of their containers, directories and
// cgroups.
std::string calibration_prefix(const std::filesystem::path& work_directory);

// Ends the container's processes and removes its cgroups and its directory with the runtime's
// record of it. Nothing to do is success; waits at most three seconds.
Result<void> clear_calibration(const std::filesystem::path& work_directory, const std::string& id);

struct ClearedCalibrations {
  std::vector<std::string> removed;   // ids
  std::vector<std::string> problems;  // of what is still there, with the reason
};

// Whatever is there. For the start of wardd: nobody may be calibrating in this work directory.
ClearedCalibrations clear_abandoned_calibrations(const std::filesystem::path& work_directory);

}  // namespace ward::recorder
