// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/orphaned_cgroups.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>

#include "lib/base/clock.h"
#include "lib/linux/cgroup.h"
#include "lib/linux/cgroup_paths.h"

namespace ward {
namespace {

constexpr std::int64_t kDeathDeadline_ns = 2'000'000'000;
constexpr std::int64_t kRemoveDeadline_ns = 1'000'000'000;
constexpr int kPoll_ms = 10;
constexpr int kMaxDepth = 32;

// Only the unified hierarchy announces the end of its last process; v1 is asked again and again.
void wait_for_change(const UniqueFd& events) {
  pollfd changed{.fd = events ? events.get() : -1, .events = POLLPRI, .revents = 0};
  (void)::poll(&changed, 1, kPoll_ms);
}

bool is_populated(const TaskCgroups& cgroups) {
  const auto populated = [](const std::optional<Cgroup>& cgroup) {
    return cgroup && cgroup->is_populated().value_or(false);
  };
  return populated(cgroups.unified) || populated(cgroups.freezer);
}

bool remove_cgroup(const std::filesystem::path& directory) {
  return ::rmdir(directory.c_str()) == 0 || errno == ENOENT || errno == ENODEV;
}

// A cgroup is removed by its directories alone; its files go with it. Fails while a process is in
// it.
bool remove_tree(const std::filesystem::path& directory, int depth) {
  if (remove_cgroup(directory)) return true;
  if (depth >= kMaxDepth) return false;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (entry.is_directory(error) && !entry.is_symlink(error) &&
        !remove_tree(entry.path(), depth + 1))
      return false;
  }
  return remove_cgroup(directory);
}

}  // namespace

OrphanedCgroups find_cgroups(const std::string& path) {
  OrphanedCgroups found;
  if (path.size() < 2 || path.front() != '/') return found;
  const auto mounts = read_cgroup_mounts();
  if (!mounts) return found;
  std::error_code error;
  for (const auto& mount : mounts->all) {
    const auto directory = cgroup_directory(mount, "/", path);
    if (directory.empty()) continue;
    if (!std::filesystem::is_directory(directory, error)) continue;
    if (mount == mounts->unified) found.unified = directory;
    if (mount == mounts->freezer) found.freezer = directory;
    found.all.push_back(directory);
  }
  return found;
}

Result<void> end_processes(const OrphanedCgroups& cgroups) {
  // Without a freezer of its own there is nothing yet but what the runtime was preparing, and that
  // ends with it.
  if (cgroups.unified.empty() && cgroups.freezer.empty()) return {};
  auto own = open_cgroups_at(cgroups.unified, cgroups.freezer);
  if (!own) return tl::unexpected(own.error());
  UniqueFd events;
  if (own->unified) {
    if (auto opened = own->unified->open_events()) events = std::move(*opened);
  }
  const std::int64_t deadline_ns = monotonic_ns() + kDeathDeadline_ns;
  while (is_populated(*own)) {
    if (monotonic_ns() >= deadline_ns)
      return fail(Code::kDeadlineExceeded, "processes are alive after 2 s");
    // The unified one first: it kills what is frozen there, so that nothing runs when the v1
    // freezer is thawed.
    if (own->unified) (void)own->unified->kill();
    if (own->freezer) (void)own->freezer->kill();
    if (!is_populated(*own)) break;
    wait_for_change(events);
  }
  return {};
}

bool try_remove_cgroups(const OrphanedCgroups& cgroups) {
  return std::all_of(cgroups.all.begin(), cgroups.all.end(),
                     [](const auto& directory) { return remove_cgroup(directory); });
}

Result<void> remove_cgroups(const OrphanedCgroups& cgroups) {
  // Where the container had no cgroup of its own there is nothing of its own to remove.
  if (cgroups.all.empty()) return {};
  const std::int64_t deadline_ns = monotonic_ns() + kRemoveDeadline_ns;
  for (;;) {
    if (std::all_of(cgroups.all.begin(), cgroups.all.end(),
                    [](const auto& directory) { return remove_tree(directory, 0); }))
      return {};
    if (monotonic_ns() >= deadline_ns)
      return fail(Code::kDeadlineExceeded, "cgroups of the container are still there");
    wait_for_change({});
  }
}

}  // namespace ward
