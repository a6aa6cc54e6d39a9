// SPDX-License-Identifier: Apache-2.0
#include "enforcer/api/server.h"

#include <grpcpp/grpcpp.h>
#include <grpcpp/server_posix.h>
#include <unistd.h>

#include <asio/posix/stream_descriptor.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <optional>
#include <thread>

#include "enforcer/api/ward_service.h"
#include "lib/base/log.h"
#include "lib/linux/unix_socket.h"

namespace ward::enforcer {
namespace {

constexpr std::chrono::milliseconds kPauseWithoutDescriptors{100};

// gRPC has no hook for the credentials of a unix peer, so it is handed connections that were
// checked already.
Result<UniqueFd> accept_checked(const UniqueFd& listener) {
  auto connection = accept_unix(listener);
  if (!connection) return connection;
  const auto peer = peer_credentials(*connection);
  if (!peer) return tl::unexpected<Error>(peer.error());
  if (peer->uid != 0 && peer->uid != ::geteuid()) {
    return fail(Code::kPermissionDenied, "uid " + std::to_string(peer->uid) + " (process " +
                                             std::to_string(peer->pid) + ") is not root");
  }
  return connection;
}

}  // namespace

struct ApiServer::State : std::enable_shared_from_this<State> {
  State(asio::io_context& loop, UniqueFd socket, Operations operations, Journal& journal)
      : core(loop),
        listener(std::move(socket)),
        readable(loop),
        pause(loop),
        open(std::make_shared<OpenStreams>()),
        service(make_ward_service(loop, std::move(operations), journal, open)) {}

  Result<void> listen() {
    asio::error_code error;
    readable.assign(listener.get(), error);
    if (error) return fail(Code::kInternal, "watch the API socket: " + error.message());
    accept_more();
    return {};
  }

  void accept_more() {
    readable.async_wait(asio::posix::stream_descriptor::wait_read,
                        [weak = weak_from_this()](const asio::error_code& error) {
                          auto self = weak.lock();
                          if (error || !self) return;
                          if (self->accept_one()) return self->accept_more();
                          // It would wake us at once again.
                          self->pause.expires_after(kPauseWithoutDescriptors);
                          self->pause.async_wait([weak](const asio::error_code& stopped) {
                            auto still = weak.lock();
                            if (!stopped && still && still->readable.is_open())
                              still->accept_more();
                          });
                        });
  }

  // False where there is no descriptor for it now.
  bool accept_one() {
    auto connection = accept_checked(listener);
    if (connection) {
      said_short = false;
      grpc::AddInsecureChannelFromFd(server.get(), connection->release());
    } else if (connection.error().code == Code::kPermissionDenied) {
      log::warn("API connection refused", {{"why", connection.error().message}});
    } else if (connection.error().code == Code::kResourceExhausted) {
      if (!said_short)
        log::warn("API connections have to wait", {{"error", connection.error().message}});
      said_short = true;
      return false;
    } else if (connection.error().sys_errno != EAGAIN) {
      log::warn("API connection failed", {{"error", connection.error().message}});
    }
    return true;
  }

  asio::io_context& core;
  UniqueFd listener;
  asio::posix::stream_descriptor readable;  // watches `listener`, does not own it
  asio::steady_timer pause;
  bool said_short = false;
  std::shared_ptr<OpenStreams> open;
  std::unique_ptr<grpc::Service> service;
  std::unique_ptr<grpc::Server> server;
  std::thread stopper;
};

ApiServer::ApiServer(asio::io_context& core, UniqueFd listening_socket, Operations operations,
                     Journal& journal)
    : state_(std::make_shared<State>(core, std::move(listening_socket), std::move(operations),
                                     journal)) {}

ApiServer::~ApiServer() {
  if (state_->readable.is_open()) state_->readable.release();
  if (state_->stopper.joinable()) state_->stopper.join();
}

Result<void> ApiServer::start() {
  grpc::ServerBuilder builder;
  builder.RegisterService(state_->service.get());
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  builder.SetMaxSendMessageSize(kMaxMessageBytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreamsPerConnection);
  grpc::ResourceQuota quota("ward-api");
  quota.SetMaxThreads(8);
  builder.SetResourceQuota(quota);
  state_->server = builder.BuildAndStart();
  if (state_->server == nullptr) return fail(Code::kInternal, "gRPC server does not start");
  return state_->listen();
}

Result<void> ApiServer::listen_on(UniqueFd listening_socket) {
  state_->pause.cancel();
  if (state_->readable.is_open()) state_->readable.release();
  state_->listener = std::move(listening_socket);
  return state_->listen();
}

void ApiServer::stop(std::function<void()> done) {
  if (state_->server == nullptr) return asio::post(state_->core, std::move(done));
  state_->pause.cancel();
  if (state_->readable.is_open()) state_->readable.release();
  state_->listener.reset();
  state_->open->closing = true;
  for (EventStream* stream : std::set(state_->open->streams)) {
    stream->end({grpc::StatusCode::UNAVAILABLE, "wardd is shutting down"});
  }
  // Shutdown waits for calls, and those are answered by the core loop: it must not be the one that
  // waits.
  state_->stopper = std::thread([state = state_, done = std::move(done)]() mutable {
    state->server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
    state->server->Wait();
    asio::post(state->core, std::move(done));
  });
}

}  // namespace ward::enforcer
