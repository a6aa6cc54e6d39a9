// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/cgroup_controllers.h"

#include <algorithm>
#include <array>

#include "lib/base/file.h"
#include "lib/linux/cgroup_paths.h"

namespace ward {
namespace {

// "name=systemd" and the like are no controllers.
constexpr std::array<std::string_view, 12> kControllers = {
    "blkio",   "cpu",    "cpuacct", "cpuset",   "devices", "freezer",
    "hugetlb", "memory", "net_cls", "net_prio", "pids",    "rdma"};
constexpr std::size_t kLargestMountinfo = 64U << 20U;

bool has_word(std::string_view comma_list, std::string_view word) {
  while (!comma_list.empty()) {
    const auto end = std::min(comma_list.find(','), comma_list.size());
    if (comma_list.substr(0, end) == word) return true;
    comma_list.remove_prefix(std::min(end + 1, comma_list.size()));
  }
  return false;
}

std::string_view take(std::string_view& text, char separator) {
  const auto end = std::min(text.find(separator), text.size());
  const auto word = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return word;
}

// Only the controllers out of a v1 mount's super options, "rw,cpu,cpuacct".
std::string controllers_of(std::string_view super_options) {
  std::string found;
  while (!super_options.empty()) {
    const auto word = take(super_options, ',');
    if (std::find(kControllers.begin(), kControllers.end(), word) == kControllers.end()) continue;
    if (!found.empty()) found += ',';
    found += word;
  }
  return found;
}

}  // namespace

CgroupHierarchies CgroupHierarchies::parse(std::string_view mountinfo) {
  CgroupHierarchies result;
  while (!mountinfo.empty()) {
    const auto line = take(mountinfo, '\n');
    // "36 25 0:31 <root> <mount point> <options> [optional fields] - <type> <source> <super
    // options>"
    const auto dash = line.find(" - cgroup");
    if (dash == std::string_view::npos) continue;
    std::string_view after = line.substr(dash + 3);
    const auto type = take(after, ' ');
    take(after, ' ');
    Hierarchy found;
    if (type == "cgroup") {
      found.controllers = controllers_of(after);
      if (found.controllers.empty()) continue;
    } else if (type != "cgroup2") {
      continue;
    }
    std::string_view before = line.substr(0, dash);
    for (int field = 0; field < 3; ++field) take(before, ' ');
    found.root = take(before, ' ');
    found.mount = take(before, ' ');
    // A container's own view of a hierarchy may be mounted a second time further down; the host's
    // comes first.
    const auto same = [&found](const Hierarchy& h) { return h.controllers == found.controllers; };
    if (std::none_of(result.hierarchies_.begin(), result.hierarchies_.end(), same)) {
      result.hierarchies_.push_back(std::move(found));
    }
  }
  return result;
}

Result<CgroupHierarchies> CgroupHierarchies::read(const std::filesystem::path& proc) {
  const auto text = read_file(proc / "self/mountinfo", kLargestMountinfo);
  if (!text) return tl::unexpected(text.error());
  return parse(*text);
}

bool CgroupHierarchies::is_unified() const {
  return std::all_of(hierarchies_.begin(), hierarchies_.end(),
                     [](const auto& h) { return h.controllers.empty(); });
}

std::filesystem::path CgroupHierarchies::find(std::string_view controller,
                                              std::string_view membership) const {
  const bool unified = is_unified();
  const auto wanted = [&](const Hierarchy& h) {
    return unified || has_word(h.controllers, controller);
  };
  const auto hierarchy = std::find_if(hierarchies_.begin(), hierarchies_.end(), wanted);
  if (hierarchy == hierarchies_.end()) return {};
  while (!membership.empty()) {
    auto line = take(membership, '\n');
    // "<id>:<controllers>:<path>"; the path may hold colons.
    const auto id = take(line, ':');
    const auto controllers = take(line, ':');
    if (unified ? id != "0" || !controllers.empty() : !has_word(controllers, controller)) continue;
    if (line == "/") return {};
    return cgroup_directory(hierarchy->mount, hierarchy->root, line);
  }
  return {};
}

Result<std::string> read_cgroup_membership(pid_t pid, const std::filesystem::path& proc) {
  return read_file(proc / std::to_string(pid) / "cgroup", 64U << 10U);
}

}  // namespace ward
