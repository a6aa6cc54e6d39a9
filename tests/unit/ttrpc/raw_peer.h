// SPDX-License-Identifier: Apache-2.0
// What the tests of this folder share: a loop run until something holds, a directory for sockets, and a peer that
// speaks bytes, well-formed or not.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <asio/io_context.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "lib/base/digest.h"
#include "lib/linux/unix_socket.h"
#include "lib/ttrpc/frame.h"
#include "lib/ttrpc/message.h"
#include "ttrpc/ttrpc.pb.h"

namespace ward::ttrpc {

class LoopTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(std::filesystem::create_directory(directory_)); }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  // A bound, not a pace: the loop is woken by what happens on its sockets.
  bool run_until(const std::function<bool()>& holds, std::chrono::seconds bound = std::chrono::seconds(20)) {
    const auto deadline = std::chrono::steady_clock::now() + bound;
    while (!holds()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      loop_.restart();
      loop_.run_one_for(std::chrono::milliseconds(5));
    }
    return true;
  }

  asio::io_context loop_{1};
  std::filesystem::path directory_ = std::filesystem::temp_directory_path() / ("ward-rpc-" + random_hex(6));
  std::filesystem::path path_ = directory_ / "s";
};

class RawPeer {
 public:
  explicit RawPeer(UniqueFd socket) : socket_(std::move(socket)) {}

  // What the kernel takes at once; the number of bytes.
  std::size_t send(std::string_view bytes) {
    const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent < 0 ? 0 : static_cast<std::size_t>(sent);
  }
  void request(std::uint32_t stream, const std::string& service, const std::string& method, std::string payload = {}) {
    send(encode_frame(stream, FrameType::kRequest,
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
