// SPDX-License-Identifier: Apache-2.0
// What `ward node` has done to this node, in one file: written before each change, so that whoever
// comes after a kill knows what was under way.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/node/containerd.h"
#include "lib/base/places.h"
#include "lib/base/result.h"
#include "lib/base/unique_fd.h"

namespace ward::cli::node {

enum class Phase { kInstalling, kInstalled, kRemoving, kShimKept };
enum class Way { kNone, kBlock, kDropIn, kTemplate };  // where the handler is written

struct Record {
  Phase phase = Phase::kInstalling;
  std::string version;
  std::string handler;
  Way way = Way::kNone;
  Daemon daemon;                  // as it was found
  std::filesystem::path written;  // the file with the block
  std::string created;  // digest of the rest, where Ward made the file; empty: it was there
  std::string block;
  std::filesystem::path options;  // the file of options; empty: none, or not ours
  std::filesystem::path bin_dir;
  std::vector<std::string> programs;  // that were put there; none where they came with a package
  // Of an installation that has not ended: what it puts where there was nothing, and what an
  // earlier one had to leave behind.
  std::vector<std::string> made, kept;
  // What was in force before an installation that has not ended; empty: nothing.
  std::string previous_block;
  std::string previous_version;
  // The containerd that has to be restarted for what is written: "PID:START"; empty: none.
  std::string stale_daemon;
};

std::string_view word(Phase phase);
std::string_view word(Way way);
std::string identity(const Daemon& daemon);  // of the process: "PID:START"

std::filesystem::path record_path(const Places& places);

// Nothing: nothing is installed. kFailedPrecondition where it cannot be understood.
Result<std::optional<Record>> read_record(const Places& places);
Result<void> write_record(const Places& places, const Record& record);
Result<void> remove_record(const Places& places);

// For as long as the descriptor lives; kFailedPrecondition: another one is at work.
Result<UniqueFd> lock_node(const Places& places);

}  // namespace ward::cli::node
