// SPDX-License-Identifier: Apache-2.0
// linux.seccomp between JSON and values, for the readers and writers of this folder. Only the names of the JSON
// library's types appear here.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "lib/base/result.h"
#include "lib/oci/seccomp.h"

namespace ward::oci {

nlohmann::ordered_json seccomp_to_tree(const Seccomp& seccomp);
Result<Seccomp> seccomp_from_tree(const nlohmann::ordered_json& tree);  // does not throw

// A tree of text within the bounds of config.json; kInvalidArgument with the parser's reason. Does not throw.
Result<nlohmann::ordered_json> parse_tree(std::string_view text);

}  // namespace ward::oci
