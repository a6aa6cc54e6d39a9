// SPDX-License-Identifier: Apache-2.0
#include "enforcer/socket_file.h"

#include <sys/stat.h>
#include <unistd.h>

namespace ward::enforcer {

SocketFile::SocketFile(std::filesystem::path path) : path_(std::move(path)) {
  struct stat status {};
  if (::lstat(path_.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) {
    path_.clear();
    return;
  }
  device_ = status.st_dev;
  inode_ = status.st_ino;
}

bool SocketFile::is_there() const {
  struct stat status {};
  return !path_.empty() && ::lstat(path_.c_str(), &status) == 0 && S_ISSOCK(status.st_mode) &&
         status.st_dev == device_ && status.st_ino == inode_;
}

void SocketFile::remove() {
  if (is_there()) ::unlink(path_.c_str());
  path_.clear();
}

}  // namespace ward::enforcer
