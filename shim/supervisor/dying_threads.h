// SPDX-License-Identifier: Apache-2.0
// The threads of the runtime that its execve is about to end. The kernel ends them (de_thread) a
// moment after the execve was continued; until then they go on asking, and what they ask belongs to
// the runtime. They are known by number and start time, which the kernel sets. Nothing that a
// process can set for itself counts: not its file, its stack or its name.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "lib/linux/process_info.h"

namespace ward::shim::supervisor {

class DyingThreads {
 public:
  // An execve reads its program before it ends the others, from a disk that may be slow. A thread
  // that is alive later than this is judged by the profile.
  static constexpr std::int64_t kDeadline_ns = 2'000'000'000;

  // `caller` asks for the execve and is parked in it. It and the first thread of its group are left
  // out: the new program gets their number, and the start time of the first.
  static DyingThreads others_than(pid_t caller, std::int64_t now_ns,
                                  const std::filesystem::path& proc = "/proc");

  // Reads /proc. The caller checks afterwards that the notification is valid, or the number may be
  // another thread's.
  [[nodiscard]] bool includes(pid_t tid, std::int64_t now_ns,
                              const std::filesystem::path& proc = "/proc") const;

 private:
  std::vector<ThreadIdentity> threads_;
  std::int64_t until_ns_ = 0;
};

}  // namespace ward::shim::supervisor
