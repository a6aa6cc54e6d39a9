// SPDX-License-Identifier: Apache-2.0
#include "cli/view_server.h"

#include <asio/read_until.hpp>
#include <asio/steady_timer.hpp>
#include <asio/streambuf.hpp>
#include <asio/write.hpp>
#include <chrono>

#include "cli/incident/view_request.h"

namespace ward::cli {
namespace {

using asio::ip::tcp;

constexpr std::chrono::milliseconds kPause{100};
constexpr std::chrono::seconds kPatience{5};  // for a request to come, and for an answer to go

// Keeps itself alive by its pending operations.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket socket, std::shared_ptr<std::size_t> open)
      : socket_(std::move(socket)),
        timer_(socket_.get_executor()),
        input_(kMaxRequestBytes),
        open_(std::move(open)) {
    ++*open_;
  }
  ~Connection() { --*open_; }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void run(std::function<std::string(std::string_view head)> answer) {
    answer_ = std::move(answer);
    watch();
    asio::async_read_until(
        socket_, input_, "\r\n\r\n",
        [self = shared_from_this()](const asio::error_code& error, std::size_t bytes) {
          // Also where the request is too long: the buffer is full.
          if (error) return self->close();
          self->reply(bytes);
        });
  }

 private:
  void watch() {
    timer_.expires_after(kPatience);
    timer_.async_wait([weak = weak_from_this()](const asio::error_code& error) {
      if (error) return;
      if (const auto self = weak.lock()) self->close();
    });
  }
  void close() {
    asio::error_code ignored;
    socket_.close(ignored);
    timer_.cancel();
  }
  void reply(std::size_t bytes) {
    const auto data = input_.data();
    const std::string head(asio::buffers_begin(data),
                           asio::buffers_begin(data) + static_cast<std::ptrdiff_t>(bytes));
    output_ = answer_(head);
    watch();
    asio::async_write(socket_, asio::buffer(output_),
                      [self = shared_from_this()](const asio::error_code&, std::size_t) {
                        asio::error_code ignored;
                        self->socket_.shutdown(tcp::socket::shutdown_both, ignored);
                        self->close();
                      });
  }

  tcp::socket socket_;
  asio::steady_timer timer_;
  asio::streambuf input_;
  std::string output_;
  std::function<std::string(std::string_view)> answer_;
  std::shared_ptr<std::size_t> open_;
};

}  // namespace

ViewServer::ViewServer(asio::io_context& loop, std::string token, MakePage make_page)
    : acceptor_(loop), retry_(loop), token_(std::move(token)), make_page_(std::move(make_page)) {}

Result<void> ViewServer::listen(std::uint16_t port) {
  asio::error_code error;
  const tcp::endpoint here(asio::ip::address_v4::loopback(), port);
  acceptor_.open(here.protocol(), error);
  if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor_.bind(here, error);
  if (!error) acceptor_.listen(static_cast<int>(kMaxConnections), error);
  if (error)
    return fail(Code::kUnavailable,
                "listen on 127.0.0.1:" + std::to_string(port) + ": " + error.message());
  port_ = acceptor_.local_endpoint(error).port();
  accept();
  return {};
}

std::string ViewServer::address() const {
  return "http://127.0.0.1:" + std::to_string(port_) + "/" + token_ + "/";
}

void ViewServer::accept() {
  acceptor_.async_accept([this](const asio::error_code& error, tcp::socket socket) {
    if (error == asio::error::operation_aborted) return;
    // Beyond the limit a connection is closed at once; nobody waits for a stuck one.
    if (!error && *open_ < kMaxConnections) {
      std::make_shared<Connection>(std::move(socket), open_)->run([this](std::string_view head) {
        const ViewVerdict verdict = judge_request(head, token_, port_);
        if (verdict.status != 200) return http_answer(verdict.status, "");
        const auto page = make_page_(verdict.page);
        if (!page) return http_answer(page.error().code == Code::kNotFound ? 404 : 503, "");
        return http_answer(200, *page);
      });
    }
    // Out of descriptors: the next moment may have one.
    retry_.expires_after(error ? kPause : std::chrono::milliseconds(0));
    retry_.async_wait([this](const asio::error_code& stopped) {
      if (!stopped) accept();
    });
  });
}

}  // namespace ward::cli
