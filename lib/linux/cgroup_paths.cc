// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/cgroup_paths.h"

namespace ward {
namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return parts;
}

bool has_word(std::string_view comma_list, std::string_view word) {
  for (const auto part : split(comma_list, ',')) {
    if (part == word) return true;
  }
  return false;
}

// mountinfo writes space, tab, newline and backslash as \ooo.
std::string unescape_mount(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace

CgroupMounts parse_cgroup_mounts(std::string_view mountinfo) {
  CgroupMounts mounts;
  for (const auto line : split(mountinfo, '\n')) {
    // "36 25 0:31 <root> <mount point> <options> [optional fields] - <type> <source> <super options>"
    const std::size_t dash = line.find(" - ");
    if (dash == std::string_view::npos) continue;
    const auto before = split(line.substr(0, dash), ' ');
    const auto after = split(line.substr(dash + 3), ' ');
    if (before.size() < 5 || after.size() < 3) continue;
    if (after[0] == "cgroup" || after[0] == "cgroup2") {
      mounts.all.emplace_back(unescape_mount(before[4]));
      mounts.favor_moves = mounts.favor_moves || has_word(after[2], "favordynmods");
    }
    if (after[0] == "cgroup2") {
      mounts.unified = unescape_mount(before[4]);
      mounts.unified_root = unescape_mount(before[3]);
    } else if (after[0] == "cgroup" && has_word(after[2], "freezer")) {
      mounts.freezer = unescape_mount(before[4]);
      mounts.freezer_root = unescape_mount(before[3]);
    }
  }
  return mounts;
}

CgroupMembership parse_cgroup_membership(std::string_view proc_pid_cgroup) {
  CgroupMembership membership;
  for (const auto line : split(proc_pid_cgroup, '\n')) {
    // "<id>:<controllers>:<path>"; the path may hold colons.
    const std::size_t first = line.find(':');
    if (first == std::string_view::npos) continue;
    const std::size_t second = line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const std::string_view path = line.substr(second + 1);
    if (line.substr(0, first) == "0" && controllers.empty()) membership.unified = path;
    if (has_word(controllers, "freezer")) membership.freezer = path;
  }
  return membership;
}

std::filesystem::path cgroup_directory(const std::filesystem::path& mount, std::string_view root,
                                       std::string_view member) {
  if (mount.empty() || member.empty() || member[0] != '/') return {};
  // A path that leaves the hierarchy ("/../x": the process is outside of our cgroup namespace) is not ours to touch.
  for (const auto part : split(member, '/')) {
    if (part == "..") return {};
  }
  if (root != "/") {
    if (!cgroup_contains(root, member)) return {};
    member.remove_prefix(root.size());
  }
  std::filesystem::path directory = mount;
  directory += member;
  return directory;
}

bool cgroup_contains(std::string_view outer, std::string_view inner) {
  if (outer == "/") return true;
  if (inner.substr(0, outer.size()) != outer) return false;
  return inner.size() == outer.size() || inner[outer.size()] == '/';
}

}  // namespace ward
