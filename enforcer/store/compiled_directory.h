// SPDX-License-Identifier: Apache-2.0
// <state>/compiled: what shims read at every start (I1). Profiles first, then the index that names them, each
// atomically and on disk before it counts; what is there already is not written again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "profiles/resolve.h"

namespace ward::enforcer {

class CompiledDirectory {
 public:
  explicit CompiledDirectory(std::filesystem::path directory);

  // The index in force; one that is damaged, or none, counts as empty with generation 0.
  [[nodiscard]] node::v1::CompiledIndex read_index() const;

  // Puts the resolved set in force; true where that changed anything. `resolved.index.generation` is set here: one more
  // than the one before. On an error the index of before is still there, whole.
  Result<bool> put_in_force(profiles::Resolved& resolved);

  // Removes profiles that the index no longer names, that nobody uses, and that have been so for a while.
  void collect_garbage(const std::set<std::string>& digests_in_use);

 private:
  [[nodiscard]] std::filesystem::path file(const std::string& sha256) const {
    return directory_ / (sha256 + ".profile");
  }

  std::filesystem::path directory_;
};

}  // namespace ward::enforcer
