// SPDX-License-Identifier: Apache-2.0
// A Unix datagram socket that a test listens on, as systemd does for NOTIFY_SOCKET and for its
// journal.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include "lib/base/unique_fd.h"

namespace ward::test {

class DatagramSocket {
 public:
  explicit DatagramSocket(const std::filesystem::path& path)
      : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.string().copy(address.sun_path, sizeof address.sun_path - 1);
    if (::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      std::abort();
  }

  // The next message, or nothing where none comes in time.
  std::optional<std::string> receive(std::chrono::milliseconds patience) {
    pollfd readable{fd_.get(), POLLIN, 0};
    if (::poll(&readable, 1, static_cast<int>(patience.count())) != 1) return std::nullopt;
    std::array<char, 16384> message;
    const ssize_t size = ::recv(fd_.get(), message.data(), message.size(), 0);
    if (size < 0) return std::nullopt;
    return std::string(message.data(), static_cast<std::size_t>(size));
  }

 private:
  UniqueFd fd_;
};

}  // namespace ward::test
