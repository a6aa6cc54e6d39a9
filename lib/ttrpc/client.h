// SPDX-License-Identifier: Apache-2.0
// A ttrpc client on one Asio loop: one connection to a unix socket, made when first needed and
// again after it broke. A call fails with kUnavailable when the connection breaks before its
// answer; retrying is the caller's decision.
#pragma once

#include <asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "lib/base/result.h"

namespace ward::ttrpc {

class Client {
 public:
  using Answer = std::function<void(Result<std::string>)>;

  Client(asio::io_context& loop, std::string unix_path);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // A call that only its answer or the end of the connection ends. For a peer that may stand still
  // for long and will do all the same what it was asked: to ask again on the same connection would
  // ask twice.
  static constexpr std::chrono::nanoseconds kWhileConnected{0};

  // `timeout` is required: nobody waits for ever by mistake. The answer always arrives from the
  // loop, never from inside call().
  void call(std::string_view service, std::string_view method, std::string payload,
            std::chrono::nanoseconds timeout, Answer answer,
            std::string_view containerd_namespace = {});

  void on_disconnect(std::function<void()> callback);  // once per broken connection
  void close();                                        // fails what is pending with kCanceled

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace ward::ttrpc
