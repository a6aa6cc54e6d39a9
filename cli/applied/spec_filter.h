// SPDX-License-Identifier: Apache-2.0
// The filter that a container's effective spec says: config.json of its bundle, as it was started.
// Which directory that is comes from its shim. Reads of a node's own files; root alone can.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

#include "lib/linux/loaded_filters.h"

namespace ward::cli {

// Of containerd's directory for bundles, with the log of a shim's first container in it, which the
// shim keeps open as its standard error. kNotFound where the shim is gone.
Result<std::filesystem::path> find_bundle(pid_t shim, const std::string& containerd_namespace,
                                          const std::string& id,
                                          const std::filesystem::path& proc = "/proc");

struct SpecFilter {
  std::filesystem::path file;
  bool has_filter = false;
  // What a runtime loads for it. One filter can be written in several ways, so there may be more
  // than one; the first is the one of current runtimes.
  std::vector<SeccompProgram> programs;
};

Result<SpecFilter> read_spec_filter(const std::filesystem::path& bundle);

}  // namespace ward::cli
