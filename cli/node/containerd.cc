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

// What runs, whatever stands at its path by now.
Result<void> read_version(Daemon& daemon, const fs::path& proc) {
  const auto said = run_program({daemon.called, "--version"}, kPatience, (proc / "exe").string());
  if (!said)
    return fail_with("ask '" + daemon.program.string() + "' for its version", said.error());
  if (said->out.rfind("containerd", 0) != 0)
    return fail(Code::kFailedPrecondition, "'" + daemon.program.string() + "', process " +
                                               std::to_string(daemon.pid) + " behind '" +
                                               daemon.socket.string() + "', is no containerd");
  daemon.version = find_version(said->out).value_or(Version());
  return {};
}

void read_places(Daemon& daemon, const fs::path& proc) {
  const auto line = words_of(read_file(proc / "cmdline").value_or(""), '\0');
  const auto named = config_option(line);
  daemon.config_named = named.has_value();
  std::error_code error;
  const fs::path directory = fs::read_symlink(proc / "cwd", error);
  daemon.config = (directory / named.value_or(kDefaultConfig)).lexically_normal();
  if (const auto state = state_option(line)) daemon.state = (directory / *state).lexically_normal();
  for (const std::string& variable : words_of(read_file(proc / "environ").value_or(""), '\0'))
    if (variable.rfind("PATH=", 0) == 0)
      for (const std::string& part : words_of(std::string_view(variable).substr(5), ':'))
        daemon.search_path.emplace_back(part);
  daemon.unit = unit_of(read_file(proc / "cgroup").value_or(""));
  std::string executable = read_exe(daemon.pid);
  if (executable.size() > kDeleted.size() &&
      executable.compare(executable.size() - kDeleted.size(), kDeleted.size(), kDeleted) == 0) {
    executable.erase(executable.size() - kDeleted.size());
    daemon.replaced = true;
  }
  daemon.called = line.empty() || line.front().empty() ? executable : line.front();
  daemon.program = daemon.replaced
                       ? fs::path(executable)
                       : program_path(daemon.called, directory, daemon.search_path, executable);
}

// Whose socket and whose process: ward is root, and would run the program of whoever has put a
// socket of his own there.
Result<void> check_owner(const PeerCredentials& peer, const fs::path& socket) {
  const auto status = read_status(peer.pid);
  const std::string uids = status ? status->uid : "";
  if (peer.uid == 0 && uids.rfind("0\t0\t", 0) == 0) return {};
  return fail(Code::kFailedPrecondition,
              "the process at '" + socket.string() + "' belongs to user " +
                  (peer.uid != 0 ? std::to_string(peer.uid) : uids.substr(0, uids.find('\t'))) +
                  ": ward takes root's containerd alone");
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
  if (auto owner = check_owner(*peer, socket); !owner) return tl::unexpected(owner.error());
  const fs::path proc = "/proc/" + std::to_string(peer->pid);
  if (!same_file(proc / "root", "/"))
    return fail(Code::kFailedPrecondition,
                "the containerd at '" + socket.string() +
                    "' has another root file system: run ward inside of it");
  read_places(daemon, proc);
  if (auto version = read_version(daemon, proc); !version) return tl::unexpected(version.error());
  // The number may be another process's by now, of which all this was read.
  const auto still = read_stat(peer->pid);
  if (!still || still->start_time_ticks != daemon.start_time_ticks)
    return fail(Code::kUnavailable,
                "containerd at '" + socket.string() + "' ended while it was looked at");
  return daemon;
}

std::vector<Daemon> find_daemons(const std::vector<fs::path>& sockets) {
  std::vector<Daemon> found;
  for (const fs::path& socket : sockets)
    if (auto daemon = read_daemon(socket)) found.push_back(std::move(*daemon));
  return found;
}

Result<Settings> dump_config(const Daemon& daemon, const fs::path& config) {
  std::vector<std::string> command{daemon.called.empty() ? daemon.program.string() : daemon.called};
  // `dump` of 1.6 fails where there is no file at the default place.
  if (config.empty()) {
    command.insert(command.end(), {"config", "default"});
  } else {
    command.insert(command.end(), {"--config", config.string(), "config", "dump"});
  }
  const auto ran = run_program(command, kPatience, daemon.program.string());
  if (!ran) return tl::unexpected(ran.error());
  if (ran->status != 0) return fail(Code::kFailedPrecondition, last_words(*ran));
  return parse_settings(ran->out, "containerd's dump of " + config.string());
}

fs::path state_of(const Daemon& daemon, const std::optional<Settings>& dump) {
  if (!daemon.state.empty()) return daemon.state;
  const std::string state = dump ? text_at(*dump, {"state"}) : "";
  return state.empty() ? "/run/containerd" : state;
}

fs::path program_path(const std::string& called, const fs::path& cwd,
                      const std::vector<fs::path>& search_path, const fs::path& executable) {
  if (called.find('/') != std::string::npos) {
    const fs::path path = (cwd / called).lexically_normal();
    return same_file(path, executable) ? path : executable;
  }
  for (const fs::path& folder : search_path)
    if (folder.is_absolute() && same_file(folder / called, executable)) return folder / called;
  return executable;
}

Result<std::vector<std::string>> tasks_in_created(const Daemon& daemon) {
  auto namespaces = ctr_lines(daemon, {"namespaces", "ls", "-q"});
  if (!namespaces) return namespaces;
  std::vector<std::string> found;
  for (const std::string& name : *namespaces) {
    auto tasks = ctr_lines(daemon, {"--namespace", name, "task", "ls"});
    if (!tasks) return tasks;
    for (const std::string& line : *tasks) {
      std::istringstream words(line);
      std::string id, pid, status;
      words >> id >> pid >> status;
      if (status != "CREATED") continue;
      found.push_back(name);
      found.back().append("/").append(id);
    }
  }
  return found;
}

}  // namespace ward::cli::node
