// SPDX-License-Identifier: Apache-2.0
#include "lib/ttrpc/channel.h"

#include <sys/socket.h>

#include <array>
#include <asio/post.hpp>
#include <cerrno>
#include <string_view>
#include <utility>

namespace ward::ttrpc {
namespace {

constexpr std::size_t kReadBytes = 16U << 10U;
constexpr int kReadsPerWakeup = 16;  // then the other connections have their turn

}  // namespace

Channel::Channel(asio::io_context& loop, UniqueFd socket)
    : socket_(std::move(socket)), watch_(loop, socket_.get()) {}

Channel::~Channel() {
  if (watch_.is_open()) watch_.release();  // socket_ owns it
}

void Channel::start() { wait_readable(); }

void Channel::wait_readable() {
  watch_.async_wait(asio::posix::descriptor_base::wait_read,
                    [self = shared_from_this()](const asio::error_code& error) {
                      if (!error && !self->closed_) self->read();
                    });
}

void Channel::wait_writable() {
  if (waiting_writable_) return;
  waiting_writable_ = true;
  watch_.async_wait(asio::posix::descriptor_base::wait_write,
                    [self = shared_from_this()](const asio::error_code& error) {
                      self->waiting_writable_ = false;
                      if (error || self->closed_) return;
                      if (!self->write()) return self->broke();
                      if (self->has_outgoing()) return self->wait_writable();
                      if (self->on_flushed) std::exchange(self->on_flushed, nullptr)();
                    });
}

void Channel::read() {
  std::array<char, kReadBytes> buffer;  // recv fills it
  for (int i = 0; i < kReadsPerWakeup; ++i) {
    const ssize_t size = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) break;
    if (size <= 0) return broke();  // inside a frame as well: what is left of it can mean nothing
    std::string_view bytes(buffer.data(), static_cast<std::size_t>(size));
    while (!closed_) {
      auto frame = decoder_.next(bytes);
      if (!frame) break;
      if (on_frame) on_frame(std::move(*frame));
    }
    if (closed_) return;
    if (static_cast<std::size_t>(size) < buffer.size()) break;
  }
  wait_readable();
}

bool Channel::send(const std::string& frame) {
  if (closed_ || outgoing_.size() - sent_ + frame.size() > kMaxOutgoingBytes) return false;
  if (sent_ > outgoing_.size() / 2) {
    outgoing_.erase(0, sent_);
    sent_ = 0;
  }
  const bool was_idle = !has_outgoing();
  outgoing_.append(frame);
  if (!was_idle) return true;
  if (!write()) {
    // Not from inside send(): the caller is in the middle of something.
    asio::post(watch_.get_executor(), [self = shared_from_this()] { self->broke(); });
  } else if (has_outgoing()) {
    wait_writable();
  }
  return true;
}

bool Channel::write() {
  while (has_outgoing()) {
    const ssize_t size = ::send(socket_.get(), outgoing_.data() + sent_, outgoing_.size() - sent_,
                                MSG_DONTWAIT | MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) return true;
    if (size < 0) return false;
    sent_ += static_cast<std::size_t>(size);
  }
  outgoing_ = std::string();  // gives the memory back
  sent_ = 0;
  return true;
}

void Channel::broke() {
  if (closed_) return;
  const auto callback = on_closed;
  close();
  if (callback) callback();
}

void Channel::close() {
  if (closed_) return;
  closed_ = true;
  watch_.release();  // cancels both waits
  socket_.reset();
  outgoing_ = std::string();
  sent_ = 0;
}

}  // namespace ward::ttrpc
