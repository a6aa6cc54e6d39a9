// SPDX-License-Identifier: Apache-2.0
// Brings the violations of dead shims into the journal: the spool files that nobody holds any more.
// A living shim delivers its own. A file goes away only when the journal has all of it (I4). A
// replay that begins again goes on where the journal has it to (replay_place.h). Core loop only.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "enforcer/journal/journal.h"
#include "enforcer/journal/replay_place.h"
#include "lib/spool/spool.h"

namespace ward::enforcer {

class SpoolReplay {
 public:
  // `tallies`: where a shim's tally says how many violations it saw, so that damage need not be
  // guessed at.
  SpoolReplay(Journal& journal, std::filesystem::path directory, std::filesystem::path tallies);

  void scan();  // takes over what it finds; at start, when a shim is gone, when a file changed, and
                // now and then
  [[nodiscard]] std::vector<std::string> problems() const;

 private:
  struct Taken {
    Spool spool;
    ReplayPlace place;
  };
  void forget_files_but(const std::set<std::filesystem::path>& found);
  void take(const std::filesystem::path& path);
  void pass_on(const std::string& name);
  void finish(const std::string& name);

  Journal& journal_;
  std::filesystem::path directory_;
  std::filesystem::path tallies_;
  bool more_ = false;                                    // than are read at once
  bool listed_ = false;                                  // once at least
  std::map<std::string, std::shared_ptr<Taken>> taken_;  // by file name
  std::map<std::string, std::string> problems_;          // by file name
};

}  // namespace ward::enforcer
