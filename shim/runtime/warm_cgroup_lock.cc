// SPDX-License-Identifier: Apache-2.0
#include "shim/runtime/warm_cgroup_lock.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>

#include "lib/base/file.h"
#include "lib/linux/cgroup_paths.h"

namespace ward::shim::runtime {
namespace {

constexpr std::chrono::milliseconds kLongest{80};
// Well within a grace period.
constexpr int kBetweenWritesMs = 4;
constexpr int kUseless = 1;

UniqueFd open_own_members() {
  const auto mounts = read_cgroup_mounts();
  const auto own = read_file("/proc/self/cgroup");
  if (!mounts || !own || mounts->favor_moves) return {};
  const CgroupMembership member = parse_cgroup_membership(*own);
  auto directory = cgroup_directory(mounts->unified, mounts->unified_root, member.unified);
  if (directory.empty())
    directory = cgroup_directory(mounts->freezer, mounts->freezer_root, member.freezer);
  if (directory.empty()) return {};
  return UniqueFd(::open((directory / "cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
}

[[noreturn]] void run_child(int told) {
  // Ends of other pipes and streams must not live on in here.
  if (::dup2(told, 0) != 0 || ::syscall(SYS_close_range, 1, ~0U, 0) != 0) ::_exit(kUseless);
  const UniqueFd members = open_own_members();
  if (!members) ::_exit(kUseless);
  auto end = std::chrono::steady_clock::now() + kLongest;
  while (std::chrono::steady_clock::now() < end) {
    if (::write(members.get(), "0", 1) != 1) ::_exit(kUseless);
    pollfd poll = {0, POLLIN, 0};
    if (::poll(&poll, 1, kBetweenWritesMs) <= 0) continue;
    char more[64];
    if (::read(0, more, sizeof(more)) <= 0) break;
    end = std::chrono::steady_clock::now() + kLongest;
  }
  ::_exit(0);
}

}  // namespace

void WarmCgroupLock::warm() {
  if (useless_) return;
  // It may have come to its end by itself.
  if (!tells_ || ::write(tells_.get(), "", 1) != 1) start();
}

WarmCgroupLock::Hold WarmCgroupLock::hold() {
  warm();
  if (auto held = held_.lock()) return held;
  Hold held(static_cast<void*>(this), [this](void*) { tells_.reset(); });
  held_ = held;
  return held;
}

void WarmCgroupLock::start() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return;
  const UniqueFd told(ends[0]);
  tells_.reset(ends[1]);
  // Not by way of start_child(): there is nothing to execute, and this costs the loop a third of a
  // millisecond less.
  const pid_t pid = ::fork();
  if (pid == 0) run_child(told.get());
  if (pid < 0) return tells_.reset();
  reaper_.watch(pid, [this, which = ++started_](Exit exit) {
    if (exit.wait_status != 0) useless_ = true;
    if (which == started_) tells_.reset();
  });
}

}  // namespace ward::shim::runtime
