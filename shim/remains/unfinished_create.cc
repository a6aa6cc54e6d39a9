// SPDX-License-Identifier: Apache-2.0
#include "shim/remains/unfinished_create.h"

#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <charconv>

#include "lib/base/file.h"
#include "lib/linux/orphaned_cgroups.h"
#include "lib/linux/pidfd.h"
#include "lib/oci/bundle.h"

namespace ward::shim::remains {
namespace {

constexpr int kDeathDeadline_ms = 1000;

// "runc ... create ... --pid-file <bundle>/init.pid ID": nobody else is told to write this file.
bool creates_in(std::string_view command_line, const std::string& pid_file) {
  bool creates = false;
  bool writes_pid = false;
  while (!command_line.empty()) {
    const auto end = std::min(command_line.find('\0'), command_line.size());
    const auto argument = command_line.substr(0, end);
    creates = creates || argument == "create";
    writes_pid = writes_pid || argument == pid_file;
    command_line.remove_prefix(std::min(end + 1, command_line.size()));
  }
  return creates && writes_pid;
}

void kill_runtime(const std::string& pid_file) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename();
    pid_t pid = 0;
    const auto [end, wrong] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (wrong != std::errc() || end != name.data() + name.size()) continue;
    // The descriptor first: what is read afterwards is this process's, or the signal reaches
    // nobody.
    const auto process = open_pidfd(pid);
    const auto command_line = process ? read_file(entry.path() / "cmdline") : Result<std::string>();
    if (!process || !command_line || !creates_in(*command_line, pid_file)) continue;
    (void)send_signal(*process, SIGKILL);
    pollfd ended{.fd = process->get(), .events = POLLIN, .revents = 0};
    (void)::poll(&ended, 1, kDeathDeadline_ms);
  }
}

}  // namespace

UnfinishedCreate stop_unfinished_create(const std::filesystem::path& bundle,
                                        const std::filesystem::path& record) {
  const auto pid_file = bundle / "init.pid";
  std::error_code error;
  if (std::filesystem::exists(pid_file, error)) return {};
  const auto config = oci::Config::read(bundle);
  if (!config) return {};
  kill_runtime(pid_file.string());
  return {config->cgroups_path(), record};
}

Result<void> remove_remains(const UnfinishedCreate& create) {
  if (create.cgroups_path.empty()) return {};
  if (auto removed = remove_cgroups(find_cgroups(create.cgroups_path)); !removed) return removed;
  std::error_code error;
  if (!std::filesystem::exists(create.record / "state.json", error))
    std::filesystem::remove_all(create.record, error);
  return {};
}

}  // namespace ward::shim::remains
