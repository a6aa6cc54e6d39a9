// SPDX-License-Identifier: Apache-2.0
// A count that outlives the process that keeps it, however that ends: one small file whose room is
// taken when it is made, and plain writes (the page cache survives a SIGKILL, not the machine).
// Keep it on a tmpfs: then no disk can be full, or slow. A process holds the lock (flock) of its
// tally for as long as it lives; an heir reads it and removes it.
//   <id>.tally       of one process; `<id>` may have more in front of its last '-'
//   <key>-<id>.lost  what processes that ended could not place anywhere, one file for each key;
//   nobody's
//   .<name>.new      one that is being made: it gets its name when it is complete, and locked
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>

#include "lib/base/result.h"
#include "lib/base/unique_fd.h"

namespace ward {

inline constexpr std::size_t kMaxTallies = 4096;  // files in a directory; beyond them none is made
inline constexpr std::size_t kManyTallies =
    256;  // from here on who ends adds to a .lost file instead
inline constexpr std::size_t kMaxTallyAbout = 2048;   // bytes
inline constexpr std::size_t kTallyFileBytes = 4096;  // one page
inline constexpr std::string_view kTallySuffix = ".tally";
inline constexpr std::string_view kLostSuffix = ".lost";

// Below the run directory: it is a tmpfs on every distribution.
inline std::filesystem::path tallies_below(const std::filesystem::path& run) {
  return run / "tallies";
}

struct TallyContent {
  std::uint64_t count = 0;
  std::string merged;  // the name of the file whose count was added last
  std::string about;   // whose count it is; opaque
};
Result<TallyContent> parse_tally(std::string_view bytes);

class Tally {
 public:
  // A new file. kResourceExhausted: there are too many, or no space; kAlreadyExists: the name is
  // taken.
  static Result<Tally> create(const std::filesystem::path& path, std::string_view about);
  // The tally of a process that has ended. kFailedPrecondition: it lives; kNotFound: it is gone.
  static Result<Tally> take_over(const std::filesystem::path& path);

  Result<void> set(std::uint64_t count);  // one write of eight bytes
  [[nodiscard]] bool is_named() const;    // else nobody will read it (locked_file.h)
  [[nodiscard]] const TallyContent& content() const { return content_; }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  Result<void> remove();

  // Adds `count` to the .lost file of `key` and removes the tally `own` (its name; may be absent),
  // so that a reader never sees both, even if we die in between.
  static Result<void> add_to_lost(const std::filesystem::path& directory, const std::string& key,
                                  std::string_view about, std::uint64_t count,
                                  const std::string& own);

 private:
  Tally(UniqueFd file, std::filesystem::path path, TallyContent content);

  UniqueFd file_;
  std::filesystem::path path_;
  TallyContent content_;
};

// Tallies whose count is in a .lost file: where they are still there, their process died between
// the addition and the removal. Take the tallies' locks before you ask: then nobody adds them
// later.
Result<std::set<std::string>> tallies_in_sums(const std::filesystem::path& directory);

// Removes what somebody began to make and did not finish, if `name` is of such a file.
void remove_unfinished(const std::filesystem::path& directory, const std::string& name);

// "a-b-c.tally" -> "c"
std::string tally_id(std::string_view file_name);

// Is there an `<id>.tally`, whatever is in front of the id?
bool find_tally(const std::filesystem::path& directory, const std::string& id);

// How many there are, at most kMaxTallies + 1.
std::size_t count_tallies(const std::filesystem::path& directory);

}  // namespace ward
