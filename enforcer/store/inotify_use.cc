// SPDX-License-Identifier: Apache-2.0
#include "enforcer/store/inotify_use.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <utility>
#include <vector>

#include "lib/base/escape.h"
#include "lib/base/file.h"

namespace ward::enforcer {
namespace {

constexpr std::size_t kMostNamed = 4;
constexpr std::uint64_t kSuggested = 1024;

std::size_t instances_of(const std::filesystem::path& process) {
  std::size_t count = 0;
  std::error_code error;  // a process may end at any time
  for (std::filesystem::directory_iterator entry(process / "fd", error), end;
       !error && entry != end; entry.increment(error)) {
    std::error_code gone;
    if (std::filesystem::read_symlink(entry->path(), gone) == "anon_inode:inotify") ++count;
  }
  return count;
}

std::map<std::string, std::size_t> instances_by_program(const std::filesystem::path& proc) {
  std::map<std::string, std::size_t> found;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(proc, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    struct stat status {};
    if (std::isdigit(static_cast<unsigned char>(name.front())) == 0) continue;
    if (::stat(entry->path().c_str(), &status) != 0 || status.st_uid != ::geteuid()) continue;
    const std::size_t count = instances_of(entry->path());
    if (count == 0) continue;
    const auto comm = read_file(entry->path() / "comm", 64);
    found[comm ? escape(comm->substr(0, comm->find('\n'))) : "?"] += count;
  }
  return found;
}

std::string limit_text(const std::filesystem::path& proc) {
  const auto text = read_file(proc / "sys/user/max_inotify_instances", 32);
  return text ? text->substr(0, text->find('\n')) : "unknown";
}

}  // namespace

std::string describe_inotify_use(const std::filesystem::path& proc) {
  const auto found = instances_by_program(proc);
  std::vector<std::pair<std::string, std::size_t>> most(found.begin(), found.end());
  std::stable_sort(most.begin(), most.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  std::size_t all = 0;
  std::string named;
  for (std::size_t i = 0; i < most.size(); ++i) {
    all += most[i].second;
    if (i < kMostNamed)
      named += (i == 0 ? "" : ", ") + most[i].first + " " + std::to_string(most[i].second);
  }
  if (most.size() > kMostNamed) named += ", ...";
  return "uid " + std::to_string(::geteuid()) + " holds " + std::to_string(all) +
         " inotify instances" + (named.empty() ? "" : " (" + named + ")") +
         ", the limit is fs.inotify.max_user_instances = " + limit_text(proc) + ": set it to " +
         std::to_string(kSuggested) + " or more with sysctl";
}

}  // namespace ward::enforcer
