// SPDX-License-Identifier: Apache-2.0
#include "tests/support/node_remains.h"

#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

namespace ward::test {
namespace fs = std::filesystem;
namespace {

std::string slurp(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// /proc files that separate by NUL, made one line.
std::string spaced(std::string text) {
  std::replace(text.begin(), text.end(), '\0', ' ');
  return text;
}

std::vector<pid_t> pids() {
  std::vector<pid_t> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const pid_t pid = std::atoi(entry.path().filename().c_str());
    if (pid > 0 && pid != ::getpid()) found.push_back(pid);
  }
  return found;
}

bool belongs(pid_t pid, const std::string& node) {
  const fs::path proc = fs::path("/proc") / std::to_string(pid);
  // A zombie has neither, and is its parent's business.
  return slurp(proc / "environ").find(std::string(kNodeVariable) + "=" + node) != std::string::npos ||
         slurp(proc / "cgroup").find("/" + node + "/") != std::string::npos;
}

std::vector<fs::path> cgroup_parents(const std::string& node) {
  std::vector<fs::path> found;
  for (const auto& controller : fs::directory_iterator("/sys/fs/cgroup")) {
    std::error_code ignored;
    if (fs::is_directory(controller.path() / node, ignored)) found.push_back(controller.path() / node);
  }
  std::error_code ignored;
  if (fs::is_directory(fs::path("/sys/fs/cgroup") / node, ignored)) found.push_back(fs::path("/sys/fs/cgroup") / node);
  return found;
}

}  // namespace

std::vector<std::string> processes_of(const std::string& node) {
  std::vector<std::string> found;
  for (const pid_t pid : pids())
    if (belongs(pid, node)) {
      const std::string command = spaced(slurp("/proc/" + std::to_string(pid) + "/cmdline"));
      if (!command.empty()) found.push_back("process " + std::to_string(pid) + " " + command);
    }
  return found;
}

pid_t find_shim(const std::string& node, const std::string& id) {
  for (const pid_t pid : pids()) {
    const std::string command = spaced(slurp("/proc/" + std::to_string(pid) + "/cmdline"));
    if (command.find("containerd-shim-") != std::string::npos &&
        command.find(" -namespace " + node + " ") != std::string::npos &&
        command.find(" -id " + id + " ") != std::string::npos && command.find(" start ") == std::string::npos &&
        command.find(" delete ") == std::string::npos)
      return pid;
  }
  return -1;
}

std::vector<std::string> mounts_below(const fs::path& directory) {
  std::vector<std::string> found;
  std::ifstream table("/proc/self/mountinfo");
  for (std::string line; std::getline(table, line);) {
    std::istringstream words(line);
    std::string word;
    for (int i = 0; i < 5; ++i) words >> word;
    if (word.rfind(directory.string() + "/", 0) == 0) found.push_back("mount " + word);
  }
  return found;
}

std::vector<std::string> cgroups_of(const std::string& node) {
  std::vector<std::string> found;
  for (const fs::path& parent : cgroup_parents(node))
    for (const auto& entry : fs::directory_iterator(parent))
      if (entry.is_directory()) found.push_back("cgroup " + entry.path().string());
  return found;
}

void remove_remains(const std::string& node, const fs::path& directory) {
  for (const pid_t pid : pids())
    if (belongs(pid, node)) ::kill(pid, SIGKILL);
  std::vector<std::string> mounts = mounts_below(directory);
  for (auto mount = mounts.rbegin(); mount != mounts.rend(); ++mount)
    ::umount2(mount->c_str() + sizeof "mount", MNT_DETACH);
  for (const fs::path& parent : cgroup_parents(node)) {
    for (const auto& entry : fs::directory_iterator(parent))
      if (entry.is_directory()) ::rmdir(entry.path().c_str());
    ::rmdir(parent.c_str());
  }
  std::error_code ignored;
  fs::remove_all(directory, ignored);
}

}  // namespace ward::test
