// SPDX-License-Identifier: Apache-2.0
#include "lib/ttrpc/client.h"

#include <asio/error_code.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <cstdint>
#include <limits>
#include <unordered_map>
#include <utility>

#include "lib/linux/unix_socket.h"
#include "lib/ttrpc/channel.h"
#include "lib/ttrpc/message.h"

namespace ward::ttrpc {
namespace {

struct Pending {
  Client::Answer answer;
  asio::steady_timer deadline;
};

}  // namespace

struct Client::State : std::enable_shared_from_this<Client::State> {
  State(asio::io_context& io, std::string unix_path) : loop(io), path(std::move(unix_path)) {}

  Result<void> connect();
  void disconnect(const Error& error);
  void post(Answer answer, Result<std::string> result);
  void finish(std::uint32_t stream, Result<std::string> result);
  void on_frame(const Frame& frame);
  void arm(std::uint32_t stream, Pending& pending, std::chrono::nanoseconds timeout,
           std::string what);

  asio::io_context& loop;
  std::string path;
  std::shared_ptr<Channel> channel;  // null: not connected
  std::uint32_t next_stream = 1;
  std::unordered_map<std::uint32_t, Pending> pending;
  std::function<void()> disconnected;
};

Result<void> Client::State::connect() {
  if (channel && next_stream < std::numeric_limits<std::uint32_t>::max() - 2) return {};
  if (channel)
    disconnect(Error{Code::kUnavailable, path + ": the connection has used up its stream ids", 0});
  auto socket = connect_unix(path);
  if (!socket) {
    // Absent, refused, queue full: for a caller they are one thing, the peer is away.
    socket.error().code = Code::kUnavailable;
    return tl::unexpected<Error>(socket.error());
  }
  channel = std::make_shared<Channel>(loop, std::move(*socket));
  next_stream = 1;
  channel->on_frame = [weak = weak_from_this()](const Frame& frame) {
    if (const auto self = weak.lock()) self->on_frame(frame);
  };
  channel->on_closed = [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->disconnect(
        Error{Code::kUnavailable, self->path + ": the connection broke before the answer", 0});
    const auto callback = self->disconnected;  // a copy: it may set another, or end the client
    if (callback) callback();
  };
  channel->start();
  return {};
}

void Client::State::disconnect(const Error& error) {
  if (!channel) return;
  std::exchange(channel, nullptr)->close();
  for (auto& [stream, waiting] : std::exchange(pending, {}))
    post(std::move(waiting.answer), tl::unexpected<Error>(error));
}

void Client::State::post(Answer answer, Result<std::string> result) {
  asio::post(loop, [weak = weak_from_this(), answer = std::move(answer),
                    result = std::move(result)]() mutable {
    if (weak.lock()) answer(std::move(result));
  });
}

void Client::State::finish(std::uint32_t stream, Result<std::string> result) {
  const auto found = pending.find(stream);
  if (found == pending.end()) return;  // late: its caller has been told already
  const Answer answer = std::move(found->second.answer);
  pending.erase(found);
  answer(std::move(result));
}

void Client::State::on_frame(const Frame& frame) {
  if (frame.oversize) {
    return finish(frame.stream, fail(Code::kResourceExhausted,
                                     path + ": the answer is larger than a ttrpc message may be"));
  }
  if (frame.type == FrameType::kResponse) finish(frame.stream, parse_response(frame.payload));
}

void Client::State::arm(std::uint32_t stream, Pending& waiting, std::chrono::nanoseconds timeout,
                        std::string what) {
  if (timeout == kWhileConnected) return;
  waiting.deadline.expires_after(timeout);
  // Bound to the connection as well: on the next one the same stream id is another call.
  waiting.deadline.async_wait([weak = weak_from_this(),
                               connection = std::weak_ptr<Channel>(channel), stream,
                               what = std::move(what)](const asio::error_code& error) {
    const auto self = weak.lock();
    if (!self || error || !self->channel || self->channel != connection.lock()) return;
    self->finish(stream,
                 fail(Code::kDeadlineExceeded, self->path + ": no answer to " + what + " in time"));
  });
}

Client::Client(asio::io_context& loop, std::string unix_path)
    : state_(std::make_shared<State>(loop, std::move(unix_path))) {}

Client::~Client() {
  state_->disconnected = nullptr;
  state_->pending.clear();
  if (state_->channel) std::exchange(state_->channel, nullptr)->close();
}

void Client::call(std::string_view service, std::string_view method, std::string payload,
                  std::chrono::nanoseconds timeout, Answer answer,
                  std::string_view containerd_namespace) {
  State& state = *state_;
  if (const auto connected = state.connect(); !connected) {
    return state.post(std::move(answer), tl::unexpected<Error>(connected.error()));
  }
  std::string what = std::string(service) + "/" + std::string(method);
  const std::string bytes =
      encode_request(service, method, std::move(payload), timeout, containerd_namespace);
  if (bytes.size() > kMaxFrameBytes) {
    return state.post(std::move(answer),
                      fail(Code::kResourceExhausted,
                           what + ": the request is larger than a ttrpc message may be"));
  }
  const std::uint32_t stream = state.next_stream;
  if (!state.channel->send(encode_frame(stream, FrameType::kRequest, bytes))) {
    return state.post(std::move(answer),
                      fail(Code::kResourceExhausted, state.path + ": the peer does not read"));
  }
  state.next_stream += 2;
  const auto [entry, fresh] =
      state.pending.emplace(stream, Pending{std::move(answer), asio::steady_timer(state.loop)});
  state.arm(stream, entry->second, timeout, std::move(what));
}

void Client::on_disconnect(std::function<void()> callback) {
  state_->disconnected = std::move(callback);
}

void Client::close() {
  state_->disconnect(Error{Code::kCanceled, state_->path + ": the connection was closed", 0});
}

}  // namespace ward::ttrpc
