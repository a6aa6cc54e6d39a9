// SPDX-License-Identifier: Apache-2.0
// What wardd.yaml (profiles/yaml/node_config.h) means to the parts of wardd.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "enforcer/evidence/retention.h"
#include "enforcer/journal/journal.h"
#include "lib/base/result.h"
#include "profiles/yaml/node_config.h"
#include "ward/node/v1/compiled.pb.h"

namespace ward::enforcer {

struct Config : profiles::NodeConfig {
  JournalLimits journal;
  EvidenceLimits evidence;  // of all bundles
};

Result<Config> parse_config(std::string_view text, std::string_view file_name);
std::vector<std::string> problem_lines(
    const Error& refusal);  // of parse_config: one for each thing that is wrong

// What is well formed and refers to nothing on this node, as file:line:column: what. Looks at the
// node.
Result<void> check_references(const Config& config, std::string_view file_name);

// The part that shims obey.
node::v1::NodeSettings node_settings(const Config& config);

}  // namespace ward::enforcer
