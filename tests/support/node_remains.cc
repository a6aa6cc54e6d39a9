// SPDX-License-Identifier: Apache-2.0
#include "tests/support/node_remains.h"

#include <linux/bpf.h>
#include <linux/magic.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "lib/base/digest.h"
#include "lib/base/file.h"
#include "lib/base/unique_fd.h"
#include "lib/linux/process_info.h"

namespace ward::test {
namespace fs = std::filesystem;
namespace {

// Empty for what is gone, also where it goes while it is read.
std::string slurp(const fs::path& path) { return read_file(path).value_or(std::string()); }

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

// How wardd names the containers with which it measures the runtime.
std::string calibration_prefix(const std::string& node) {
  return "ward-calibration-" + sha256_hex((directory_of(node) / "run").string()).substr(0, 8) + "-";
}

bool belongs(pid_t pid, const std::string& node) {
  const fs::path proc = fs::path("/proc") / std::to_string(pid);
  // A zombie has neither: zombies_of() goes by its parent.
  if (slurp(proc / "environ").find(std::string(kNodeVariable) + "=" + node) != std::string::npos)
    return true;
  const std::string cgroups = slurp(proc / "cgroup");
  return cgroups.find("/" + node + "/") != std::string::npos ||
         cgroups.find("/" + calibration_prefix(node)) != std::string::npos;
}

// Of a group that another suite's node removes meanwhile nothing is left to be listed: that is no
// error.
std::vector<fs::path> entries_of(const fs::path& directory) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error))
    found.push_back(entry->path());
  return found;
}

// The top of every hierarchy, on v1, hybrid and unified hosts.
std::vector<fs::path> cgroup_tops() {
  std::vector<fs::path> found{"/sys/fs/cgroup"};
  std::error_code ignored;
  for (const fs::path& controller : entries_of("/sys/fs/cgroup"))
    if (fs::is_directory(controller, ignored) && !fs::is_symlink(controller, ignored))
      found.push_back(controller);
  return found;
}

std::vector<fs::path> cgroup_parents(const std::string& node) {
  std::vector<fs::path> found;
  std::error_code ignored;
  for (const fs::path& top : cgroup_tops())
    if (fs::is_directory(top / node, ignored)) found.push_back(top / node);
  return found;
}

std::vector<fs::path> cgroup_directories_of(const std::string& node) {
  std::vector<fs::path> found;
  std::error_code ignored;
  for (const fs::path& parent : cgroup_parents(node))
    for (const fs::path& entry : entries_of(parent))
      if (fs::is_directory(entry, ignored)) found.push_back(entry);
  const std::string calibration = calibration_prefix(node);
  for (const fs::path& top : cgroup_tops())
    for (const fs::path& entry : entries_of(top))
      if (entry.filename().string().rfind(calibration, 0) == 0) found.push_back(entry);
  return found;
}

}  // namespace

fs::path directory_of(const std::string& node) { return fs::temp_directory_path() / node; }

std::vector<std::string> processes_of(const std::string& node) {
  std::vector<std::string> found;
  for (const pid_t pid : pids())
    if (belongs(pid, node)) {
      const std::string command = spaced(slurp("/proc/" + std::to_string(pid) + "/cmdline"));
      if (!command.empty()) found.push_back("process " + std::to_string(pid) + " " + command);
    }
  return found;
}

std::vector<std::string> zombies_of(const std::string& node) {
  std::vector<std::string> found;
  for (const pid_t pid : pids()) {
    const auto stat = read_stat(pid);
    if (!stat || stat->state != 'Z' || (stat->parent != ::getpid() && !belongs(stat->parent, node)))
      continue;
    found.push_back("zombie " + std::to_string(pid) + " (" + stat->comm + ") of " +
                    std::to_string(stat->parent) + " " +
                    spaced(slurp("/proc/" + std::to_string(stat->parent) + "/cmdline")));
  }
  return found;
}

long open_descriptors(pid_t pid) {
  std::error_code ignored;
  return std::distance(fs::directory_iterator("/proc/" + std::to_string(pid) + "/fd", ignored),
                       fs::directory_iterator());
}

pid_t find_shim(const std::string& node, const std::string& id) {
  for (const pid_t pid : pids()) {
    const std::string command = spaced(slurp("/proc/" + std::to_string(pid) + "/cmdline"));
    if (command.find("containerd-shim-") != std::string::npos &&
        command.find(" -namespace " + node + " ") != std::string::npos &&
        command.find(" -id " + id + " ") != std::string::npos &&
        command.find(" start ") == std::string::npos &&
        command.find(" delete ") == std::string::npos) {
      // Beside a shim there may be the child that keeps the lock of cgroups warm for it, with the
      // same command line.
      const auto stat = read_stat(pid);
      if (stat && spaced(slurp("/proc/" + std::to_string(stat->parent) + "/cmdline")) == command)
        continue;
      return pid;
    }
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

// crun makes a plain directory where the unified hierarchy is known to the kernel and not mounted.
static bool is_cgroup(const fs::path& directory) {
  struct statfs of {};
  return ::statfs(directory.c_str(), &of) == 0 &&
         (of.f_type == CGROUP_SUPER_MAGIC || of.f_type == CGROUP2_SUPER_MAGIC);
}

std::vector<std::string> cgroups_of(const std::string& node) {
  std::vector<std::string> found;
  for (const fs::path& directory : cgroup_directories_of(node))
    if (is_cgroup(directory)) found.push_back("cgroup " + directory.string());
  return found;
}

bool remove_cgroups_of(const std::string& node, const std::string& id) {
  bool gone = true;
  for (const fs::path& directory : cgroup_directories_of(node))
    if (directory.filename() == id) gone = ::rmdir(directory.c_str()) == 0 && gone;
  return gone;
}

namespace {

bool is_daemon(const std::string& process) {
  return process.find(" containerd -c ") != std::string::npos ||
         process.find("/wardd ") != std::string::npos;
}

void list(const fs::path& directory, const char* what, std::vector<std::string>& found) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory, ignored))
    found.push_back(std::string(what) + " " + entry.path().string());
}

