// SPDX-License-Identifier: Apache-2.0
// The path of a listening unix socket, removed when its owner stops, so that nobody finds a socket
// that answers no one, and bound anew where somebody else removed it.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <utility>

#include "lib/base/result.h"
#include "lib/base/unique_fd.h"

namespace ward::enforcer {

class SocketFile {
 public:
  SocketFile() = default;
  explicit SocketFile(std::filesystem::path path) : path_(std::move(path)) {}

  // A new listening socket at the path, which is ours from then on.
  [[nodiscard]] Result<UniqueFd> listen();
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] bool is_there() const;  // the path still is the same socket
  void remove();                        // only where the path still is the same socket

 private:
  std::filesystem::path path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace ward::enforcer
