// SPDX-License-Identifier: Apache-2.0
// The server of `ward view --serve`: on 127.0.0.1 alone, a few connections at a time, each with a
// deadline and one bounded request. What it answers is made anew for each request.
#pragma once

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "lib/base/result.h"

namespace ward::cli {

class ViewServer {
 public:
  // The body of a page, or nothing where there is none of that name.
  using MakePage = std::function<Result<std::string>(const std::string& page)>;
  static constexpr std::size_t kMaxConnections = 16;

  ViewServer(asio::io_context& loop, std::string token, MakePage make_page);

  Result<void> listen(std::uint16_t port);    // 0: any that is free
  [[nodiscard]] std::string address() const;  // "http://127.0.0.1:PORT/TOKEN/"

 private:
  void accept();

  asio::ip::tcp::acceptor acceptor_;
  asio::steady_timer retry_;
  std::string token_;
  MakePage make_page_;
  std::uint16_t port_ = 0;
  std::shared_ptr<std::size_t> open_ = std::make_shared<std::size_t>(0);
};

}  // namespace ward::cli
