// SPDX-License-Identifier: Apache-2.0
// Unix stream sockets by path, who is at the other end, and descriptors passed over them. Every
// descriptor made here is CLOEXEC and non-blocking from birth. Used by ttrpc, the console socket
// and the seccomp listener's handshake.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"
#include "lib/base/unique_fd.h"

namespace ward {

inline constexpr std::size_t kMaxUnixPathBytes = 107;  // sun_path without its final zero, unix(7)
inline constexpr std::size_t kMaxDescriptorMessageBytes = 64U << 10U;
inline constexpr std::size_t kMaxDescriptorsPerMessage = 16;

// kNotFound: no such path; kUnavailable: nobody listens, or the queue of the listener is full.
// Never blocks.
Result<UniqueFd> connect_unix(const std::filesystem::path& path);

enum class StaleSocket {
  kKeep,     // a path that exists is kAlreadyExists
  kReplace,  // a socket that nobody listens on is removed first; one that is in use, or anything
             // else: kAlreadyExists
};

// Bound with mode 0600 and listening. The directory must exist.
Result<UniqueFd> listen_unix(const std::filesystem::path& path,
                             StaleSocket stale = StaleSocket::kKeep);

// errno EAGAIN (kUnavailable) where no connection waits.
Result<UniqueFd> accept_unix(const UniqueFd& listener);

struct PeerCredentials {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
};

// The process that connected, as it was at that moment (SO_PEERCRED).
Result<PeerCredentials> peer_credentials(const UniqueFd& socket);

struct DescriptorMessage {
  std::string bytes;
  std::vector<UniqueFd> descriptors;
};

// One sendmsg with SCM_RIGHTS; at least one byte. Either everything was taken by the kernel or an
// error is returned.
Result<void> send_descriptors(const UniqueFd& socket, std::string_view bytes,
                              const std::vector<int>& descriptors);

// One recvmsg. Errors: kUnavailable with errno EAGAIN (nothing there yet) or ECONNRESET (the peer
// closed), kResourceExhausted where the message or its descriptors did not fit (the descriptors are
// closed, nothing leaks).
Result<DescriptorMessage> receive_descriptors(const UniqueFd& socket,
                                              std::size_t max_bytes = kMaxDescriptorMessageBytes);

// The same where the message is a part of a longer one: what is there, at most `max_bytes`; the
// rest comes next time.
Result<DescriptorMessage> receive_piece(const UniqueFd& socket, std::size_t max_bytes);

}  // namespace ward
