// SPDX-License-Identifier: Apache-2.0
// Takes an installation back that did not come through: to what was there before it, or before the
// one that was killed. What others wrote meanwhile stays.
#pragma once

#include <optional>
#include <string>

#include "cli/node/install.h"
#include "cli/node/plan.h"
#include "cli/node/record.h"

namespace ward::cli::node {

struct Attempt {
  const Places& places;
  const Options& options;
  const std::optional<Record>& found;  // the record that was there; not one of a kept shim
  const Record& now;
  const ConfigPlan& plan;
  const Daemon& daemon;
  std::string options_file;                   // empty: none was to be written
  std::optional<std::string> options_before;  // what it said
  bool restart_begun = false;
};

// The same error, with what became of the rest.
Error take_back(const Attempt& attempt, Error why);

}  // namespace ward::cli::node
