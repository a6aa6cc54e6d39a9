// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/unix_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace ward {
namespace {

Result<sockaddr_un> address_of(const std::filesystem::path& path) {
  const std::string& name = path.native();
  if (name.empty()) return fail(Code::kInvalidArgument, "the path of a unix socket is empty");
  if (name.size() > kMaxUnixPathBytes) {
    return fail(Code::kInvalidArgument, "the path of a unix socket may have " +
                                            std::to_string(kMaxUnixPathBytes) +
                                            " bytes, this one has " + std::to_string(name.size()) +
                                            ": '" + name + "' (choose a shorter directory)");
  }
  if (name.find('\0') != std::string::npos) {
    return fail(Code::kInvalidArgument, "the path of a unix socket contains a zero byte");
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(&address.sun_path[0], name.c_str(), name.size() + 1);
  return address;
}

Result<UniqueFd> new_socket() {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail_errno("socket(AF_UNIX)");
  return fd;
}

Result<void> bind_to(const UniqueFd& fd, const std::filesystem::path& path) {
  const auto address = address_of(path);
  if (!address) return tl::unexpected<Error>(address.error());
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) == 0)
    return {};
  if (errno != EADDRINUSE) return fail_errno("bind '" + path.string() + "'");
  return tl::unexpected<Error>(
      Error{Code::kAlreadyExists, "bind '" + path.string() + "': the path exists", EADDRINUSE});
}

// Whether `path` is a socket without a listener. A full queue means that somebody listens.
bool is_stale_socket(const std::filesystem::path& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) return false;
  const auto probe = connect_unix(path);
  return !probe && probe.error().sys_errno == ECONNREFUSED;
}

// Collects every descriptor of every SCM_RIGHTS message, so that whatever is wrong with them they
// are closed.
std::vector<UniqueFd> descriptors_of(msghdr& message) {
  std::vector<UniqueFd> found;
  for (cmsghdr* control = CMSG_FIRSTHDR(&message); control != nullptr;
       control = CMSG_NXTHDR(&message, control)) {
    if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(control) + i * sizeof(int), sizeof fd);
      found.emplace_back(fd);
    }
  }
  return found;
}

}  // namespace

Result<UniqueFd> connect_unix(const std::filesystem::path& path) {
  const auto address = address_of(path);
  if (!address) return tl::unexpected<Error>(address.error());
  auto fd = new_socket();
  if (!fd) return fd;
  int outcome = 0;
  do {
    outcome = ::connect(fd->get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address);
  } while (outcome != 0 && errno == EINTR);
  if (outcome == 0) return fd;
  const int error = errno;
  auto failure = fail_errno("connect '" + path.string() + "'", error);
  if (error == EAGAIN)
    failure.value().code =
        Code::kUnavailable;  // unix sockets never say EINPROGRESS: the queue is full
  return failure;
}

Result<UniqueFd> listen_unix(const std::filesystem::path& path, StaleSocket stale) {
  auto fd = new_socket();
  if (!fd) return fd;
  // The mode of the socket's own inode is the mode the path gets: no moment with wider rights, no
  // umask (process-wide).
  if (::fchmod(fd->get(), 0600) != 0) return fail_errno("fchmod of a socket");
  auto bound = bind_to(*fd, path);
  if (!bound && bound.error().sys_errno == EADDRINUSE && stale == StaleSocket::kReplace &&
      is_stale_socket(path)) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT)
      return fail_errno("unlink '" + path.string() + "'");
    bound = bind_to(*fd, path);
  }
  if (!bound) return tl::unexpected<Error>(bound.error());
  if (::listen(fd->get(), SOMAXCONN) != 0) {
    const int error = errno;
    ::unlink(path.c_str());
    return fail_errno("listen on '" + path.string() + "'", error);
  }
  return fd;
}

Result<UniqueFd> accept_unix(const UniqueFd& listener) {
  UniqueFd fd;
  do {
    fd.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  } while (!fd && errno == EINTR);
  if (fd) return fd;
  auto failure = fail_errno("accept");
  if (failure.value().sys_errno == EAGAIN) failure.value().code = Code::kUnavailable;
  return failure;
}

Result<PeerCredentials> peer_credentials(const UniqueFd& socket) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
    return fail_errno("SO_PEERCRED");
  return PeerCredentials{credentials.pid, credentials.uid, credentials.gid};
}

Result<void> send_descriptors(const UniqueFd& socket, std::string_view bytes,
                              const std::vector<int>& descriptors) {
  if (bytes.empty())
    return fail(Code::kInvalidArgument, "descriptors travel with at least one byte");
  if (descriptors.size() > kMaxDescriptorsPerMessage)
    return fail(Code::kInvalidArgument, "too many descriptors");
  iovec data{const_cast<char*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxDescriptorsPerMessage * sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (!descriptors.empty()) {
    const std::size_t size = descriptors.size() * sizeof(int);
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(size);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(size);
    std::memcpy(CMSG_DATA(header), descriptors.data(), size);
  }
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(socket.get(), &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) {
    auto failure = fail_errno("sendmsg");
    if (failure.value().sys_errno == EAGAIN) failure.value().code = Code::kUnavailable;
    return failure;
  }
  if (static_cast<std::size_t>(sent) != bytes.size())
    return fail(Code::kResourceExhausted, "sendmsg: cut short");
  return {};
}

Result<DescriptorMessage> receive_piece(const UniqueFd& socket, std::size_t max_bytes) {
  DescriptorMessage received;
  received.bytes.resize(max_bytes);
  iovec data{received.bytes.data(), received.bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxDescriptorsPerMessage * sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t size = 0;
  do {
    size = ::recvmsg(socket.get(), &message, MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  if (size < 0) {
    auto failure = fail_errno("recvmsg");
    if (failure.value().sys_errno == EAGAIN) failure.value().code = Code::kUnavailable;
    return failure;
  }
  received.descriptors = descriptors_of(message);
  if (size == 0)
    return tl::unexpected<Error>(Error{Code::kUnavailable, "recvmsg: the peer closed", ECONNRESET});
  if ((static_cast<unsigned>(message.msg_flags) & MSG_CTRUNC) != 0U) {
    return fail(Code::kResourceExhausted, "recvmsg: descriptors were cut off (more than " +
                                              std::to_string(kMaxDescriptorsPerMessage) +
                                              ", or the limit of open files is reached)");
  }
  received.bytes.resize(static_cast<std::size_t>(size));
  return received;
}

Result<DescriptorMessage> receive_descriptors(const UniqueFd& socket, std::size_t max_bytes) {
  auto received =
      receive_piece(socket, max_bytes + 1);  // one more, so that "too long" can be seen on a stream
  if (received && received->bytes.size() > max_bytes) {
    return fail(Code::kResourceExhausted,
                "recvmsg: the message is larger than " + std::to_string(max_bytes) + " bytes");
  }
  return received;
}

}  // namespace ward
