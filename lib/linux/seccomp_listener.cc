// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/seccomp_listener.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <string>

namespace ward {
namespace {

constexpr int kMaxErrorNumber = 4095;  // MAX_ERRNO of the kernel

constexpr std::size_t words(std::size_t bytes) {
  return (bytes + sizeof(std::uint64_t) - 1) / sizeof(std::uint64_t);
}

int retry_ioctl(int fd, unsigned long request, void* argument) {
  int result = 0;
  do {
    result = ::ioctl(fd, request, argument);
  } while (result != 0 && errno == EINTR);
  return result;
}

}  // namespace

SeccompListener::SeccompListener(UniqueFd fd, std::size_t request_bytes, std::size_t response_bytes)
    : fd_(std::move(fd)), request_(words(request_bytes)), response_(words(response_bytes)) {}

Result<SeccompListener> SeccompListener::adopt(UniqueFd fd) {
  std::array<char, 64> target{};
  const std::string link = "/proc/self/fd/" + std::to_string(fd.get());
  const ssize_t n = ::readlink(link.c_str(), target.data(), target.size());
  if (n < 0) return fail_errno("readlink '" + link + "'");
  if (std::string_view(target.data(), static_cast<std::size_t>(n)) != "anon_inode:seccomp notify") {
    return fail(Code::kPermissionDenied, "the descriptor is not a seccomp listener");
  }
  std::uint64_t no_such_id = 0;
  if (::ioctl(fd.get(), SECCOMP_IOCTL_NOTIF_ID_VALID, &no_such_id) != 0 && errno != ENOENT) {
    return fail_errno("probe the seccomp listener");
  }
  seccomp_notif_sizes sizes{};
  if (::syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) != 0)
    return fail_errno("seccomp(GET_NOTIF_SIZES)");
  if (::fcntl(fd.get(), F_SETFD, FD_CLOEXEC) != 0) return fail_errno("fcntl(FD_CLOEXEC)");
  return SeccompListener(
      std::move(fd), std::max<std::size_t>(sizes.seccomp_notif, sizeof(seccomp_notif)),
      std::max<std::size_t>(sizes.seccomp_notif_resp, sizeof(seccomp_notif_resp)));
}

Result<std::optional<Notification>> SeccompListener::receive() {
  // The kernel refuses a struct that is not zeroed.
  std::fill(request_.begin(), request_.end(), 0);
  auto* const request = reinterpret_cast<seccomp_notif*>(request_.data());
  if (retry_ioctl(fd_.get(), SECCOMP_IOCTL_NOTIF_RECV, request) != 0) {
    if (errno == ENOENT) return std::nullopt;
    return fail_errno("ioctl(SECCOMP_IOCTL_NOTIF_RECV)");
  }
  Notification notification;
  notification.id = request->id;
  notification.tid = static_cast<pid_t>(request->pid);
  notification.arch = request->data.arch;
  notification.nr = request->data.nr;
  std::copy(std::begin(request->data.args), std::end(request->data.args),
            notification.args.begin());
  return notification;
}

Result<Delivery> SeccompListener::send(std::uint64_t id, int error, std::uint32_t flags) {
  std::fill(response_.begin(), response_.end(), 0);
  auto* const response = reinterpret_cast<seccomp_notif_resp*>(response_.data());
  response->id = id;
  response->error = error;
  response->flags = flags;
  if (retry_ioctl(fd_.get(), SECCOMP_IOCTL_NOTIF_SEND, response) != 0) {
    // ENOENT: taken back. EINPROGRESS: answered already.
    if (errno == ENOENT || errno == EINPROGRESS) return Delivery::kGone;
    return fail_errno("ioctl(SECCOMP_IOCTL_NOTIF_SEND)");
  }
  return Delivery::kDelivered;
}

Result<Delivery> SeccompListener::deny(std::uint64_t id, int error_number) {
  // Other than for SECCOMP_RET_ERRNO the kernel passes on whatever it is given: a result that looks
  // like success, or an error that libc does not take for one.
  const bool valid = error_number >= 0 && error_number <= kMaxErrorNumber;
  return send(id, valid ? -error_number : -EPERM, 0);
}

Result<Delivery> SeccompListener::let_run(std::uint64_t id) {
  return send(id, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
}

bool SeccompListener::is_valid(std::uint64_t id) const {
  return ::ioctl(fd_.get(), SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

}  // namespace ward
