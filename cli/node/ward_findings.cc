// SPDX-License-Identifier: Apache-2.0
#include "cli/node/doctor.h"
#include "cli/node/gate.h"

namespace ward::cli::node {
namespace {

void drift_findings(const NodeFacts& facts, const Record& record, Findings& all) {
  if (record.phase == Phase::kInstalling || record.phase == Phase::kRemoving)
    all.push_back({Level::kProblem, "unfinished", "ward",
                   "Ward " + record.version + " is half way: " + std::string(word(record.phase)),
                   record.phase == Phase::kInstalling
                       ? "restart containerd if that is what was left to do, and run `ward node "
                         "install` again"
                       : "run `ward node uninstall` again"});
  if (!facts.shim_there)
    all.push_back({Level::kProblem, "shim-missing", "ward",
                   "'" + (record.bin_dir / kShim).string() +
                       "' is not there: no pod of Ward's "
                       "starts, and a restart of containerd loses those that run",
                   "run `ward node install` again, before containerd is restarted"});
  if (record.way == Way::kNone || record.phase == Phase::kShimKept) return;
  if (!facts.block) {
    all.push_back({Level::kProblem, "drift", "ward",
                   "the handler is not in '" + record.written.string() +
                       "' any more: somebody wrote that file anew",
                   "run `ward node install` again; where a configuration management writes the "
                   "file, put the handler into its source"});
  } else if (*facts.block != record.block) {
    all.push_back({Level::kProblem, "drift", "ward",
                   "the handler in '" + record.written.string() + "' was changed by hand",
                   "run `ward node install` again to have it as it was"});
  }
}

void handler_findings(const NodeFacts& facts, const Record& record, Findings& all) {
  if (!facts.cri || facts.cri->handlers.empty()) return;
  const auto found = facts.cri->handlers.find(record.handler);
  if (found == facts.cri->handlers.end()) {
    all.push_back(
        {Level::kProblem, "handler-unknown", "ward",
         "CRI does not know the handler '" + record.handler + "': pods that name it do not start",
         "restart containerd, which has not read its configuration since"});
  } else if (found->second != "io.containerd.ward.v1") {
    all.push_back({Level::kProblem, "handler-other", "ward",
                   "the handler '" + record.handler + "' runs '" + found->second + "'",
                   "run `ward node install` again"});
  } else {
    all.push_back(
        {Level::kOk, "handler", "ward", "CRI has the handler '" + record.handler + "'", ""});
  }
}

void kept_findings(const NodeFacts& facts, const Record& record, Findings& all) {
  const std::size_t processes = facts.use.current.size() + facts.use.older.size();
  all.push_back({Level::kNote, "shim-kept", "ward",
                 "Ward is taken off this node but for '" + (record.bin_dir / kShim).string() +
                     "': processes that run it: " + std::to_string(processes) +
                     ", bundles that name it: " + std::to_string(facts.use.bundles.size()),
                 "run `ward node uninstall` again when their pods are gone"});
}

// What a person might take for protected, and is not.
void bounds_findings(const NodeFacts& facts, Findings& all) {
  if (!facts.config) return;
  KeyPath above = runtimes_in_dump(*facts.config);
  if (above.empty()) return;
  const KeyPath runtimes = above;
  above.pop_back();
  std::string name = text_at(*facts.config, joined(above, "default_runtime_name"));
  if (name.empty()) name = "runc";
  if (text_at(*facts.config, joined(joined(runtimes, name), "runtime_type")) !=
      "io.containerd.ward.v1")
    all.push_back(
        {Level::kNote, "default-runtime", "ward",
         "pods without a runtimeClassName run under '" + name + "': Ward enforces nothing on them",
         "give them a RuntimeClass with the handler of Ward"});
  all.push_back({Level::kNote, "left-alone", "ward",
                 "privileged containers and kube-system are left alone unless a policy names them",
                 ""});
}

}  // namespace

Findings ward_findings(const NodeFacts& facts) {
  Findings all;
  for (const std::string& lost : facts.lost_shims)
    all.push_back({Level::kProblem, "bundle-without-shim", "ward",
                   "a running container names the shim '" + lost + "', which is not there",
                   "put it back before containerd is restarted: its containers are lost then"});
  if (!facts.record_error.empty())
    all.push_back({Level::kProblem, "record", "ward", facts.record_error, "see there"});
  if (!facts.record) {
    all.push_back({Level::kNote, "not-installed", "ward",
                   "`ward node` has installed nothing on this node", "`ward node install`"});
  } else {
    drift_findings(facts, *facts.record, all);
    if (facts.record->phase == Phase::kShimKept) {
      kept_findings(facts, *facts.record, all);
    } else {
      handler_findings(facts, *facts.record, all);
    }
    if (!facts.other_shim.empty())
      all.push_back(
          {Level::kProblem, "other-ward", "ward",
           "containerd finds another shim before the installed one: '" + facts.other_shim + "'",
           "remove it, or that folder from containerd's PATH"});
    if (!facts.use.older.empty())
      all.push_back({Level::kWarning, "older-shims", "ward",
                     std::to_string(facts.use.older.size()) +
                         " shims run an older program than the one that is installed, which "
                         "`-v` does not tell",
                     "their pods keep it until they are made anew: delete these pods when it "
                     "suits"});
  }
  if (!facts.wardd_answers)
    all.push_back({Level::kWarning, "wardd-silent", "ward",
                   "wardd does not answer: nothing is learned or journalled, what is compiled is "
                   "enforced all the same",
                   "start wardd"});
  bounds_findings(facts, all);
  return all;
}

}  // namespace ward::cli::node
