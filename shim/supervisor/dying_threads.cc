// SPDX-License-Identifier: Apache-2.0
#include "shim/supervisor/dying_threads.h"

#include <algorithm>

namespace ward::shim::supervisor {
namespace {

constexpr std::size_t kMostThreads = 1024;  // a runtime has about ten

}  // namespace

DyingThreads DyingThreads::others_than(pid_t caller, std::int64_t now_ns,
                                       const std::filesystem::path& proc) {
  DyingThreads dying;
  dying.until_ns_ = now_ns + kDeadline_ns;
  const auto status = read_status(caller, proc);
  if (!status) return dying;
  for (const ThreadIdentity& thread : read_threads(caller, kMostThreads, proc)) {
    if (thread.tid != caller && thread.tid != status->thread_group)
      dying.threads_.push_back(thread);
  }
  return dying;
}

bool DyingThreads::includes(pid_t tid, std::int64_t now_ns,
                            const std::filesystem::path& proc) const {
  if (threads_.empty() || now_ns >= until_ns_) return false;
  const auto known = std::find_if(threads_.begin(), threads_.end(),
                                  [&](const ThreadIdentity& t) { return t.tid == tid; });
  if (known == threads_.end()) return false;
  const auto stat = read_stat(tid, proc);
  return stat && ThreadIdentity{tid, stat->start_time_ticks} == *known;
}

}  // namespace ward::shim::supervisor
