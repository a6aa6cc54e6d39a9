// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "cli/node/binaries.h"
#include "cli/node/config_text.h"
#include "cli/node/find.h"
#include "cli/node/install.h"
#include "cli/node/plan.h"
#include "cli/node/record.h"
#include "cli/node/restart.h"
#include "cli/node/text_file.h"
#include "lib/base/fault.h"

namespace ward::cli::node {
namespace fs = std::filesystem;
namespace {

class Removal {
 public:
  Removal(const Places& places, const Options& options, Record record)
      : places_(places), options_(options), record_(std::move(record)) {}

  Result<Outcome> run();

 private:
  Result<void> plan();
  Result<void> take_config_out();
  Result<void> make_effective();
  Result<void> remove_programs();
  [[nodiscard]] fs::path containerd_state() const;

  const Places& places_;
  const Options& options_;
  Record record_;
  Daemon daemon_;
  std::optional<CriState> cri_before_;
  ConfigPlan plan_;
  Outcome outcome_;
};

Result<void> Removal::plan() {
  // Also where containerd is down, or gone for ever.
  auto daemon = find_daemon(options_.socket, record_, true);
  if (!daemon) return tl::unexpected(daemon.error());
  daemon_ = std::move(*daemon);
  if (daemon_.pid > 0)
    if (auto state = ask_cri(daemon_.socket)) cri_before_ = std::move(*state);
  if (record_.phase == Phase::kShimKept) return {};
  auto planned = plan_removal(daemon_, record_);
  if (!planned) return tl::unexpected(planned.error());
  plan_ = std::move(*planned);
  outcome_.version = record_.version;
  outcome_.config = daemon_.config.string();
  outcome_.way = word(record_.way);
  if (plan_.way == Way::kNone || !plan_.changes_file()) return {};
  outcome_.written = plan_.written.string();
  outcome_.file_difference = line_difference(*plan_.old_text, plan_.creates ? "" : plan_.new_text);
  outcome_.changes = plan_.changes;
  return {};
}

Result<void> Removal::take_config_out() {
  const bool changes = plan_.way != Way::kNone && plan_.changes_file();
  const bool known = cri_before_ && cri_before_->handlers.count(record_.handler) != 0;
  if (daemon_.pid > 0 && (changes || known)) record_.stale_daemon = identity(daemon_);
  record_.phase = Phase::kRemoving;
  if (auto kept = write_record(places_, record_); !kept) return kept;
  if (auto fault = fault::point("node.removing"); !fault) return fault;
  if (changes) {
    auto written = plan_.creates ? remove_text_file(plan_.written)
                                 : write_text_file(plan_.written, plan_.new_text);
    if (!written) return written;
    outcome_.done.push_back((plan_.creates ? "removed " : "wrote ") + plan_.written.string());
  }
  if (!record_.options.empty())
    if (auto gone = remove_text_file(record_.options); !gone) return gone;
  return fault::point("node.taken-out");
}

Result<void> Removal::make_effective() {
  if (daemon_.pid == 0) {
    outcome_.notes.emplace_back("containerd does not run: its next start is without Ward");
    return {};
  }
  if (record_.stale_daemon != identity(daemon_)) return {};
  const auto command = restart_command(daemon_, options_.restart_command);
  if (command.empty()) {
    outcome_.restart_needed = true;
    return {};
  }
  if (auto quiet = await_no_created_task(daemon_, options_.patience); !quiet) return quiet;
  auto fresh = restart(daemon_, command, options_.patience);
  if (!fresh) return tl::unexpected(fresh.error());
  daemon_ = std::move(*fresh);
  outcome_.restarted = true;
  outcome_.done.emplace_back("restarted containerd");
  if (auto fault = fault::point("node.restarted-without"); !fault) return fault;
  if (!cri_before_) return {};
  const auto ready = await_cri(daemon_, cri_before_, "", options_.patience);
  if (!ready) return tl::unexpected(ready.error());
  if (ready->handlers.count(record_.handler) == 0) return {};
  return fail(Code::kFailedPrecondition,
              "containerd still has the handler '" + record_.handler +
                  "': it stands in another file that it imports, take it out there");
}

fs::path Removal::containerd_state() const {
  std::error_code error;
  const auto dump =
      dump_config(daemon_, fs::exists(daemon_.config, error) ? daemon_.config : fs::path());
  const std::string state = dump ? text_at(*dump, {"state"}) : "";
  return state.empty() ? "/run/containerd" : state;
}

// containerd finds a running pod's shim by its path when it starts again, and deletes a pod that
// has none: so the shim stays as long as a bundle names it.
Result<void> Removal::remove_programs() {
  const ShimUse use = find_use(record_.bin_dir / kShim, containerd_state());
  const bool used = !use.bundles.empty() || !use.current.empty() || !use.older.empty();
  std::vector<std::string> kept;
  for (const std::string& name : record_.programs) {
    const fs::path path = record_.bin_dir / name;
    if (name == kShim && used) {
      kept.push_back(name);
      continue;
    }
    std::error_code error;
    const bool there = fs::exists(path, error);
    if (auto gone = remove_text_file(path); !gone) return gone;
    forget_before(path);
    if (there) outcome_.done.push_back("removed " + path.string());
  }
  if (auto fault = fault::point("node.programs-removed"); !fault) return fault;
  if (kept.empty()) return remove_record(places_);
  outcome_.notes.push_back("the shim stays: " + std::to_string(use.bundles.size()) +
                           " bundles of this node name it, and containerd needs it to stop and "
                           "delete them. Run `ward node uninstall` again when they are gone");
  record_.phase = Phase::kShimKept;
  record_.programs = kept;
  record_.stale_daemon.clear();
  return write_record(places_, record_);
}

Result<Outcome> Removal::run() {
  if (auto planned = plan(); !planned) return tl::unexpected(planned.error());
  if (options_.dry_run) return outcome_;
  if (record_.phase != Phase::kShimKept) {
    if (auto out = take_config_out(); !out) return tl::unexpected(out.error());
    if (auto effective = make_effective(); !effective) return tl::unexpected(effective.error());
    // Pods still start with the handler that this containerd knows.
    if (outcome_.restart_needed) return outcome_;
  }
  if (auto removed = remove_programs(); !removed) return tl::unexpected(removed.error());
  return outcome_;
}

}  // namespace

Result<Outcome> uninstall(const Places& places, const Options& options) {
  auto record = read_record(places);
  if (!record) return tl::unexpected(record.error());
  if (!*record) {
    Outcome outcome;
    outcome.notes.emplace_back("nothing is installed on this node by `ward node`");
    return outcome;
  }
  std::optional<UniqueFd> lock;
  if (!options.dry_run) {
    auto locked = lock_node(places);
    if (!locked) return tl::unexpected(locked.error());
    lock = std::move(*locked);
    // Another one may have come to its end before.
    record = read_record(places);
    if (!record) return tl::unexpected(record.error());
    if (!*record) return Outcome{};
  }
  return Removal(places, options, std::move(**record)).run();
}

}  // namespace ward::cli::node
