// SPDX-License-Identifier: Apache-2.0
// Says when wardd's socket appears in, or is replaced in, the run directory (inotify), so that nobody has to poll for
// it.
#pragma once

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "lib/base/result.h"
#include "lib/base/unique_fd.h"

namespace ward::shim {

class NodeSocketWatch {
 public:
  // `appeared` comes from the loop, for every file of the socket's name that is made or moved there.
  NodeSocketWatch(asio::io_context& loop, std::filesystem::path socket, std::function<void()> appeared);
  ~NodeSocketWatch();
  NodeSocketWatch(const NodeSocketWatch&) = delete;
  NodeSocketWatch& operator=(const NodeSocketWatch&) = delete;

  // Makes the directory where absent and watches it; cheap when it is watched already. To be called again after an
  // error, and from time to time: the directory itself may be removed and made anew.
  Result<void> ensure();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace ward::shim
