// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/idmapped_mount.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "lib/base/scope_exit.h"

namespace ward {
namespace {

// Takes a number off the front, and the character that has to follow it.
bool take_number(std::string_view& text, char after, std::uint32_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (after == '\0') return text.empty();
  if (text.empty() || text[0] != after) return false;
  text.remove_prefix(1);
  return true;
}

Result<void> write_map(pid_t pid, const char* name, const std::string& map) {
  const auto path = "/proc/" + std::to_string(pid) + "/" + name;
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file) return fail_errno("open " + path);
  // The kernel takes a map in one piece.
  if (::write(file.get(), map.data(), map.size()) < 0)
    return fail_errno(std::string("write ") + name + " '" + map + "'");
  return {};
}

}  // namespace

Result<std::string> parse_id_map(std::string_view ranges) {
  std::string map;
  do {
    const auto range = ranges.substr(0, ranges.find(','));
    ranges.remove_prefix(std::min(range.size() + 1, ranges.size()));
    std::string_view rest = range;
    std::uint32_t inside = 0, outside = 0, count = 0;
    if (!take_number(rest, ':', inside) || !take_number(rest, ':', outside) ||
        !take_number(rest, '\0', count) || count == 0) {
      return fail(Code::kInvalidArgument,
                  "'" + std::string(range) + "' is no range of ids; one is CONTAINER:HOST:SIZE");
    }
    map +=
        std::to_string(inside) + " " + std::to_string(outside) + " " + std::to_string(count) + "\n";
  } while (!ranges.empty());
  return map;
}

Result<UniqueFd> make_user_namespace(const std::string& uid_map, const std::string& gid_map) {
  const pid_t parent = ::getpid();
  // fork() with a namespace: the child has this program's memory, and does nothing with it.
  const auto pid = static_cast<pid_t>(
      ::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, nullptr));
  if (pid < 0) return fail_errno("make a user namespace");
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (::getppid() == parent) ::pause();
    ::_exit(0);
  }
  const ScopeExit end_child([pid] {
    ::kill(pid, SIGKILL);
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) continue;
  });
  if (auto ok = write_map(pid, "uid_map", uid_map); !ok) return tl::unexpected(ok.error());
  if (auto ok = write_map(pid, "gid_map", gid_map); !ok) return tl::unexpected(ok.error());
  const auto path = "/proc/" + std::to_string(pid) + "/ns/user";
  UniqueFd user_namespace(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!user_namespace) return fail_errno("open " + path);
  return user_namespace;
}

Result<UniqueFd> clone_mount(const std::filesystem::path& path, MountTree tree) {
  const unsigned flags =
      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (tree == MountTree::kOne ? 0U : AT_RECURSIVE);
  UniqueFd clone(::open_tree(AT_FDCWD, path.c_str(), flags));
  if (!clone) return fail_errno("clone the mount of " + path.string());
  return clone;
}

Result<void> map_ids(const UniqueFd& clone, const UniqueFd& user_namespace, MountTree tree) {
  mount_attr attributes = {};
  attributes.attr_set = MOUNT_ATTR_IDMAP;
  attributes.userns_fd = static_cast<std::uint64_t>(user_namespace.get());
  const unsigned flags = AT_EMPTY_PATH | (tree == MountTree::kOne ? 0U : AT_RECURSIVE);
  if (::mount_setattr(clone.get(), "", flags, &attributes, sizeof(attributes)) == 0) return {};
  if (errno == EINVAL)
    return fail(Code::kFailedPrecondition, "its file system, or this kernel, cannot map ids");
  return fail_errno("map ids");
}

Result<void> attach_mount(const UniqueFd& clone, const std::filesystem::path& target) {
  if (::move_mount(clone.get(), "", AT_FDCWD, target.c_str(), MOVE_MOUNT_F_EMPTY_PATH) == 0)
    return {};
  return fail_errno("attach a mount at " + target.string());
}

}  // namespace ward
