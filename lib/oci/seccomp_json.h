// SPDX-License-Identifier: Apache-2.0
// linux.seccomp between JSON and values, for the readers and writers of this folder. Only the names
// of the JSON library's types appear here.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "lib/base/result.h"
#include "lib/oci/seccomp.h"

namespace ward::oci {

nlohmann::ordered_json seccomp_to_tree(const Seccomp& seccomp);
Result<Seccomp> seccomp_from_tree(const nlohmann::ordered_json& tree);  // does not throw
// Says no more than that there is no filter: neither a default action nor a rule. runc and crun
// load none.
bool says_no_filter(const nlohmann::ordered_json& tree);

// A tree of text within the bounds of config.json; kInvalidArgument with the parser's reason. Does
// not throw.
Result<nlohmann::ordered_json> parse_tree(std::string_view text);

}  // namespace ward::oci
