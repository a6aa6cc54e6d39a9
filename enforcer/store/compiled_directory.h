// SPDX-License-Identifier: Apache-2.0
// <state>/compiled: what shims read at every start (I1). Profiles first, then the index that names
// them, each atomically and on disk before it counts; what is there already is not written again.
// Directories that are gone are made again, and the marker of a governed node
// (profiles/filter/governed.h) comes before the first rule. The index of an older version
// (profiles/filter/index_of_before.h) is left as it is, with the profiles that it names.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "lib/base/places.h"
#include "lib/base/result.h"
#include "profiles/filter/governed.h"
#include "profiles/filter/index_reader.h"
#include "profiles/resolve.h"

namespace ward::enforcer {

// What is in force, as it is to lie on disk.
struct InForce {
  node::v1::CompiledIndex index;
  std::string index_bytes;
  std::vector<profiles::SealedBytes> files;  // the compiled profiles that the index names
};

// kResourceExhausted where no shim would read it; kInternal where the reader does not give back
// what was written.
Result<InForce> make_in_force(profiles::Resolved resolved, std::uint64_t generation);

class CompiledDirectory {
 public:
  explicit CompiledDirectory(Places places) : places_(std::move(places)) {}

  // The index as a shim would open it: kNotFound where there is none.
  [[nodiscard]] Result<filter::IndexReader> open_index() const;

  // All of it, with those compiled profiles that are whole; absent where the index is not there or
  // damaged.
  [[nodiscard]] std::optional<InForce> read() const;

  // The same of the index of an older wardd, where this one has never written anything here.
  [[nodiscard]] std::optional<InForce> read_of_before() const;

  // Makes the disk say that. What had to be written, in words for people; nothing where all was
  // there already. On an error the index of before is still there, whole, where there was one.
  Result<std::vector<std::string>> write(const InForce& in_force, const InForce* before);

  // Differs where somebody else may have changed something; the content of a file that was written
  // in place without its directory being touched shows only for the index.
  [[nodiscard]] std::string stamp() const;

  // Removes profiles that no index names any more, that nobody uses, and that have been so for a
  // while.
  void collect_garbage(const std::set<std::string>& digests_in_use);

 private:
  [[nodiscard]] std::filesystem::path file(const std::string& sha256) const {
    return places_.compiled() / (sha256 + ".profile");
  }
  [[nodiscard]] std::optional<InForce> complete(node::v1::CompiledIndex index) const;
  [[nodiscard]] Result<std::set<std::string>> find_named() const;
  Result<void> mark(const InForce& in_force) const;
  Result<void> make_directories(std::vector<std::string>& made) const;

  Places places_;
};

}  // namespace ward::enforcer
