// SPDX-License-Identifier: Apache-2.0
// What an installation would change, worked out and proved with containerd's own reading of it
// before anything is changed. Leaves nothing behind but what stands in the Plan.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/node/containerd.h"
#include "cli/node/gate.h"
#include "cli/node/handler_block.h"
#include "cli/node/layout.h"
#include "cli/node/record.h"

namespace ward::cli::node {

struct ConfigPlan {
  Way way = Way::kNone;
  Layout layout;
  std::filesystem::path written;        // behind a symbolic link the file itself
  std::optional<std::string> old_text;  // of `written`; nothing: there is none
  std::string rest;                     // without Ward's part
  std::string new_text;
  std::string block;
  bool creates = false;             // the file is Ward's making, as a whole
  Settings before;                  // containerd's reading without Ward's part
  std::vector<Difference> changes;  // of that reading
  [[nodiscard]] bool changes_file() const { return !old_text || *old_text != new_text; }
};

// kFailedPrecondition where the gate stays shut: the difference is in the message. `record` is what
// an earlier run wrote, where there was one.
Result<ConfigPlan> plan_config(const Daemon& daemon, const Handler& handler,
                               const std::optional<Record>& record);

// Taking Ward's part out again; proved likewise. `daemon` may be one that does not answer. Refused
// too where the handler is a default of the node, or would still be in what containerd reads.
Result<ConfigPlan> plan_removal(const Daemon& daemon, const Record& record);

// Before the programs go: kFailedPrecondition where containerd reads the handler still, whoever
// wrote it, or where that cannot be told. Nothing: no start of it would need them.
Result<void> verify_removal(const Daemon& daemon, const Record& record);

// kFailedPrecondition: the file is not what the plan was made from any more.
Result<void> check_unchanged(const ConfigPlan& plan);

// After a restart: whether the configuration now reads as the plan said. Nothing: yes.
Result<void> verify_config(const Daemon& daemon, const ConfigPlan& plan,
                           const std::string& handler);

// What containerd reads now, or would without the part of Ward's that is in it.
Result<Settings> reading_without(const Daemon& daemon, const std::optional<Record>& record);

// Whether its CRI plugin is there and not switched off.
bool has_cri(const Settings& dump);

// Of both plans: why the gate stays shut, and the file itself behind a symbolic link.
Error shut(const Daemon& daemon, const std::string& why, const std::string& difference);
Error is_default(const Daemon& daemon, const std::string& handler,
                 const std::vector<std::string>& settings);
std::filesystem::path behind_links(const std::filesystem::path& path);

}  // namespace ward::cli::node
