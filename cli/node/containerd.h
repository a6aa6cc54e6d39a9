// SPDX-License-Identifier: Apache-2.0
// The containerd of a node, found by the process behind its socket: a socket says who listens, and
// that process says which configuration it read. A second containerd of the machine is another
// socket.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/node/settings.h"
#include "cli/node/version.h"
#include "lib/base/result.h"

namespace ward::cli::node {

struct Daemon {
  std::filesystem::path socket;
  pid_t pid = 0;  // 0: nobody answers
  std::uint64_t start_time_ticks = 0;
  std::filesystem::path program;  // what its next start executes
  std::string called;             // its argv[0]: one program may be several, told by that
  bool replaced = false;          // that is another file than the one that runs
  Version version;                // of what runs
  std::filesystem::path config;   // that it read; may be absent where it is the default
  bool config_named = false;      // by its command line
  std::filesystem::path state;    // by its command line; empty: its configuration says
  std::vector<std::filesystem::path> search_path;
  std::string unit;  // of systemd; empty: none
};

// Everybody who listens at one of the sockets.
std::vector<Daemon> find_daemons(const std::vector<std::filesystem::path>& sockets);
// kUnavailable: nobody answers there. kFailedPrecondition: it lives in another file system, is no
// containerd, or is not root's: nothing of such a process is executed.
Result<Daemon> read_daemon(const std::filesystem::path& socket);

// What containerd makes of a configuration; `config` empty: of its default. kFailedPrecondition
// with containerd's own words where it refuses it.
Result<Settings> dump_config(const Daemon& daemon, const std::filesystem::path& config);

// Where it keeps its bundles. `dump` is its configuration, where that could be read.
std::filesystem::path state_of(const Daemon& daemon, const std::optional<Settings>& dump);

// The path by which it was started, where that is still the file that runs: a distribution's
// program is told by its name what it is. Else `executable`. Looks for files, changes nothing.
std::filesystem::path program_path(const std::string& called, const std::filesystem::path& cwd,
                                   const std::vector<std::filesystem::path>& search_path,
                                   const std::filesystem::path& executable);

// "namespace/id" of the tasks that were made and not started: containerd forgets these where it is
// restarted before they are (containerd issue 10437).
Result<std::vector<std::string>> tasks_in_created(const Daemon& daemon);

}  // namespace ward::cli::node
