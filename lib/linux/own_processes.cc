// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/own_processes.h"

#include <fcntl.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <string>

#include "lib/base/file.h"
#include "lib/base/unique_fd.h"
#include "lib/linux/process_info.h"

namespace ward {
namespace {

namespace fs = std::filesystem;

// PID_MAX_LIMIT: no thread has a greater number.
constexpr std::uint64_t kGreatest = std::uint64_t{4} << 20U;
// NS_GET_TGID_FROM_PIDNS; Debian 12's <linux/nsfs.h> does not know it.
constexpr unsigned long kThreadGroupOf = _IOR(0xb7, 0x7, int);

bool may_be_one(std::uint64_t number) { return number > 0 && number <= kGreatest; }

bool is_own(pid_t group, pid_t own_group) {
  if (group == own_group) return true;
  const auto stat = read_stat(group);
  return stat && stat->parent == own_group;
}

// A child with a namespace of its own has another number in it, which may be anybody's outside.
bool counts_like(pid_t child, pid_t tid, const fs::path& proc) {
  std::error_code error;
  const auto theirs = fs::read_symlink(proc / std::to_string(child) / "ns/pid", error);
  if (error) return false;
  const auto own = fs::read_symlink(proc / std::to_string(tid) / "ns/pid", error);
  return !error && theirs == own;
}

// The children that one thread made.
std::vector<pid_t> read_children(pid_t thread, const fs::path& proc) {
  constexpr std::size_t kMostBytes = kMostProcessesRead * 16;
  const auto name = std::to_string(thread);
  const auto text = read_file(proc / name / "task" / name / "children", kMostBytes);
  std::vector<pid_t> children;
  for (std::size_t at = 0; text && at < text->size();) {
    const std::size_t end = std::min(text->find(' ', at), text->size());
    if (end > at) children.push_back(std::atoi(text->substr(at, end - at).c_str()));
    at = end + 1;
  }
  return children;
}

}  // namespace

std::vector<std::uint32_t> own_processes_from_proc(pid_t tid,
                                                   std::span<const std::uint64_t> numbers,
                                                   const fs::path& proc) {
  std::vector<pid_t> found;
  for (const ThreadIdentity& thread : read_threads(tid, kMostProcessesRead + 1, proc)) {
    found.push_back(thread.tid);
    for (const pid_t child : read_children(thread.tid, proc))
      if (counts_like(child, tid, proc)) found.push_back(child);
    if (found.size() > kMostProcessesRead) return {};
  }
  std::vector<std::uint32_t> own;
  for (const pid_t one : found) {
    const auto status = read_status(one, proc);
    const auto number = static_cast<std::uint64_t>(status ? status->own_thread : 0);
    if (number != 0 && std::find(numbers.begin(), numbers.end(), number) != numbers.end())
      own.push_back(static_cast<std::uint32_t>(number));
  }
  return own;
}

std::vector<std::uint32_t> own_processes(pid_t tid, pid_t group,
                                         std::span<const std::uint64_t> numbers) {
  if (std::none_of(numbers.begin(), numbers.end(), may_be_one)) return {};
  const std::string path = "/proc/" + std::to_string(tid) + "/ns/pid";
  const UniqueFd space(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!space) return {};
  std::vector<std::uint32_t> own;
  for (const std::uint64_t number : numbers) {
    if (!may_be_one(number)) continue;
    const int named = ::ioctl(space.get(), kThreadGroupOf, static_cast<int>(number));
    if (named < 0 && errno != ESRCH) return own_processes_from_proc(tid, numbers);
    if (named > 0 && is_own(named, group)) own.push_back(static_cast<std::uint32_t>(number));
  }
  return own;
}

}  // namespace ward
