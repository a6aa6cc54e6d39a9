// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/cgroup_paths.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <set>

#include "lib/base/file.h"
#include "lib/base/unique_fd.h"

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
      out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                               (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

struct CgroupMount {
  std::filesystem::path point;
  std::string root;
  std::string device;  // "0:31", of the hierarchy
  bool unified = false;
  bool freezer = false;
  bool favors_moves = false;
};

// "36 25 0:31 <root> <mount point> <options> [optional fields] - <type> <source> <super options>"
std::optional<CgroupMount> parse_cgroup_mount(std::string_view line) {
  const std::size_t dash = line.find(" - cgroup");
  if (dash == std::string_view::npos) return std::nullopt;
  const auto before = split(line.substr(0, dash), ' ');
  const auto after = split(line.substr(dash + 3), ' ');
  if (before.size() < 5 || after.size() < 3) return std::nullopt;
  if (after[0] != "cgroup" && after[0] != "cgroup2") return std::nullopt;
  CgroupMount mount;
  mount.device = before[2];
  mount.root = unescape_mount(before[3]);
  mount.point = unescape_mount(before[4]);
  mount.unified = after[0] == "cgroup2";
  mount.freezer = !mount.unified && has_word(after[2], "freezer");
  mount.favors_moves = has_word(after[2], "favordynmods");
  return mount;
}

void add_mount(const CgroupMount& mount, CgroupMounts& mounts) {
  mounts.all.push_back(mount.point);
  mounts.favor_moves = mounts.favor_moves || mount.favors_moves;
  if (mount.unified) {
    mounts.unified = mount.point;
    mounts.unified_root = mount.root;
  } else if (mount.freezer) {
    mounts.freezer = mount.point;
    mounts.freezer_root = mount.root;
  }
}

bool is_visible(const CgroupMount& mount) {
  struct stat status {};
  return ::stat(mount.point.c_str(), &status) == 0 &&
         mount.device ==
             std::to_string(major(status.st_dev)) + ":" + std::to_string(minor(status.st_dev));
}

}  // namespace

CgroupMounts parse_cgroup_mounts(std::string_view mountinfo) {
  CgroupMounts mounts;
  for (const auto line : split(mountinfo, '\n')) {
    if (const auto mount = parse_cgroup_mount(line)) add_mount(*mount, mounts);
  }
  return mounts;
}

Result<CgroupMounts> read_cgroup_mounts(const std::filesystem::path& proc) {
  const auto own = read_file(proc / "self/cgroup");
  if (!own) return tl::unexpected(own.error());
  const auto hierarchies = static_cast<std::size_t>(std::count(own->begin(), own->end(), '\n'));
  const auto path = proc / "self/mountinfo";
  const UniqueFd table(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!table) return fail_errno("open '" + path.string() + "'");
  CgroupMounts mounts;
  std::set<std::string> found;
  std::string rest;
  std::array<char, 4096> piece{};  // the kernel writes the lines of a piece when it is asked for
  while (found.size() < hierarchies) {
    const ssize_t size = ::read(table.get(), piece.data(), piece.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return fail_errno("read '" + path.string() + "'");
    if (size == 0) break;
    rest.append(piece.data(), static_cast<std::size_t>(size));
    std::size_t begin = 0;
    for (auto end = rest.find('\n'); end != std::string::npos;
         begin = end + 1, end = rest.find('\n', begin)) {
      const auto mount = parse_cgroup_mount(std::string_view(rest).substr(begin, end - begin));
      if (mount && is_visible(*mount) && found.insert(mount->device).second)
        add_mount(*mount, mounts);
    }
    rest.erase(0, begin);
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
  // A path that leaves the hierarchy ("/../x": the process is outside of our cgroup namespace) is
  // not ours to touch.
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
