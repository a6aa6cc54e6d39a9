// SPDX-License-Identifier: Apache-2.0
// Connecting and waiting on sockets that do not block. Used by stream.cc and tls_stream.cc.
#pragma once

#include <string>

#include "enforcer/sinks/stream.h"
#include "lib/base/unique_fd.h"

namespace ward::enforcer::sinks {

struct HostAndPort {
  std::string host, port;  // an IPv6 address without its brackets
};
HostAndPort host_and_port(const std::string& url);

// kDeadlineExceeded, or kCanceled where the sink stops.
Result<void> await_socket(int fd, short events, const Patience& patience);

// `type`: SOCK_STREAM or SOCK_DGRAM. Looking a name up is the system's business and its time-out.
Result<UniqueFd> connect_to(const HostAndPort& where, int type, const Patience& patience);

inline constexpr std::size_t kMostHeard = 64U << 10U;  // bytes of one who has nothing to say

// After our half of the connection was closed: until the peer closes its own.
Result<void> await_end_of_peer(int fd, const Patience& patience);

// After the peer's end: until all of ours is acknowledged. A peer that closed before it had our
// bytes answers them with a reset, which may be on its way yet.
Result<void> await_acknowledgement(int fd, const Patience& patience);

// Of a peer that keeps its half open: what its kernel has acknowledged must do.
Result<void> judge_silence(int fd, const Error& why);

Result<std::unique_ptr<Stream>> open_tls_stream(const profiles::SinkSettings& settings,
                                                const HostAndPort& where, UniqueFd fd,
                                                const Patience& patience);

}  // namespace ward::enforcer::sinks
