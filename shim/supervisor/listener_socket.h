// SPDX-License-Identifier: Apache-2.0
// The socket over which the runtime hands us seccomp listeners. Anyone on the node may try to reach
// it, so each message is proved before it is believed: the sender is root, it brings exactly one
// live listener, and the owner recognises id, nonce and sender. What fails is closed and logged; a
// connection has two seconds.
#pragma once

#include <sys/types.h>

#include <asio/io_context.hpp>
#include <filesystem>
#include <functional>
#include <memory>

#include "lib/base/result.h"
#include "lib/linux/seccomp_listener.h"
#include "shim/supervisor/listener_offer.h"

namespace ward::shim::supervisor {

struct ListenerOffer {
  ContainerProcessState state;
  pid_t sender = 0;
  SeccompListener listener;
};

class ListenerSocket {
 public:
  // An error refuses the offer: the listener is closed, and what it asked about fails with ENOSYS.
  using Accept = std::function<Result<void>(ListenerOffer)>;

  // A connection that came to nothing, and why: whose start that was hears the reason, not that
  // nothing came.
  using Refused = std::function<void(pid_t sender, const Error& why)>;

  // The directory of `path` must be private (0700). The socket's file is removed with the object.
  static Result<std::unique_ptr<ListenerSocket>> open(asio::io_context& loop,
                                                      const std::filesystem::path& path,
                                                      Accept accept, Refused refused = {});
  ~ListenerSocket();
  ListenerSocket(const ListenerSocket&) = delete;
  ListenerSocket& operator=(const ListenerSocket&) = delete;

 private:
  struct State;
  explicit ListenerSocket(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

// `<run>/shims/<pid>.<random>`: where a shim may make its sockets. Only a name; made when it is
// first needed.
std::filesystem::path private_directory_name(const std::filesystem::path& run);
// Makes it with mode 0700, and removes those of shims that are gone.
Result<void> make_private_directory(const std::filesystem::path& directory);
// A shim that was killed could not tidy up after itself.
void remove_dead_private_directories(const std::filesystem::path& run);

}  // namespace ward::shim::supervisor
