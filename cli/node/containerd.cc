// SPDX-License-Identifier: Apache-2.0
#include "cli/node/containerd.h"

#include <sys/stat.h>

#include <sstream>

#include "cli/node/layout.h"
#include "cli/node/program.h"
#include "lib/base/file.h"
#include "lib/linux/child_process.h"
#include "lib/linux/process_info.h"
#include "lib/linux/unix_socket.h"

namespace ward::cli::node {
namespace fs = std::filesystem;
namespace {

constexpr std::chrono::seconds kPatience{20};
constexpr const char* kDefaultConfig = "/etc/containerd/config.toml";
constexpr std::string_view kDeleted = " (deleted)";

std::vector<std::string> words_of(std::string_view text, char separator) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const auto end = std::min(text.find(separator), text.size());
    words.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

bool same_file(const fs::path& one, const fs::path& other) {
  struct stat a = {}, b = {};
  return ::stat(one.c_str(), &a) == 0 && ::stat(other.c_str(), &b) == 0 && a.st_dev == b.st_dev &&
         a.st_ino == b.st_ino;
}

void read_program(Daemon& daemon, const fs::path& proc) {
  std::string program = read_exe(daemon.pid);
  if (program.size() > kDeleted.size() &&
      program.compare(program.size() - kDeleted.size(), kDeleted.size(), kDeleted) == 0) {
    program.erase(program.size() - kDeleted.size());
    daemon.replaced = true;
  }
  daemon.program = program;
  // What runs, whatever stands at its path by now.
  if (const auto said = run_program({(proc / "exe").string(), "--version"}, kPatience))
    daemon.version = find_version(said->out).value_or(Version());
}

void read_places(Daemon& daemon, const fs::path& proc) {
  const auto line = words_of(read_file(proc / "cmdline").value_or(""), '\0');
  const auto named = config_option(line);
  daemon.config_named = named.has_value();
  std::error_code error;
  const fs::path directory = fs::read_symlink(proc / "cwd", error);
  daemon.config = (directory / named.value_or(kDefaultConfig)).lexically_normal();
  for (const std::string& variable : words_of(read_file(proc / "environ").value_or(""), '\0'))
    if (variable.rfind("PATH=", 0) == 0)
      for (const std::string& part : words_of(std::string_view(variable).substr(5), ':'))
        daemon.search_path.emplace_back(part);
  daemon.unit = unit_of(read_file(proc / "cgroup").value_or(""));
}

// Lines of `ctr namespaces ls -q`, and of `ctr task ls`.
Result<std::vector<std::string>> ctr_lines(const Daemon& daemon,
                                           const std::vector<std::string>& arguments) {
  const fs::path beside = daemon.program.parent_path() / "ctr";
  std::error_code error;
  std::vector<std::string> command{fs::exists(beside, error) ? beside.string() : "ctr", "--address",
                                   daemon.socket.string()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  const auto ran = run_program(command, kPatience);
  if (!ran)
    return fail_with("ask containerd for its tasks, with ctr (install it beside containerd)",
                     ran.error());
  if (ran->status != 0)
    return fail(Code::kUnavailable, "ask containerd for its tasks: ctr: " + last_words(*ran));
  return words_of(ran->out, '\n');
}

}  // namespace

Result<Daemon> read_daemon(const fs::path& socket) {
  const auto connected = connect_unix(socket);
  if (!connected) {
    Error error = connected.error();
    error.code = Code::kUnavailable;
    return tl::unexpected(error);
  }
  const auto peer = peer_credentials(*connected);
  if (!peer) return tl::unexpected(peer.error());
  Daemon daemon;
  daemon.socket = socket;
  daemon.pid = peer->pid;
  const auto stat = read_stat(peer->pid);
  if (!stat)
    return fail(Code::kFailedPrecondition,
                "who listens at '" + socket.string() +
                    "' is not in our /proc: run ward where that containerd runs");
  daemon.start_time_ticks = stat->start_time_ticks;
  const fs::path proc = "/proc/" + std::to_string(peer->pid);
  if (!same_file(proc / "root", "/"))
    return fail(Code::kFailedPrecondition,
                "the containerd at '" + socket.string() +
                    "' has another root file system: run ward inside of it");
  read_program(daemon, proc);
  read_places(daemon, proc);
  return daemon;
}

std::vector<Daemon> find_daemons(const std::vector<fs::path>& sockets) {
  std::vector<Daemon> found;
  for (const fs::path& socket : sockets)
    if (auto daemon = read_daemon(socket)) found.push_back(std::move(*daemon));
  return found;
}

Result<Settings> dump_config(const Daemon& daemon, const fs::path& config) {
  std::vector<std::string> command{daemon.program.string()};
  // `dump` of 1.6 fails where there is no file at the default place.
  if (config.empty()) {
    command.insert(command.end(), {"config", "default"});
  } else {
    command.insert(command.end(), {"--config", config.string(), "config", "dump"});
  }
  const auto ran = run_program(command, kPatience);
  if (!ran) return tl::unexpected(ran.error());
  if (ran->status != 0) return fail(Code::kFailedPrecondition, last_words(*ran));
  return parse_settings(ran->out, "containerd's dump of " + config.string());
}

Result<std::vector<std::string>> tasks_in_created(const Daemon& daemon) {
  const auto namespaces = ctr_lines(daemon, {"namespaces", "ls", "-q"});
  if (!namespaces) return namespaces;
  std::vector<std::string> found;
  for (const std::string& name : *namespaces) {
    const auto tasks = ctr_lines(daemon, {"--namespace", name, "task", "ls"});
    if (!tasks) return tasks;
    for (const std::string& line : *tasks) {
      std::istringstream words(line);
      std::string id, pid, status;
      words >> id >> pid >> status;
      if (status == "CREATED") found.push_back(name + "/" + id);
    }
  }
  return found;
}

}  // namespace ward::cli::node
