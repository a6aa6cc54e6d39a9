// SPDX-License-Identifier: Apache-2.0
#include "enforcer/sinks/stream.h"

#include <poll.h>
#include <sys/socket.h>

#include "enforcer/sinks/socket_wait.h"

namespace ward::enforcer::sinks {
namespace {

class TcpStream final : public Stream {
 public:
  TcpStream(UniqueFd fd, Patience patience) : fd_(std::move(fd)), patience_(patience) {}

  Result<void> write(const std::string& bytes) override {
    std::size_t sent = 0;
    while (sent < bytes.size()) {
      const ssize_t took =
          ::send(fd_.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (took >= 0) {
        sent += static_cast<std::size_t>(took);
        continue;
      }
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) return fail_errno("the receiver");
      if (auto ready = await_socket(fd_.get(), POLLOUT, patience_); !ready) return ready;
    }
    return {};
  }

  Result<void> finish() override {
    if (::shutdown(fd_.get(), SHUT_WR) != 0) return fail_errno("the receiver");
    return await_end_of_peer(fd_.get(), patience_);
  }

 private:
  UniqueFd fd_;
  Patience patience_;
};

class UdpStream final : public Stream {
 public:
  UdpStream(UniqueFd fd, Patience patience) : fd_(std::move(fd)), patience_(patience) {}

  Result<void> write(const std::string& bytes) override {
    // A refusal of the one before (ICMP) may be told here.
    for (;;) {
      if (::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) >= 0) return {};
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) return fail_errno("the receiver");
      if (auto ready = await_socket(fd_.get(), POLLOUT, patience_); !ready) return ready;
    }
  }
  Result<void> finish() override { return {}; }  // nobody answers

 private:
  UniqueFd fd_;
  Patience patience_;
};

}  // namespace

Result<std::unique_ptr<Stream>> open_stream(const profiles::SinkSettings& settings,
                                            Patience patience) {
  const HostAndPort where = host_and_port(settings.url);
  const bool udp = settings.url.rfind("udp:", 0) == 0;
  auto fd = connect_to(where, udp ? SOCK_DGRAM : SOCK_STREAM, patience);
  if (!fd) return tl::unexpected<Error>(fd.error());
  if (udp) return std::make_unique<UdpStream>(std::move(*fd), patience);
  if (settings.url.rfind("tls:", 0) == 0)
    return open_tls_stream(settings, where, std::move(*fd), patience);
  return std::make_unique<TcpStream>(std::move(*fd), patience);
}

}  // namespace ward::enforcer::sinks
