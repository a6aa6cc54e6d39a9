// SPDX-License-Identifier: Apache-2.0
// The files of one open database: whether they are still the ones that were opened. SQLite goes on
// writing to a file that was removed, and what is in a removed -wal is gone with the process. Used
// by the writer alone.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>

#include "lib/base/result.h"

namespace ward::enforcer {

class DatabaseFiles {
 public:
  explicit DatabaseFiles(std::filesystem::path database);

  void note();  // just opened: these are the ones

  enum class Harm {
    kNone,
    kLog,  // -wal or -shm was removed or replaced: what is committed can be moved into the database
    kDatabase,  // the database itself was: all of it is in the open, nameless file only
    kCut,       // -wal is shorter than it was: what it held is in the database, or gone
  };
  struct Found {
    Harm harm = Harm::kNone;
    std::string what;  // "'/var/lib/ward/ward.db-wal' was removed"
  };
  [[nodiscard]] Found look();

  // A whole copy of the open database goes here, complete only when it has been sealed.
  [[nodiscard]] std::filesystem::path copy() const;
  [[nodiscard]] Result<void> seal_copy() const;
  // Puts a sealed copy in the place of the database, where there is one; what stands there is kept
  // beside it, as "ward.db.found-<time>". To be called while nobody has the database open.
  [[nodiscard]] Result<void> put_copy_in_place() const;

 private:
  struct Identity {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    [[nodiscard]] bool is_same_file(const Identity& other) const {
      return device == other.device && inode == other.inode;
    }
    bool operator==(const Identity&) const = default;
  };
  static Identity identify(const std::filesystem::path& path);
  [[nodiscard]] std::filesystem::path with(const char* suffix) const;

  std::filesystem::path database_;
  std::array<Identity, 3> opened_;  // the database, -wal, -shm
};

}  // namespace ward::enforcer
