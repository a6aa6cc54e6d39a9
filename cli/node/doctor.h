// SPDX-License-Identifier: Apache-2.0
// Looks at a node and changes nothing.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/node/binaries.h"
#include "cli/node/containerd.h"
#include "cli/node/cri.h"
#include "cli/node/finding.h"
#include "cli/node/kernel_facts.h"
#include "cli/node/record.h"

namespace ward::cli::node {

struct RuntimeFacts {
  std::string name;     // runc, crun
  std::string program;  // empty: not found
  std::string said;     // by --version
};

struct NodeFacts {
  KernelFacts kernel;
  std::vector<Daemon> daemons;  // all that answer at a usual socket, or at the one that was named
  std::optional<Daemon> daemon;
  std::string daemon_error;        // why there is none
  std::optional<Settings> config;  // its reading
  std::string config_error;        // why it has none
  int config_version = 0;          // of the file; 0: not known
  std::optional<CriState> cri;
  std::vector<std::string> created_tasks;
  std::vector<RuntimeFacts> runtimes;
  std::optional<Record> record;
  std::string record_error;
  std::optional<std::string> block;  // in the file where the record has it
  std::string other_shim;            // one that stands before ours in containerd's PATH
  ShimUse use;
  std::vector<std::string> lost_shims;  // that bundles name and that are not there
  bool shim_there = false;
  bool wardd_answers = false;
};

NodeFacts read_node(const Places& places, const std::filesystem::path& socket);

// Pure, all of them.
Findings containerd_findings(const NodeFacts& facts);
Findings runtime_findings(const NodeFacts& facts);
Findings ward_findings(const NodeFacts& facts);
Findings all_findings(const NodeFacts& facts);

}  // namespace ward::cli::node
