// SPDX-License-Identifier: Apache-2.0
#include "cli/node/find.h"

#include "cli/node/layout.h"
#include "lib/base/escape.h"

namespace ward::cli::node {

Result<Daemon> only_one(std::vector<Daemon> found) {
  if (found.empty())
    return fail(Code::kUnavailable,
                "no containerd answers at any of the usual sockets: start it, or name its socket "
                "with --socket");
  std::string all;
  bool several = false;
  for (const Daemon& one : found) {
    several = several || one.pid != found.front().pid;
    all += (all.empty() ? "" : ", ") + one.socket.string() + " (process " +
           std::to_string(one.pid) + ", '" + one.config.string() + "')";
  }
  if (several)
    return fail(Code::kFailedPrecondition,
                "several containerds run here, say which with --socket: " + all);
  return std::move(found.front());
}

Result<Daemon> find_daemon(const std::filesystem::path& socket, const std::optional<Record>& record,
                           bool may_be_down) {
  if (socket.empty() && !record) return only_one(find_daemons(usual_sockets()));
  const std::filesystem::path at = socket.empty() ? record->daemon.socket : socket;
  if (record && at != record->daemon.socket)
    return fail(Code::kFailedPrecondition,
                "Ward is installed for the containerd at '" + record->daemon.socket.string() +
                    "': `ward node uninstall` before it is for the one at '" +
                    escape(at.string(), 4096) + "'");
  auto daemon = read_daemon(at);
  if (daemon || daemon.error().code != Code::kUnavailable) return daemon;
  if (record && may_be_down) {
    Daemon down = record->daemon;
    down.pid = 0;
    return down;
  }
  return fail(Code::kUnavailable, "no containerd answers at '" + escape(at.string(), 4096) +
                                      "': start it (its log says why it does not run), or name "
                                      "another socket with --socket");
}

}  // namespace ward::cli::node
