// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/process_info.h"

#include <unistd.h>

#include <array>
#include <charconv>
#include <climits>
#include <map>
#include <vector>

#include "lib/base/file.h"

namespace ward {
namespace {

constexpr std::size_t kMaxStatBytes = 8192;
constexpr std::size_t kMaxStatusBytes = 65536;

// Positions after the ')' of stat, counted from 0 = state (field 3 of proc(5)).
constexpr std::size_t kParent = 1;
constexpr std::size_t kFlags = 6;
constexpr std::size_t kStartTime = 19;

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> out;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find_first_of(" \n", at), text.size());
    if (end > at) out.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

template <typename Number>
Number number(std::string_view text) {
  Number value{};
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::string_view line_value(std::string_view text, std::string_view key) {
  // Only a key at the start of a line counts: Name: is container-controlled (the kernel escapes
  // newlines in it).
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    if (line.substr(0, key.size()) == key) {
      line.remove_prefix(key.size());
      while (!line.empty() && (line.front() == '\t' || line.front() == ' ')) line.remove_prefix(1);
      return line;
    }
    at = end + 1;
  }
  return {};
}

// "1234\t56\t7": the last.
pid_t last_number(std::string_view line) {
  const std::size_t at = line.find_last_of("\t ");
  return number<pid_t>(at == std::string_view::npos ? line : line.substr(at + 1));
}

}  // namespace

Result<TaskStat> parse_stat(std::string_view text) {
  const std::size_t open = text.find('(');
  const std::size_t close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) {
    return fail(Code::kInternal, "/proc/<pid>/stat without a command in parentheses");
  }
  const auto fields = words(text.substr(close + 1));
  if (fields.size() <= kStartTime) return fail(Code::kInternal, "/proc/<pid>/stat is too short");
  TaskStat stat;
  stat.pid = number<pid_t>(text);
  stat.comm = text.substr(open + 1, close - open - 1);
  stat.state = fields[0][0];
  stat.parent = number<pid_t>(fields[kParent]);
  constexpr unsigned kExiting = 0x4;  // PF_EXITING
  stat.exiting = (number<unsigned>(fields[kFlags]) & kExiting) != 0;
  stat.start_time_ticks = number<std::uint64_t>(fields[kStartTime]);
  return stat;
}

Result<TaskStat> read_stat(pid_t tid, const std::filesystem::path& proc) {
  auto text = read_file(proc / std::to_string(tid) / "stat", kMaxStatBytes);
  if (!text) return tl::unexpected(text.error());
  return parse_stat(*text);
}

TaskStatus parse_status(std::string_view text) {
  TaskStatus status;
  status.thread_group = number<pid_t>(line_value(text, "Tgid:"));
  status.own_thread_group = last_number(line_value(text, "NStgid:"));
  status.own_thread = last_number(line_value(text, "NSpid:"));
  status.uid = line_value(text, "Uid:");
  status.gid = line_value(text, "Gid:");
  status.capabilities_effective = line_value(text, "CapEff:");
  if (const auto value = line_value(text, "NoNewPrivs:"); !value.empty())
    status.no_new_privileges = number<int>(value);
  if (const auto value = line_value(text, "Seccomp:"); !value.empty())
    status.seccomp = number<int>(value);
  return status;
}

Result<TaskStatus> read_status(pid_t tid, const std::filesystem::path& proc) {
  auto text = read_file(proc / std::to_string(tid) / "status", kMaxStatusBytes);
  if (!text) return tl::unexpected(text.error());
  return parse_status(*text);
}

std::string read_exe(pid_t tid, const std::filesystem::path& proc) {
  std::array<char, PATH_MAX> target{};
  const std::string link = (proc / std::to_string(tid) / "exe").string();
  const ssize_t n = ::readlink(link.c_str(), target.data(), target.size());
  return n <= 0 ? std::string() : std::string(target.data(), static_cast<std::size_t>(n));
}

std::vector<ThreadIdentity> read_threads(pid_t tid, std::size_t limit,
                                         const std::filesystem::path& proc) {
  std::vector<ThreadIdentity> threads;
  std::error_code gone;
  std::filesystem::directory_iterator entry(proc / std::to_string(tid) / "task", gone);
  for (; !gone && entry != std::filesystem::directory_iterator() && threads.size() < limit;
       entry.increment(gone)) {
    const auto thread = number<pid_t>(entry->path().filename().native());
    if (const auto stat = read_stat(thread, proc))
      threads.push_back({thread, stat->start_time_ticks});
  }
  return threads;
}

std::vector<pid_t> read_descendants(pid_t ancestor, const std::filesystem::path& proc) {
  std::multimap<pid_t, pid_t> children;
  std::error_code gone;
  std::filesystem::directory_iterator entry(proc, gone);
  for (; !gone && entry != std::filesystem::directory_iterator(); entry.increment(gone)) {
    const auto pid = number<pid_t>(entry->path().filename().native());
    const auto stat = pid > 0 ? read_stat(pid, proc) : fail(Code::kNotFound, "no process");
    if (stat) children.emplace(stat->parent, pid);
  }
  std::vector<pid_t> found;
  const auto add_children_of = [&](pid_t parent) {
    const auto [first, last] = children.equal_range(parent);
    for (auto child = first; child != last; ++child) found.push_back(child->second);
  };
  add_children_of(ancestor);
  for (std::size_t i = 0; i < found.size(); ++i) add_children_of(found[i]);
  return found;
}

bool descends_from(pid_t pid, pid_t ancestor, const std::filesystem::path& proc) {
  constexpr int kMostGenerations = 64;
  for (int i = 0; i < kMostGenerations; ++i) {
    const auto stat = read_stat(pid, proc);
    if (!stat || stat->parent <= 0) return false;
    if (stat->parent == ancestor) return true;
    pid = stat->parent;
  }
  return false;
}

}  // namespace ward
