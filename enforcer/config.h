// SPDX-License-Identifier: Apache-2.0
// <config>/wardd.yaml, kind NodeConfig: the few things of a node that no profile or policy says. The file is optional.
// Strict like every Ward document; docs/operations.md lists the keys.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "enforcer/journal/journal.h"
#include "lib/base/result.h"
#include "ward/node/v1/compiled.pb.h"

namespace ward::enforcer {

struct Config {
  JournalLimits journal;
  std::uint32_t runs_per_workload = 64;      // recordings kept; the oldest go first
  std::chrono::seconds quarantine_ttl{600};  // then killed; 0: held until a person decides
  std::uint32_t evidence_max_bytes = 0;      // of one bundle; 0: the shim's own limit
  std::uint32_t evidence_max_files = 0;
  bool evidence_full = false;  // values of environment and arguments are kept, not redacted
  std::string runtime_binary;  // empty: runc from PATH
  std::string metrics_listen;  // "127.0.0.1:9464"; empty: no metrics endpoint
};

Result<Config> parse_config(std::string_view text, std::string_view file_name);

// The part that shims obey.
node::v1::NodeSettings node_settings(const Config& config);

}  // namespace ward::enforcer
