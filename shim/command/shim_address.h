// SPDX-License-Identifier: Apache-2.0
// Which socket serves a container: all containers of a pod share one (docs/shim-contract.md C57).
// The start and the delete command must come to the same answer.
#pragma once

#include <filesystem>
#include <string>

#include "lib/base/result.h"

namespace ward::shim::command {

inline constexpr const char* kDefaultSocketDirectory = "/run/containerd/s";

// The pod's id by the annotations in <bundle>/config.json, else the container's own.
Result<std::string> read_grouping(const std::filesystem::path& bundle, const std::string& id);

// Pure. The path, without "unix://".
std::string shim_socket_path(const std::string& socket_directory,
                             const std::string& containerd_address,
                             const std::string& containerd_namespace, const std::string& grouping);

}  // namespace ward::shim::command
