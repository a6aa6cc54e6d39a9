// SPDX-License-Identifier: Apache-2.0
#include "enforcer/database/database_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "lib/base/clock.h"
#include "lib/base/unique_fd.h"

namespace ward::enforcer {
namespace {

constexpr std::array<const char*, 3> kSuffixes{"", "-wal", "-shm"};

Result<void> sync(const std::filesystem::path& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file || ::fsync(file.get()) != 0) return fail_errno("sync '" + path.string() + "'");
  return {};
}

Result<void> move(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (::rename(from.c_str(), to.c_str()) == 0 || errno == ENOENT) return {};
  return fail_errno("rename '" + from.string() + "'");
}

}  // namespace

DatabaseFiles::DatabaseFiles(std::filesystem::path database) : database_(std::move(database)) {}

std::filesystem::path DatabaseFiles::with(const char* suffix) const {
  return database_.string() + suffix;
}

DatabaseFiles::Identity DatabaseFiles::identify(const std::filesystem::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return {};
  return {status.st_dev, status.st_ino, status.st_size};
}

void DatabaseFiles::note() {
  for (std::size_t i = 0; i < kSuffixes.size(); ++i)
    opened_.at(i) = identify(with(kSuffixes.at(i)));
}

DatabaseFiles::Found DatabaseFiles::look() {
  for (std::size_t i = 0; i < kSuffixes.size(); ++i) {
    const auto path = with(kSuffixes.at(i));
    const Identity now = identify(path);
    if (now.is_same_file(opened_.at(i))) {
      if (i == 1 && now.size < opened_.at(i).size)
        return {Harm::kCut, "'" + path.string() + "' was cut short"};
      opened_.at(i).size = now.size;
      continue;
    }
    return {i == 0 ? Harm::kDatabase : Harm::kLog,
            "'" + path.string() + "' was " + (now == Identity{} ? "removed" : "replaced")};
  }
  return {};
}

std::filesystem::path DatabaseFiles::copy() const { return with(".copying"); }

Result<void> DatabaseFiles::seal_copy() const {
  if (auto synced = sync(copy()); !synced) return synced;
  if (auto moved = move(copy(), with(".rescued")); !moved) return moved;
  return sync(database_.parent_path());
}

Result<void> DatabaseFiles::put_copy_in_place() const {
  if (identify(with(".rescued")) == Identity{}) return {};
  const std::string found = ".found-" + std::to_string(wall_ns());
  // A -wal that is left behind would be played into the copy.
  for (const char* suffix : kSuffixes) {
    if (auto moved = move(with(suffix), with((found + suffix).c_str())); !moved) return moved;
  }
  if (auto moved = move(with(".rescued"), database_); !moved) return moved;
  return sync(database_.parent_path());
}

}  // namespace ward::enforcer
