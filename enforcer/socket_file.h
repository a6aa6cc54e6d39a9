// SPDX-License-Identifier: Apache-2.0
// The path of a listening unix socket, removed when its owner stops, so that nobody finds a socket that answers no one.
#pragma once

#include <sys/types.h>

#include <filesystem>

namespace ward::enforcer {

class SocketFile {
 public:
  SocketFile() = default;
  explicit SocketFile(std::filesystem::path path);  // just bound

  [[nodiscard]] bool is_there() const;  // the path still is the same socket
  void remove();                        // only where the path still is the same socket; once

 private:
  std::filesystem::path path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace ward::enforcer
