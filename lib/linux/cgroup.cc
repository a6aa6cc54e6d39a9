// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/cgroup.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <charconv>
#include <csignal>

#include "lib/base/file.h"
#include "lib/base/scope_exit.h"
#include "lib/linux/cgroup_paths.h"
#include "lib/linux/pidfd.h"

namespace ward {
namespace {

constexpr int kMaxDepth = 32;
constexpr std::size_t kKillBatch = 256;

Result<std::string> read_at(int directory, const char* name, std::size_t max_bytes = 1U << 20U) {
  const UniqueFd fd(::openat(directory, name, O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno(std::string("open '") + name + "'");
  std::string content;
  std::string chunk(4096, '\0');
  for (;;) {
    const ssize_t n = ::read(fd.get(), chunk.data(), chunk.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return fail_errno(std::string("read '") + name + "'");
    }
    if (n == 0) return content;
    content.append(chunk, 0, static_cast<std::size_t>(n));
    if (content.size() > max_bytes) return content;
  }
}

Result<void> write_at(int directory, const char* name, std::string_view value) {
  const UniqueFd fd(::openat(directory, name, O_WRONLY | O_CLOEXEC));
  if (!fd) return fail_errno(std::string("open '") + name + "'");
  if (::write(fd.get(), value.data(), value.size()) != static_cast<ssize_t>(value.size())) {
    return fail_errno(std::string("write '") + name + "'");
  }
  return {};
}

// A removed cgroup answers ENODEV on its files, or ENOENT.
bool is_gone(const Error& error) { return error.sys_errno == ENODEV || error.sys_errno == ENOENT; }

void append_pids(std::string_view text, std::vector<pid_t>& out, std::size_t limit) {
  const char* at = text.data();
  const char* const end = text.data() + text.size();
  while (at < end && out.size() < limit) {
    pid_t pid = 0;
    const auto [next, error] = std::from_chars(at, end, pid);
    if (error != std::errc{}) return;
    // 0 is a process outside of our pid namespace: nothing we could name.
    if (pid > 0) out.push_back(pid);
    at = next + 1;
  }
}

void collect_pids(int directory, int depth, std::vector<pid_t>& out, std::size_t limit) {
  // A threaded cgroup refuses cgroup.procs (EOPNOTSUPP); its processes are listed by its domain.
  if (auto procs = read_at(directory, "cgroup.procs")) append_pids(*procs, out, limit);
  if (depth >= kMaxDepth) return;
  const int copy = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* const listing = copy < 0 ? nullptr : ::fdopendir(copy);
  if (listing == nullptr) return;
  const ScopeExit close_listing([listing] { ::closedir(listing); });
  while (const dirent* entry = ::readdir(listing)) {
    if (entry->d_type != DT_DIR || entry->d_name[0] == '.') continue;
    const UniqueFd child(
        ::openat(directory, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (child) collect_pids(child.get(), depth + 1, out, limit);
  }
}

}  // namespace

Cgroup::Cgroup(CgroupKind kind, std::string path, UniqueFd directory)
    : kind_(kind), path_(std::move(path)), directory_(std::move(directory)) {}

Result<Cgroup> Cgroup::open(CgroupKind kind, const std::filesystem::path& directory) {
  UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail_errno("open cgroup '" + directory.string() + "'");
  return Cgroup(kind, directory.string(), std::move(fd));
}

Result<void> Cgroup::request_freeze(bool freeze) {
  auto written = kind_ == CgroupKind::kUnified
                     ? write_at(directory_.get(), "cgroup.freeze", freeze ? "1" : "0")
                     : write_at(directory_.get(), "freezer.state", freeze ? "FROZEN" : "THAWED");
  if (!written) return fail_with((freeze ? "freeze '" : "thaw '") + path_ + "'", written.error());
  return {};
}

Result<bool> Cgroup::is_frozen() const {
  if (kind_ == CgroupKind::kFreezerV1) {
    auto state = read_at(directory_.get(), "freezer.state");
    if (!state) return fail_with("cgroup '" + path_ + "'", state.error());
    return state->rfind("FROZEN", 0) == 0;
  }
  auto events = read_at(directory_.get(), "cgroup.events");
  if (!events) return fail_with("cgroup '" + path_ + "'", events.error());
  return events->find("frozen 1") != std::string::npos;
}

Result<void> Cgroup::move_to_parent(pid_t pid) {
  if (auto moved = write_at(directory_.get(), "../cgroup.procs", std::to_string(pid)); !moved) {
    return fail_with("take process " + std::to_string(pid) + " out of '" + path_ + "'",
                     moved.error());
  }
  return {};
}

Result<UniqueFd> Cgroup::open_events() const {
  if (kind_ == CgroupKind::kFreezerV1)
    return fail(Code::kUnimplemented, "cgroup v1 has no cgroup.events");
  UniqueFd fd(::openat(directory_.get(), "cgroup.events", O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno("open '" + path_ + "/cgroup.events'");
  return fd;
}

Result<bool> Cgroup::is_populated() const {
  if (kind_ == CgroupKind::kUnified) {
    auto events = read_at(directory_.get(), "cgroup.events");
    if (!events && is_gone(events.error())) return false;
    if (!events) return fail_with("cgroup '" + path_ + "'", events.error());
    return events->find("populated 1") != std::string::npos;
  }
  auto members = pids(1);
  if (!members) return tl::unexpected(members.error());
  return !members->empty();
}

Result<std::vector<pid_t>> Cgroup::pids(std::size_t limit) const {
  std::vector<pid_t> out;
  collect_pids(directory_.get(), 0, out, limit);
  return out;
}

Result<void> Cgroup::kill() {
  if (kind_ == CgroupKind::kUnified) {
    auto written = write_at(directory_.get(), "cgroup.kill", "1");
    if (written || is_gone(written.error())) {
      // ENOENT is a removed cgroup or a kernel without cgroup.kill; the loop below is harmless for
      // the first.
      if (written) return {};
    } else {
      return fail_with("kill cgroup '" + path_ + "'", written.error());
    }
  }
  auto members = pids();
  if (!members) return tl::unexpected(members.error());
  for (std::size_t from = 0; from < members->size(); from += kKillBatch) {
    const std::size_t to = std::min(members->size(), from + kKillBatch);
    std::vector<std::pair<pid_t, UniqueFd>> handles;
    for (std::size_t i = from; i < to; ++i) {
      if (auto process = open_pidfd((*members)[i]))
        handles.emplace_back((*members)[i], std::move(*process));
    }
    // A number may have changed its owner since it was listed: only what is still listed after its
    // descriptor was taken is a member.
    auto still = pids();
    if (!still) return tl::unexpected(still.error());
    std::sort(still->begin(), still->end());
    for (const auto& [pid, handle] : handles) {
      if (std::binary_search(still->begin(), still->end(), pid)) (void)send_signal(handle, SIGKILL);
    }
  }
  if (kind_ == CgroupKind::kFreezerV1) {
    if (auto thawed = request_freeze(false); !thawed && !is_gone(thawed.error())) return thawed;
  }
  return {};
}

Result<TaskCgroups> open_cgroups_of(pid_t pid, const std::filesystem::path& proc) {
  const auto found_mounts = read_cgroup_mounts(proc);
  if (!found_mounts) return tl::unexpected(found_mounts.error());
  const CgroupMounts& mounts = *found_mounts;
  auto own = read_file(proc / "self/cgroup");
  if (!own) return tl::unexpected(own.error());
  auto theirs = read_file(proc / std::to_string(pid) / "cgroup");
  if (!theirs) return tl::unexpected(theirs.error());
  const CgroupMembership mine = parse_cgroup_membership(*own);
  const CgroupMembership member = parse_cgroup_membership(*theirs);

  TaskCgroups found;
  if (!member.unified.empty() && !cgroup_contains(member.unified, mine.unified)) {
    const auto directory = cgroup_directory(mounts.unified, mounts.unified_root, member.unified);
    if (!directory.empty()) {
      if (auto opened = Cgroup::open(CgroupKind::kUnified, directory))
        found.unified = std::move(*opened);
    }
  }
  if (!member.freezer.empty() && !cgroup_contains(member.freezer, mine.freezer)) {
    const auto directory = cgroup_directory(mounts.freezer, mounts.freezer_root, member.freezer);
    if (!directory.empty()) {
      if (auto opened = Cgroup::open(CgroupKind::kFreezerV1, directory))
        found.freezer = std::move(*opened);
    }
  }
  if (!found.unified && !found.freezer) {
    return fail(Code::kFailedPrecondition,
                "process " + std::to_string(pid) +
                    " has no cgroup of its own (cgroup2 or the v1 freezer) to contain it in");
  }
  return found;
}

Result<TaskCgroups> open_cgroups_at(const std::filesystem::path& unified,
                                    const std::filesystem::path& freezer,
                                    const std::filesystem::path& proc) {
  const auto found_mounts = read_cgroup_mounts(proc);
  if (!found_mounts) return tl::unexpected(found_mounts.error());
  const CgroupMounts& mounts = *found_mounts;
  auto own = read_file(proc / "self/cgroup");
  if (!own) return tl::unexpected(own.error());
  const CgroupMembership mine = parse_cgroup_membership(*own);
  const auto open_below = [](CgroupKind kind, const std::filesystem::path& directory,
                             const std::filesystem::path& mount,
                             const std::filesystem::path& ours) {
    std::optional<Cgroup> found;
    const std::string path = directory.lexically_normal().string();
    if (path != directory.string() || mount.empty() || path == mount.string()) return found;
    if (!cgroup_contains(mount.string(), path) || cgroup_contains(path, ours.string()))
      return found;
    if (auto opened = Cgroup::open(kind, directory)) found = std::move(*opened);
    return found;
  };
  TaskCgroups found;
  found.unified = open_below(CgroupKind::kUnified, unified, mounts.unified,
                             cgroup_directory(mounts.unified, mounts.unified_root, mine.unified));
  found.freezer = open_below(CgroupKind::kFreezerV1, freezer, mounts.freezer,
                             cgroup_directory(mounts.freezer, mounts.freezer_root, mine.freezer));
  if (!found.unified && !found.freezer) {
    return fail(Code::kFailedPrecondition, "neither '" + unified.string() + "' nor '" +
                                               freezer.string() + "' is a container's own cgroup");
  }
  return found;
}

}  // namespace ward
