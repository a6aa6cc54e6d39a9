// SPDX-License-Identifier: Apache-2.0
#include "lib/base/named_output.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "lib/base/file.h"
#include "lib/base/unique_fd.h"
#include "lib/base/write_all.h"

namespace ward {
namespace {

Result<void> write_in_place(const std::filesystem::path& path, std::string_view content, int flags,
                            mode_t mode) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_NOCTTY | O_CLOEXEC | flags, mode));
  if (!fd) return fail_errno("open '" + path.string() + "'");
  if (auto written = write_all(fd.get(), content, "write '" + path.string() + "'"); !written)
    return written;
  // Some file systems report a full disk only here.
  if (::close(fd.release()) != 0) return fail_errno("close '" + path.string() + "'");
  return {};
}

}  // namespace

Result<void> write_named_output(const std::filesystem::path& path, std::string_view content,
                                mode_t mode) {
  struct stat target {};
  if (::stat(path.c_str(), &target) != 0) {
    if (errno != ENOENT) return fail_errno("stat '" + path.string() + "'");
    // A link that points to nothing yet: the file is made where it points to.
    std::error_code error;
    if (std::filesystem::is_symlink(path, error))
      return write_in_place(path, content, O_CREAT, mode);
    return write_file_atomically(path, content, mode);
  }
  if (!S_ISREG(target.st_mode)) return write_in_place(path, content, 0, mode);
  std::error_code error;
  const auto file = std::filesystem::canonical(path, error);
  if (error) return fail_errno("resolve '" + path.string() + "'", error.value());
  return write_file_atomically(file, content, mode);
}

}  // namespace ward
