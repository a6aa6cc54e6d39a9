// SPDX-License-Identifier: Apache-2.0
#include "lib/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "lib/base/digest.h"
#include "lib/base/fault.h"
#include "lib/base/scope_exit.h"
#include "lib/base/unique_fd.h"
#include "lib/base/write_all.h"

namespace ward {
namespace {

Result<std::string> read_all(const UniqueFd& fd, const std::filesystem::path& path,
                             std::size_t max_bytes) {
  std::string content;
  // /proc and /sys files have no size: read until the end.
  std::string chunk(16384, '\0');
  for (;;) {
    const ssize_t n = ::read(fd.get(), chunk.data(), chunk.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return fail_errno("read '" + path.string() + "'");
    }
    if (n == 0) return content;
    if (content.size() + static_cast<std::size_t>(n) > max_bytes) {
      return fail(Code::kResourceExhausted,
                  "'" + path.string() + "' is larger than " + std::to_string(max_bytes) + " bytes");
    }
    content.append(chunk, 0, static_cast<std::size_t>(n));
  }
}

}  // namespace

Result<void> write_all(int fd, std::string_view content, const std::string& what) {
  while (!content.empty()) {
    const ssize_t n = ::write(fd, content.data(), content.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return fail_errno(what);
    }
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

Result<std::string> read_file(const std::filesystem::path& path, std::size_t max_bytes) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno("open '" + path.string() + "'");
  return read_all(fd, path, max_bytes);
}

Result<std::string> read_regular_file(const std::filesystem::path& path, std::size_t max_bytes) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd) return fail_errno("open '" + path.string() + "'");
  struct stat status = {};
  if (::fstat(fd.get(), &status) != 0) return fail_errno("stat '" + path.string() + "'");
  if (!S_ISREG(status.st_mode))
    return fail(Code::kInvalidArgument, "'" + path.string() + "' is no regular file");
  return read_all(fd, path, max_bytes);
}

Result<void> write_file_atomically(const std::filesystem::path& path, std::string_view content,
                                   mode_t mode, Durability durability) {
  const std::string temporary = path.string() + ".tmp-" + random_hex(6);
  UniqueFd fd(
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!fd) return fail_errno("create '" + temporary + "'");
  ScopeExit remove([&] { ::unlink(temporary.c_str()); });
  if (::fchmod(fd.get(), mode) != 0) return fail_errno("chmod '" + temporary + "'");
  if (auto written = write_all(fd.get(), content, "write '" + temporary + "'"); !written)
    return written;
  if (durability == Durability::kSync && ::fsync(fd.get()) != 0)
    return fail_errno("fsync '" + temporary + "'");
  if constexpr (fault::kEnabled) {
    if (auto ok = fault::point("rename." + path.filename().string()); !ok) return ok;
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0)
    return fail_errno("rename to '" + path.string() + "'");
  remove.dismiss();
  if (durability == Durability::kNone) return {};
  const std::filesystem::path parent =
      path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  const UniqueFd directory(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::fsync(directory.get()) != 0)
    return fail_errno("fsync '" + parent.string() + "'");
  return {};
}

}  // namespace ward
