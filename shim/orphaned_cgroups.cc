// SPDX-License-Identifier: Apache-2.0
#include "shim/orphaned_cgroups.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/linux/cgroup.h"

namespace ward::shim {
namespace {

constexpr std::size_t kMaxStateBytes = 4U << 20U;
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

// A cgroup is removed by its directories alone; its files go with it. Fails while a process is in it.
bool remove_tree(const std::filesystem::path& directory, int depth) {
  if (::rmdir(directory.c_str()) == 0 || errno == ENOENT || errno == ENODEV) return true;
  if (depth >= kMaxDepth) return false;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (entry.is_directory(error) && !entry.is_symlink(error)) remove_tree(entry.path(), depth + 1);
  }
  return ::rmdir(directory.c_str()) == 0 || errno == ENOENT || errno == ENODEV;
}

}  // namespace

OrphanedCgroups read_orphaned_cgroups(const std::filesystem::path& runtime_root, const std::string& id) {
  OrphanedCgroups found;
  const auto text = read_file(runtime_root / id / "state.json", kMaxStateBytes);
  const auto state = nlohmann::json::parse(text ? *text : "", nullptr, /*allow_exceptions=*/false);
  if (!state.is_object()) return found;
  const auto paths = state.find("cgroup_paths");
  if (paths == state.end() || !paths->is_object()) return found;
  for (const auto& [controller, path] : paths->items()) {
    if (!path.is_string() || path.get<std::string>().empty()) continue;
    const std::filesystem::path directory(path.get<std::string>());
    if (controller.empty()) found.unified = directory;
    if (controller == "freezer") found.freezer = directory;
    found.all.push_back(directory);
  }
  return found;
}

Result<void> end_processes(const OrphanedCgroups& cgroups) {
  if (cgroups.all.empty()) return {};
  auto own = open_cgroups_at(cgroups.unified, cgroups.freezer);
  if (!own) return tl::unexpected(own.error());
  UniqueFd events;
  if (own->unified) {
    if (auto opened = own->unified->open_events()) events = std::move(*opened);
  }
  const std::int64_t deadline_ns = monotonic_ns() + kDeathDeadline_ns;
  while (is_populated(*own)) {
    if (monotonic_ns() >= deadline_ns) return fail(Code::kDeadlineExceeded, "processes are alive after 2 s");
    // The unified one first: it kills what is frozen there, so that nothing runs when the v1 freezer is thawed.
    if (own->unified) (void)own->unified->kill();
    if (own->freezer) (void)own->freezer->kill();
    if (!is_populated(*own)) break;
    wait_for_change(events);
  }
  return {};
}

bool try_delete(const std::filesystem::path& runtime_root, const std::string& id) {
  const auto cgroups = read_orphaned_cgroups(runtime_root, id);
  if (cgroups.all.empty()) return false;
  for (const auto& directory : cgroups.all) {
    if (!remove_tree(directory, 0)) return false;
  }
  std::error_code error;
  std::filesystem::remove_all(runtime_root / id, error);
  return !error;
}

Result<void> remove_cgroups(const OrphanedCgroups& cgroups) {
  // Where the container had no cgroup of its own there is nothing of its own to remove.
  if (cgroups.all.empty()) return {};
  const std::int64_t deadline_ns = monotonic_ns() + kRemoveDeadline_ns;
  for (;;) {
    const bool gone = std::count_if(cgroups.all.begin(), cgroups.all.end(),
                                    [](const auto& directory) { return !remove_tree(directory, 0); }) == 0;
    if (gone) return {};
    if (monotonic_ns() >= deadline_ns) return fail(Code::kDeadlineExceeded, "cgroups of the container are still there");
    wait_for_change({});
  }
}

}  // namespace ward::shim
