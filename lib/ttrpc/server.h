// SPDX-License-Identifier: Apache-2.0
// A ttrpc server on one Asio loop. Each request may be answered later: the Responder is the
// promise. All requests of a connection run concurrently and are answered in any order; a
// connection that ends leaves its handlers to finish and drops their answers. Payloads are
// serialized protobuf messages. Not thread-safe: everything happens on the loop. Wire format and
// limits: https://github.com/containerd/ttrpc/blob/main/PROTOCOL.md
#pragma once

#include <asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/result.h"
#include "lib/base/unique_fd.h"

namespace ward::ttrpc {

struct Request {
  std::string payload;
  std::string containerd_namespace;  // metadata containerd-namespace-ttrpc
  std::int64_t timeout_ns = 0;       // relative to receipt; 0: none
};

// Answers exactly once. One that is destroyed unanswered answers Internal, so that no client waits
// for ever.
class Responder {
 public:
  using Send = std::function<void(Result<std::string>)>;
  explicit Responder(Send send);
  Responder(Responder&&) noexcept;
  Responder& operator=(Responder&&) = delete;
  Responder(const Responder&) = delete;
  ~Responder();

  void answer(Result<std::string> payload);

  // Serializes any protobuf message (lite or full).
  template <typename Message>
  void reply(const Message& message) {
    answer(message.SerializeAsString());
  }
  void error(Error error) { answer(tl::unexpected<Error>(std::move(error))); }

 private:
  Send send_;
};

using Method = std::function<void(Request, Responder)>;

class Server {
 public:
  // Takes a bound, listening AF_UNIX socket. Peers whose uid or gid is not ours are refused
  // (SO_PEERCRED).
  Server(asio::io_context& loop, UniqueFd listening_socket);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  void add(std::string service, std::string method, Method handler);  // before start
  void keep_reserve();  // before start: closes connections that would take the last descriptors
                        // (descriptors.h)
  void start();
  // Goes on with another bound, listening socket, where the path of the first was removed.
  // Connections stay.
  void listen_on(UniqueFd listening_socket);
  // Connections that were closed or had to wait for want of a descriptor: so many since the last
  // that went well, and when the last one was. None where it is long ago (kShortageLasts), for who
  // was refused has come again by then.
  struct Shortage {
    std::uint64_t refused = 0;
    std::chrono::steady_clock::time_point last;
  };
  static constexpr std::chrono::seconds kShortageLasts{12};
  [[nodiscard]] std::optional<Shortage> shortage() const;
  // Since when no connection is open: since start() or the end of the last one. None while one is.
  [[nodiscard]] std::optional<std::chrono::steady_clock::time_point> alone_since() const;
  // Stops accepting, lets buffered answers of open connections go out, then calls `done`.
  void stop(std::function<void()> done);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace ward::ttrpc
