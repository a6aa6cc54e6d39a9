// SPDX-License-Identifier: Apache-2.0
#include "cli/node/text_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/file.h"

namespace ward::cli::node {
namespace fs = std::filesystem;

Result<void> write_text_file(const fs::path& path, std::string_view text) {
  if (const auto there = read_regular_file(path); there && *there == text) return {};
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  struct stat status = {};
  const bool known = ::stat(path.c_str(), &status) == 0;
  if (auto written =
          write_file_atomically(path, text, known ? status.st_mode & 07777U : mode_t{0644});
      !written)
    return written;
  if (known && ::chown(path.c_str(), status.st_uid, status.st_gid) != 0)
    return fail_errno("give '" + path.string() + "' its owner");
  return {};
}

Result<void> remove_text_file(const fs::path& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT)
    return fail_errno("remove '" + path.string() + "'");
  return {};
}

Result<void> remove_made_file(const fs::path& path, std::string_view head) {
  const auto text = read_regular_file(path);
  if (!text || text->compare(0, head.size(), head) != 0) return {};
  return remove_text_file(path);
}

}  // namespace ward::cli::node
