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

// Taking Ward's part out again; proved likewise. `daemon` may be one that does not answer.
Result<ConfigPlan> plan_removal(const Daemon& daemon, const Record& record);

// After a restart: whether the configuration now reads as the plan said. Nothing: yes.
Result<void> verify_config(const Daemon& daemon, const ConfigPlan& plan,
                           const std::string& handler);

// What containerd reads now, or would without the part of Ward's that is in it.
Result<Settings> reading_without(const Daemon& daemon, const std::optional<Record>& record);

// Whether its CRI plugin is switched off.
bool has_cri(const Settings& dump);

}  // namespace ward::cli::node
