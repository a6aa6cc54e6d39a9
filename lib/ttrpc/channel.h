// SPDX-License-Identifier: Apache-2.0
// One connected socket that carries frames, for server and client alike: reads without a buffer of
// its own while idle, writes each frame whole and in order, and keeps what the peer does not read
// yet, up to a limit. On one Asio loop.
#pragma once

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "lib/base/unique_fd.h"
#include "lib/ttrpc/frame.h"

namespace ward::ttrpc {

inline constexpr std::size_t kMaxOutgoingBytes = 16U << 20U;

class Channel : public std::enable_shared_from_this<Channel> {
 public:
  Channel(asio::io_context& loop, UniqueFd socket);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  std::function<void(Frame)> on_frame;
  std::function<void()>
      on_closed;  // once, when the peer ended or broke the connection; never from inside send()
  std::function<void()> on_flushed;  // once, when the last waiting byte has gone out

  void start();
  // False where the frame was not taken: the channel is closed, or more than kMaxOutgoingBytes
  // would be waiting.
  bool send(const std::string& frame);
  void close();  // by the owner: no callback comes any more
  [[nodiscard]] bool has_outgoing() const { return sent_ < outgoing_.size(); }

 private:
  void wait_readable();
  void wait_writable();
  void read();
  bool write();  // false: broken
  void broke();

  UniqueFd socket_;
  asio::posix::stream_descriptor watch_;
  FrameDecoder decoder_;
  std::string outgoing_;
  std::size_t sent_ = 0;  // of outgoing_
  bool waiting_writable_ = false;
  bool closed_ = false;
};

}  // namespace ward::ttrpc
