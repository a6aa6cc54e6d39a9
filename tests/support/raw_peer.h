// SPDX-License-Identifier: Apache-2.0
// A ttrpc peer that speaks bytes, well-formed or not.
#pragma once

#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <vector>

#include "lib/base/unique_fd.h"
#include "lib/ttrpc/frame.h"
#include "lib/ttrpc/message.h"
#include "ttrpc/ttrpc.pb.h"

namespace ward::ttrpc {

class RawPeer {
 public:
  explicit RawPeer(UniqueFd socket) : socket_(std::move(socket)) {}

  // What the kernel takes at once; the number of bytes.
  std::size_t send(std::string_view bytes) {
    const ssize_t sent =
        ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent < 0 ? 0 : static_cast<std::size_t>(sent);
  }
  void request(std::uint32_t stream, const std::string& service, const std::string& method,
               std::string payload = {}) {
    send(encode_frame(
        stream, FrameType::kRequest,
        encode_request(service, method, std::move(payload), std::chrono::seconds(1), {})));
  }

  // Reads what is there; every frame so far.
  const std::vector<Frame>& frames() {
    char buffer[65536];
    for (;;) {
      const ssize_t size = ::recv(socket_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
      if (size == 0 || (size < 0 && errno != EAGAIN)) closed_ = true;
      if (size <= 0) return frames_;
      std::string_view bytes(buffer, static_cast<std::size_t>(size));
      while (auto frame = decoder_.next(bytes)) frames_.push_back(std::move(*frame));
    }
  }
  bool closed() {
    frames();
    return closed_;
  }
  [[nodiscard]] Result<std::string> response(std::size_t index) const {
    return parse_response(frames_.at(index).payload);
  }
  UniqueFd& socket() { return socket_; }

 private:
  UniqueFd socket_;
  FrameDecoder decoder_;
  std::vector<Frame> frames_;
  bool closed_ = false;
};

}  // namespace ward::ttrpc
