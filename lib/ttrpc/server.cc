// SPDX-License-Identifier: Apache-2.0
#include "lib/ttrpc/server.h"

#include <unistd.h>

#include <asio/error_code.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <cerrno>
#include <chrono>
#include <set>
#include <unordered_map>
#include <utility>

#include "lib/base/log.h"
#include "lib/linux/descriptors.h"
#include "lib/linux/unix_socket.h"
#include "lib/ttrpc/channel.h"
#include "lib/ttrpc/message.h"

namespace ward::ttrpc {
namespace {

constexpr int kAcceptsPerWakeup = 16;
constexpr auto kPauseWithoutDescriptors = std::chrono::milliseconds(100);
constexpr auto kMaxFlushAtStop = std::chrono::seconds(1);
// A Wait per container and some more; a peer that asks for more than this at once is broken.
constexpr std::size_t kMaxUnansweredPerConnection = 4096;

bool lacks_resources(int error) {
  return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS;
}

}  // namespace

Responder::Responder(Send send) : send_(std::move(send)) {}

Responder::Responder(Responder&& other) noexcept : send_(std::exchange(other.send_, nullptr)) {}

Responder::~Responder() {
  if (send_) error(Error{Code::kInternal, "the request was dropped without an answer", 0});
}

void Responder::answer(Result<std::string> payload) {
  if (const Send send = std::exchange(send_, nullptr)) send(std::move(payload));
}

namespace {

struct Connection {
  std::shared_ptr<Channel> channel;
  std::uint32_t last_stream = 0;
  std::size_t unanswered = 0;
};

}  // namespace

struct Server::State : std::enable_shared_from_this<Server::State> {
  State(asio::io_context& io, UniqueFd socket)
      : loop(io), listener(std::move(socket)), watch(io, listener.get()), timer(io) {}
  ~State() {
    if (watch.is_open()) watch.release();
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void wait_accept();
  void accept();
  void refuse(const std::string& why);
  void end_shortage();
  void add(UniqueFd socket);
  void on_frame(const std::shared_ptr<Connection>& connection, Frame frame);
  void dispatch(const std::shared_ptr<Connection>& connection, std::uint32_t stream,
                std::string_view bytes);
  void answer(const std::shared_ptr<Connection>& connection, std::uint32_t stream,
              Result<std::string> payload);
  void drop(const std::shared_ptr<Connection>& connection);
  void stop_accepting();
  void flushed();

  asio::io_context& loop;
  UniqueFd listener;
  asio::posix::stream_descriptor watch;
  asio::steady_timer timer;  // pauses accepting; bounds stop()
  std::unordered_map<std::string, std::unordered_map<std::string, Method>> services;
  std::set<std::shared_ptr<Connection>> connections;
  std::function<void()> stopped;
  std::chrono::steady_clock::time_point alone_since = std::chrono::steady_clock::now();
  std::optional<Shortage> shortage;
  bool reserve = false;
  bool accepting = false;
};

void Server::State::wait_accept() {
  watch.async_wait(asio::posix::descriptor_base::wait_read,
                   [weak = weak_from_this()](const asio::error_code& error) {
                     const auto self = weak.lock();
                     if (self && !error && self->accepting) self->accept();
                   });
}

void Server::State::accept() {
  for (int i = 0; i < kAcceptsPerWakeup; ++i) {
    auto socket = accept_unix(listener);
    if (socket && reserve && is_of_reserve(socket->get())) {
      refuse("the last file descriptors are kept for other things");
      continue;
    }
    if (socket) {
      end_shortage();
      add(std::move(*socket));
      continue;
    }
    if (!lacks_resources(socket.error().sys_errno)) break;
    // The connection stays in the queue and would wake us at once again: look away for a moment
    // instead of spinning.
    refuse(socket.error().message);
    timer.expires_after(kPauseWithoutDescriptors);
    timer.async_wait([weak = weak_from_this()](const asio::error_code& error) {
      const auto self = weak.lock();
      if (self && !error && self->accepting) self->accept();
    });
    return;
  }
  wait_accept();
}

// Said once, and counted: a peer that is refused comes again and again.
void Server::State::refuse(const std::string& why) {
  if (!shortage) {
    log::warn("cannot accept connections for now", {{"error", why}});
    shortage.emplace();
  }
  ++shortage->refused;
  shortage->last = std::chrono::steady_clock::now();
}

void Server::State::end_shortage() {
  if (!shortage || std::chrono::steady_clock::now() < shortage->last + kShortageLasts) return;
  log::info("accepts all connections again", {{"refused", std::to_string(shortage->refused)}});
  shortage.reset();
}

void Server::State::add(UniqueFd socket) {
  const auto peer = peer_credentials(socket);
  if (!peer) return log::warn("refused a connection", {{"error", peer.error().message}});
  if (peer->uid != ::geteuid() || peer->gid != ::getegid()) {
    log::warn("refused a connection of another user or group",
              {{"uid", std::to_string(peer->uid)}, {"gid", std::to_string(peer->gid)}});
    return;
  }
  const auto connection = std::make_shared<Connection>();
  connection->channel = std::make_shared<Channel>(loop, std::move(socket));
  connection->channel->on_frame = [weak = weak_from_this(),
                                   peer = std::weak_ptr<Connection>(connection)](Frame frame) {
    const auto self = weak.lock();
    const auto open = peer.lock();
    if (self && open) self->on_frame(open, std::move(frame));
  };
  connection->channel->on_closed = [weak = weak_from_this(),
                                    peer = std::weak_ptr<Connection>(connection)] {
    const auto self = weak.lock();
    const auto open = peer.lock();
    if (self && open) self->drop(open);
  };
  connections.insert(connection);
  connection->channel->start();
}

void Server::State::on_frame(const std::shared_ptr<Connection>& connection, Frame frame) {
  const bool is_new = frame.stream % 2 == 1 && frame.stream > connection->last_stream;
  if (frame.oversize) {
    if (is_new) connection->last_stream = frame.stream;
    return answer(connection, frame.stream,
                  fail(Code::kResourceExhausted,
                       "the message is larger than " + std::to_string(kMaxFrameBytes) + " bytes"));
  }
  if (frame.type != FrameType::kRequest) return;
  if (frame.stream % 2 != 1) {
    return answer(connection, frame.stream,
                  fail(Code::kInvalidArgument, "streams of a client have odd ids"));
  }
  if (!is_new) {
    return answer(connection, frame.stream,
                  fail(Code::kInvalidArgument, "the stream id was used before"));
  }
  connection->last_stream = frame.stream;
  dispatch(connection, frame.stream, frame.payload);
}

void Server::State::dispatch(const std::shared_ptr<Connection>& connection, std::uint32_t stream,
                             std::string_view bytes) {
  auto incoming = parse_request(bytes);
  if (!incoming) return answer(connection, stream, tl::unexpected<Error>(incoming.error()));
  const auto service = services.find(incoming->service);
  if (service == services.end()) {
    return answer(connection, stream, fail(Code::kUnimplemented, "service " + incoming->service));
  }
  const auto method = service->second.find(incoming->method);
  if (method == service->second.end()) {
    return answer(
        connection, stream,
        fail(Code::kUnimplemented, "method " + incoming->service + "/" + incoming->method));
  }
  if (connection->unanswered >= kMaxUnansweredPerConnection) {
    return answer(
        connection, stream,
        fail(Code::kResourceExhausted, "too many unanswered requests on this connection"));
  }
  ++connection->unanswered;
  // Weak on both sides: a handler may outlive its connection and the server, and then its answer
  // means nothing.
  Responder responder([weak = weak_from_this(), peer = std::weak_ptr<Connection>(connection),
                       stream](auto payload) {
    const auto self = weak.lock();
    const auto open = peer.lock();
    if (!self || !open) return;
    --open->unanswered;
    self->answer(open, stream, std::move(payload));
  });
  method->second(std::move(incoming->request), std::move(responder));
}

void Server::State::answer(const std::shared_ptr<Connection>& connection, std::uint32_t stream,
                           Result<std::string> payload) {
  if (!connections.contains(connection)) return;
  const std::string frame =
      encode_frame(stream, FrameType::kResponse, encode_response(std::move(payload)));
  if (connection->channel->send(frame)) return;
  log::warn("closed a connection whose peer does not read its answers");
  drop(connection);
}

void Server::State::drop(const std::shared_ptr<Connection>& connection) {
  if (connections.erase(connection) == 0) return;
  if (connections.empty()) alone_since = std::chrono::steady_clock::now();
  connection->channel->close();
  flushed();
}

void Server::State::stop_accepting() {
  if (!accepting) return;
  accepting = false;
  timer.cancel();
  watch.release();
  listener.reset();
}

void Server::State::flushed() {
  if (!stopped || !connections.empty()) return;
  timer.cancel();
  asio::post(loop, std::exchange(stopped, nullptr));
}

Server::Server(asio::io_context& loop, UniqueFd listening_socket)
    : state_(std::make_shared<State>(loop, std::move(listening_socket))) {}

Server::~Server() {
  state_->stop_accepting();
  state_->stopped = nullptr;
  for (const auto& connection : std::exchange(state_->connections, {}))
    connection->channel->close();
}

void Server::add(std::string service, std::string method, Method handler) {
  state_->services[std::move(service)][std::move(method)] = std::move(handler);
}

void Server::keep_reserve() { state_->reserve = true; }

std::optional<Server::Shortage> Server::shortage() const {
  const auto& found = state_->shortage;
  return found && std::chrono::steady_clock::now() < found->last + kShortageLasts ? found
                                                                                  : std::nullopt;
}

void Server::start() {
  state_->accepting = true;
  state_->wait_accept();
}

void Server::listen_on(UniqueFd listening_socket) {
  state_->stop_accepting();
  state_->listener = std::move(listening_socket);
  state_->watch.assign(state_->listener.get());
  start();
}

std::optional<std::chrono::steady_clock::time_point> Server::alone_since() const {
  if (!state_->connections.empty()) return std::nullopt;
  return state_->alone_since;
}

void Server::stop(std::function<void()> done) {
  state_->stop_accepting();
  state_->stopped = std::move(done);
  for (const auto& connection : state_->connections) {
    connection->channel->on_flushed = [weak = state_->weak_from_this(),
                                       peer = std::weak_ptr<Connection>(connection)] {
      const auto self = weak.lock();
      const auto open = peer.lock();
      if (self && open) self->drop(open);
    };
  }
  const auto open = state_->connections;  // drop() changes the set
  for (const auto& connection : open) {
    if (!connection->channel->has_outgoing()) state_->drop(connection);
  }
  if (state_->connections.empty()) return state_->flushed();
  state_->timer.expires_after(kMaxFlushAtStop);
  state_->timer.async_wait([weak = state_->weak_from_this()](const asio::error_code& error) {
    const auto self = weak.lock();
    if (!self || error) return;
    const auto busy = self->connections;
    for (const auto& connection : busy) self->drop(connection);
  });
}

}  // namespace ward::ttrpc
