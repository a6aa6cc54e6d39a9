// SPDX-License-Identifier: Apache-2.0
// The `linux.resources` object of a running container's update, as containerd sends it.
// Source: https://github.com/opencontainers/runtime-spec/blob/v1.1.0/config-linux.md
#pragma once

#include <string>
#include <string_view>

#include "lib/base/result.h"

namespace ward::oci {

// The same object for the runtime: checked to be one, and without members that are null (runc 1.1
// takes a null for a present object and crashes). kInvalidArgument with the reason.
Result<std::string> normalize_resources(std::string_view json);

}  // namespace ward::oci
