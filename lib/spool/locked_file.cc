// SPDX-License-Identifier: Apache-2.0
#include "lib/spool/locked_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace ward {
namespace {

constexpr int kMaxOpenAttempts = 8;

}  // namespace

// A process that took a file over removes it while holding its lock, so a lock on a file without a
// name is none.
Result<LockedFile> open_locked(const std::filesystem::path& path, int flags,
                               const std::string& what) {
  for (int attempt = 0; attempt < kMaxOpenAttempts; ++attempt) {
    UniqueFd file(::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
    if (!file) return fail_errno("open " + what);
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK)
        return fail(Code::kFailedPrecondition, what + " is held by a living process");
      return fail_errno("lock " + what);
    }
    struct stat mine {};
    struct stat named {};
    if (::fstat(file.get(), &mine) != 0) return fail_errno("stat " + what);
    if (!S_ISREG(mine.st_mode))
      return fail(Code::kInvalidArgument, what + " is not a regular file");
    if (::stat(path.c_str(), &named) == 0 && named.st_ino == mine.st_ino &&
        named.st_dev == mine.st_dev) {
      return LockedFile{std::move(file), static_cast<std::uint64_t>(mine.st_size)};
    }
  }
  return fail(Code::kAborted, what + " is removed as fast as it is made");
}

bool is_named(const UniqueFd& file, const std::filesystem::path& path) {
  struct stat mine {};
  struct stat named {};
  if (::fstat(file.get(), &mine) != 0) return true;
  if (::lstat(path.c_str(), &named) != 0) return errno != ENOENT && errno != ENOTDIR;
  return named.st_ino == mine.st_ino && named.st_dev == mine.st_dev;
}

Result<void> make_spool_directory(const std::filesystem::path& directory) {
  if (::mkdir(directory.c_str(), 0700) == 0 || errno == EEXIST) return {};
  std::error_code ignored;  // what cannot be made shows below
  std::filesystem::create_directories(directory.parent_path(), ignored);
  if (::mkdir(directory.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return fail_errno("mkdir '" + directory.string() + "'");
}

}  // namespace ward