std::vector<fs::path> directories_in(const fs::path& directory) {
  std::vector<fs::path> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory, ignored))
    if (entry.is_directory(ignored)) found.push_back(entry.path());
  return found;
}

// What shims make in the node's run directory; and wardd, with its sockets, where it has to have
// gone.
void list_run_directory(const fs::path& run, Daemons daemons, std::vector<std::string>& found) {
  list(run / "shims", "directory of a shim", found);
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(run, ignored))
    if (entry.path().filename().string().rfind("pty-", 0) == 0)
      found.push_back("console socket " + entry.path().string());
  if (daemons == Daemons::kIgnore) return;
  for (const auto& entry : fs::recursive_directory_iterator(run, ignored))
    if (entry.is_socket(ignored) || entry.is_fifo(ignored))
      found.push_back("socket " + entry.path().string());
}

}  // namespace

std::vector<std::string> remains_of(const std::string& node, Daemons daemons) {
  std::vector<std::string> found = processes_of(node);
  if (daemons == Daemons::kIgnore) std::erase_if(found, is_daemon);
  const fs::path own = directory_of(node);
  for (const auto& part : {zombies_of(node), mounts_below(own), cgroups_of(node)})
    found.insert(found.end(), part.begin(), part.end());
  for (const fs::path& space :
       directories_in(own / "containerd/state/io.containerd.runtime.v2.task"))
    list(space, "bundle", found);
  for (const fs::path& space : directories_in("/run/containerd/runc")) {
    std::vector<std::string> states;
    list(space, "state of the runtime", states);
    // crun keeps a directory and a cache of its own there, which no container's id can be.
    std::erase_if(states,
                  [](const std::string& state) { return state.find("/.") != std::string::npos; });
    found.insert(found.end(), states.begin(), states.end());
  }
  list("/run/containerd/s", "socket of a shim", found);
  // Not /run/containerd/fifo: those are the client's, and a ctr that a test kills leaves them.
  list_run_directory(own / "run", daemons, found);
  return found;
}

std::set<std::uint32_t> bpf_programs_of(const std::string& node) {
  constexpr std::string_view kKey =
      "prog_id:";  // of a program, and of a link that keeps one attached
  std::set<std::uint32_t> found;
  for (const pid_t pid : pids()) {
    if (!belongs(pid, node)) continue;
    std::error_code ignored;
    for (const auto& entry :
         fs::directory_iterator("/proc/" + std::to_string(pid) + "/fdinfo", ignored)) {
      const std::string text = slurp(entry.path());
      if (const std::size_t at = text.find(kKey); at != std::string::npos)
        found.insert(static_cast<std::uint32_t>(std::atoi(text.c_str() + at + kKey.size())));
    }
  }
  return found;
}

bool bpf_program_exists(std::uint32_t id) {
  bpf_attr attributes{};
  attributes.prog_id = id;
  return static_cast<bool>(UniqueFd(static_cast<int>(
      ::syscall(SYS_bpf, BPF_PROG_GET_FD_BY_ID, &attributes, sizeof(attributes)))));
}

void remove_fifos_of(const std::string& id) {
  std::error_code ignored;
  for (const fs::path& directory : directories_in("/run/containerd/fifo"))
    for (const char* stream : {"-stdin", "-stdout", "-stderr"})
      if (fs::exists(directory / (id + stream), ignored)) fs::remove_all(directory, ignored);
}

void remove_remains(const std::string& node, const fs::path& directory) {
  for (const pid_t pid : pids())
    if (belongs(pid, node)) ::kill(pid, SIGKILL);
  std::vector<std::string> mounts = mounts_below(directory);
  for (auto mount = mounts.rbegin(); mount != mounts.rend(); ++mount)
    ::umount2(mount->c_str() + sizeof "mount", MNT_DETACH);
  for (const fs::path& cgroup : cgroup_directories_of(node)) ::rmdir(cgroup.c_str());
  for (const fs::path& parent : cgroup_parents(node)) ::rmdir(parent.c_str());
  std::error_code ignored;
  fs::remove_all(directory, ignored);
  // Ours alone, and never that of a machine on which somebody forgot isolate_mounts().
  struct stat own {
  }, above{};
  if (::stat("/run/containerd", &own) != 0 || ::stat("/run", &above) != 0 ||
      own.st_dev == above.st_dev)
    return;
  for (const char* part : {"runc", "s", "fifo"})
    fs::remove_all(fs::path("/run/containerd") / part, ignored);
}

}  // namespace ward::test
