// SPDX-License-Identifier: Apache-2.0
// One wardd for each run directory and for each state directory. A claim is a lock on the directory
// itself and one on "wardd.lock" in it, which says who has it: the file may be removed, and another
// made.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "lib/base/places.h"
#include "lib/base/result.h"
#include "lib/base/unique_fd.h"

namespace ward::enforcer {

class NodeClaim {
 public:
  // Makes the directories that wardd owns (0700, root's) and claims two of them for as long as the
  // claim lives. kAlreadyExists where another wardd has one.
  static Result<NodeClaim> take(const Places& places);

  // What was removed or replaced meanwhile is made and claimed again. kAlreadyExists where another
  // wardd was faster: what it claimed is its own, and this one has to end.
  [[nodiscard]] Result<void> keep();

 private:
  struct Claimed {
    std::filesystem::path directory;
    UniqueFd held_directory;
    UniqueFd held_file;  // none where the disk takes no file
  };
  explicit NodeClaim(const Places& places);
  Result<void> claim(Claimed& claimed) const;

  std::vector<std::filesystem::path> owned_;
  std::string holder_;  // what "wardd.lock" says
  std::vector<Claimed> claimed_;
};

}  // namespace ward::enforcer
