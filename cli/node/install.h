// SPDX-License-Identifier: Apache-2.0
// Ward onto a node and off it again. Each can be killed at any moment and run again: what is under
// way is written down before it is done, and every step looks at what is there.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/node/gate.h"
#include "lib/base/places.h"
#include "lib/base/result.h"

namespace ward::cli::node {

enum class Verb { kInstall, kUpgrade, kUninstall };

struct Options {
  std::filesystem::path from;     // the folder of the programs; empty: that of this one
  std::filesystem::path bin_dir;  // empty: chosen
  std::filesystem::path socket;   // empty: the one containerd of the node
  std::string handler;            // empty: as it is, else "ward"
  std::string restart_command;    // for a node without systemd
  std::chrono::seconds patience{60};
  bool dry_run = false;
};

struct Outcome {
  std::string version;
  std::string config;   // that containerd reads
  std::string written;  // the file that was changed; empty: none
  std::string way;
  std::string file_difference;      // of its lines
  std::vector<Difference> changes;  // of what containerd reads
  std::vector<std::string> done;    // a line each
  std::vector<std::string> notes;   // what a person should know
  bool restarted = false;
  bool restart_needed = false;  // by a person, for nothing here can
};

Result<Outcome> install(const Places& places, const Options& options, Verb verb);
Result<Outcome> uninstall(const Places& places, const Options& options);

}  // namespace ward::cli::node
