// SPDX-License-Identifier: Apache-2.0
#include "cli/node/doctor.h"
#include "cli/node/gate.h"
#include "cli/node/plan.h"

namespace ward::cli::node {
namespace {

constexpr Version kOldest{1, 6, 0, false};
constexpr Version kHonoursRuntimePath{1, 6, 21, false};
constexpr Version kMergesDropIns{2, 0, 0, false};

void version_findings(const Daemon& daemon, Findings& all) {
  const std::string name = "containerd " + version_text(daemon.version);
  if (daemon.version < kOldest) {
    all.push_back({Level::kProblem, "containerd-version", "containerd",
                   name + " is older than what Ward is tried with", "use 1.6 or later"});
    return;
  }
  all.push_back({Level::kOk, "containerd-version", "containerd",
                 name + ", process " + std::to_string(daemon.pid) + ", reads '" +
                     daemon.config.string() + "'",
                 ""});
  if (daemon.version < kHonoursRuntimePath)
    all.push_back({Level::kWarning, "containerd-8207", "containerd",
                   name + " takes runtime_path, says nothing and starts the stock shim (issue "
                          "8207)",
                   "use Ward by its handler's runtime_type, as `ward node install` writes it, or "
                   "take containerd 1.6.21 or later"});
  if (daemon.version < kMergesDropIns)
    all.push_back({Level::kNote, "containerd-imports", "containerd",
                   name + " lets an imported file replace the whole CRI section",
                   "keep the handler in the main file, as `ward node install` does"});
  if (daemon.replaced)
    all.push_back({Level::kWarning, "containerd-replaced", "containerd",
                   "containerd was upgraded and has not been restarted: it runs a file that '" +
                       daemon.program.string() + "' is not any more",
                   "restart it at a moment of your choice; the next restart takes the new one"});
}

void config_findings(const NodeFacts& facts, Findings& all) {
  if (!facts.config) {
    all.push_back(
        {Level::kProblem, "containerd-config", "containerd",
         "containerd refuses its configuration, and would not start again: " + facts.config_error,
         "mend the file that is named, before anything restarts containerd"});
    return;
  }
  if (facts.config_version == 1)
    all.push_back({Level::kWarning, "containerd-config-version", "containerd",
                   "the configuration is of version 1, which containerd 2 does not read as such",
                   "`containerd config migrate` prints it in a newer version"});
  if (!has_cri(*facts.config)) {
    all.push_back({Level::kNote, "cri-disabled", "containerd",
                   "the CRI plugin is switched off: no kubelet can use this containerd",
                   "take it out of disabled_plugins, if Kubernetes should"});
  } else if (!facts.cri) {
    all.push_back({Level::kProblem, "cri-silent", "containerd", "CRI does not answer",
                   "see containerd's log for what its CRI plugin lacks"});
  } else if (!facts.cri->runtime_ready) {
    all.push_back({Level::kProblem, "cri-not-ready", "containerd", "CRI says it is not ready",
                   "see containerd's log"});
  } else if (!facts.cri->network_ready) {
    all.push_back({Level::kWarning, "cri-network", "containerd",
                   "CRI has no network for pods: the node is NotReady",
                   "install a CNI plugin and its configuration"});
  } else {
    all.push_back({Level::kOk, "cri", "containerd", "CRI and its network are ready", ""});
  }
}

}  // namespace

Findings containerd_findings(const NodeFacts& facts) {
  Findings all;
  if (facts.daemons.size() > 1) {
    std::string sockets;
    for (const Daemon& one : facts.daemons)
      sockets += (sockets.empty() ? "" : ", ") + one.socket.string();
    all.push_back({Level::kNote, "containerd-several", "containerd",
                   "several containerds run here: " + sockets,
                   "name the one that is meant with --socket"});
  }
  if (!facts.daemon) {
    all.push_back({Level::kProblem, "containerd-missing", "containerd", facts.daemon_error,
                   "start containerd, or name its socket"});
    return all;
  }
  version_findings(*facts.daemon, all);
  config_findings(facts, all);
  if (!facts.created_tasks.empty())
    all.push_back({Level::kWarning, "tasks-created", "containerd",
                   std::to_string(facts.created_tasks.size()) +
                       " tasks are made and not started, first " + facts.created_tasks.front() +
                       ": a restart of containerd would lose them (issue 10437)",
                   "start or delete them before containerd is restarted"});
  return all;
}

}  // namespace ward::cli::node
