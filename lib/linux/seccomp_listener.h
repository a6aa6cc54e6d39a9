// SPDX-License-Identifier: Apache-2.0
// The descriptor over which the kernel asks about system calls (SECCOMP_RET_USER_NOTIF). Used by
// the shim's supervisor. The owner polls; receive() is only for a descriptor that polled readable,
// because the kernel would block otherwise.
// Source: seccomp_unotify(2), Documentation/userspace-api/seccomp_filter.rst
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "lib/base/result.h"
#include "lib/base/unique_fd.h"

namespace ward {

struct Notification {
  std::uint64_t id = 0;
  pid_t tid = 0;  // in our pid namespace; 0 where it is not visible
  std::uint32_t arch = 0;
  int nr = 0;
  std::array<std::uint64_t, 6> args{};
};

// Did the waiting thread still want the answer? A signal, a freeze or its death takes the
// notification back (K11).
enum class Delivery { kDelivered, kGone };

class SeccompListener {
 public:
  // Refuses anything that is not a live seccomp listener (link name and an ID_VALID probe).
  static Result<SeccompListener> adopt(UniqueFd fd);

  [[nodiscard]] int fd() const { return fd_.get(); }

  // Nothing when it was taken back meanwhile.
  Result<std::optional<Notification>> receive();
  // The call does not run. `error_number` is 1 to 4095 (EPERM), or 0: it returns 0 then. Any other
  // number becomes EPERM.
  Result<Delivery> deny(std::uint64_t id, int error_number);
  // The call then runs in the kernel as if there were no listener; decide on scalars only before
  // using it (K13).
  Result<Delivery> let_run(std::uint64_t id);
  [[nodiscard]] bool is_valid(std::uint64_t id) const;

 private:
  explicit SeccompListener(UniqueFd fd, std::size_t request_bytes, std::size_t response_bytes);
  Result<Delivery> send(std::uint64_t id, int error, std::uint32_t flags);
  UniqueFd fd_;
  // Sized by the running kernel: its structs may be larger than those we were compiled with.
  std::vector<std::uint64_t> request_;
  std::vector<std::uint64_t> response_;
};

}  // namespace ward
