// SPDX-License-Identifier: Apache-2.0
// The words of the modes, as they stand in YAML and in output.
#pragma once

#include <string>
#include <string_view>

#include "ward/node/v1/types.pb.h"

namespace ward::enforcer {

std::string mode_name(node::v1::Mode mode);        // "enforce"; empty: unspecified
node::v1::Mode parse_mode(std::string_view name);  // MODE_UNSPECIFIED: there is none

}  // namespace ward::enforcer
