// SPDX-License-Identifier: Apache-2.0
#include "enforcer/sinks/socket_wait.h"

#include <linux/sockios.h>
#include <netdb.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <memory>

#include "lib/base/escape.h"

namespace ward::enforcer::sinks {

HostAndPort host_and_port(const std::string& url) {
  const std::size_t begin = url.find("://") + 3;
  const std::string authority = url.substr(begin, url.find('/', begin) - begin);
  const std::size_t colon = authority.rfind(':');
  std::string host = authority.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  return {host, colon == std::string::npos ? "" : authority.substr(colon + 1)};
}

Result<void> await_socket(int fd, short events, const Patience& patience) {
  std::array<pollfd, 2> waits{{{fd, events, 0}, {patience.stop.fd(), POLLIN, 0}}};
  const auto deadline = std::chrono::steady_clock::now() + patience.timeout;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    const int ready = ::poll(waits.data(), waits.size(),
                             static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (patience.stop.asked()) return fail(Code::kCanceled, "stopped");
    if (ready > 0 && waits[0].revents != 0) return {};
    if (ready == 0) return fail(Code::kDeadlineExceeded, "the receiver does not answer in time");
    if (ready < 0 && errno != EINTR) return fail_errno("poll");
  }
}

Result<UniqueFd> connect_to(const HostAndPort& where, int type, const Patience& patience) {
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = type;
  addrinfo* list = nullptr;
  const std::string name = escape(where.host) + ":" + escape(where.port);
  if (const int failed = ::getaddrinfo(where.host.c_str(), where.port.c_str(), &hints, &list);
      failed != 0) {
    return fail(Code::kUnavailable, name + ": " + ::gai_strerror(failed));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, &::freeaddrinfo);
  Result<UniqueFd> last = fail(Code::kUnavailable, name + ": no address");
  for (const addrinfo* each = list; each != nullptr; each = each->ai_next) {
    UniqueFd fd(::socket(each->ai_family, each->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                         each->ai_protocol));
    if (!fd) {
      last = fail_errno(name);
      continue;
    }
    if (::connect(fd.get(), each->ai_addr, each->ai_addrlen) != 0 && errno != EINPROGRESS) {
      last = fail_errno(name);
      continue;
    }
    if (auto ready = await_socket(fd.get(), POLLOUT, patience); !ready) {
      if (ready.error().code == Code::kCanceled) return tl::unexpected<Error>(ready.error());
      last = fail_with(name, ready.error());
      continue;
    }
    int error = 0;
    socklen_t size = sizeof(error);
    if (::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0) return fd;
    last = fail_errno(name, error);
  }
  return last;
}

// The kernel tells of an acknowledgement by no event.
Result<void> await_acknowledgement(int fd, const Patience& patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience.timeout;
  for (;;) {
    int error = 0, unacknowledged = 0;
    socklen_t size = sizeof(error);
    if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0)
      return fail_errno("the receiver", error == 0 ? errno : error);
    if (::ioctl(fd, SIOCOUTQ, &unacknowledged) != 0) return fail_errno("the receiver");
    if (unacknowledged == 0) return {};
    if (std::chrono::steady_clock::now() > deadline)
      return fail(Code::kDeadlineExceeded, "the receiver does not acknowledge in time");
    pollfd stop{patience.stop.fd(), POLLIN, 0};
    constexpr int kLookAgain_ms = 5;
    if (::poll(&stop, 1, kLookAgain_ms) > 0) return fail(Code::kCanceled, "stopped");
  }
}

Result<void> judge_silence(int fd, const Error& why) {
  int unacknowledged = -1;
  const bool arrived = ::ioctl(fd, SIOCOUTQ, &unacknowledged) == 0 && unacknowledged == 0;
  if (why.code == Code::kDeadlineExceeded && arrived) return {};
  return tl::unexpected<Error>(why);
}

Result<void> await_end_of_peer(int fd, const Patience& patience) {
  std::array<char, 512> said;
  std::size_t heard = 0;
  for (;;) {
    const ssize_t got = ::recv(fd, said.data(), said.size(), MSG_DONTWAIT);
    if (got == 0) return await_acknowledgement(fd, patience);
    if (got > 0 && (heard += static_cast<std::size_t>(got)) > kMostHeard)
      return fail(Code::kFailedPrecondition, "the receiver talks without end");
    if (got > 0) continue;
    // A reset: it closed with bytes of ours that it had not read.
    if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
      return fail_errno("the receiver");
    if (auto ready = await_socket(fd, POLLIN, patience); !ready)
      return judge_silence(fd, ready.error());
  }
}

}  // namespace ward::enforcer::sinks
