// SPDX-License-Identifier: Apache-2.0
#include "enforcer/socket_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include "lib/linux/unix_socket.h"

namespace ward::enforcer {

Result<UniqueFd> SocketFile::listen() {
  auto socket = listen_unix(path_, StaleSocket::kReplace);
  struct stat status {};
  if (socket && ::lstat(path_.c_str(), &status) == 0) {
    device_ = status.st_dev;
    inode_ = status.st_ino;
  }
  return socket;
}

bool SocketFile::is_there() const {
  struct stat status {};
  return inode_ != 0 && ::lstat(path_.c_str(), &status) == 0 && S_ISSOCK(status.st_mode) &&
         status.st_dev == device_ && status.st_ino == inode_;
}

void SocketFile::remove() {
  if (is_there()) ::unlink(path_.c_str());
  inode_ = 0;
}

}  // namespace ward::enforcer
