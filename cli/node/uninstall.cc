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
#include "lib/base/file.h"

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
  Error go_back(Error why);
  Result<void> put_block_back();

  const Places& places_;
  const Options& options_;
  Record record_;
  Daemon daemon_;
  std::optional<CriState> cri_before_;
  ConfigPlan plan_;
  Outcome outcome_;
  bool restart_begun_ = false;
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
  // A CRI that does not say whether it knows the handler may know it.
  const bool known = cri_before_ ? cri_before_->handlers.count(record_.handler) != 0
                                 : record_.way != Way::kNone && record_.phase != Phase::kRemoving;
  if (daemon_.pid > 0 && (changes || known)) record_.stale_daemon = identity(daemon_);
  record_.phase = Phase::kRemoving;
  if (auto kept = write_record(places_, record_); !kept) return kept;
  if (auto fault = fault::point("node.removing"); !fault) return fault;
  if (changes) {
    if (auto same = check_unchanged(plan_); !same) return same;
    auto written = plan_.creates ? remove_text_file(plan_.written)
                                 : write_text_file(plan_.written, plan_.new_text);
    if (!written) return written;
    outcome_.done.push_back((plan_.creates ? "removed " : "wrote ") + plan_.written.string());
  }
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
  restart_begun_ = true;
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

Result<void> Removal::put_block_back() {
  if (plan_.way == Way::kNone) return {};
  const auto there = read_regular_file(plan_.written);
  // Of a file that an earlier run removed nobody knows what else stood in it.
  if (!there && (there.error().code != Code::kNotFound || plan_.rest.empty()))
    return tl::unexpected(there.error());
  const auto split = split_block(there ? *there : plan_.rest, plan_.written.string());
  if (!split) return tl::unexpected(split.error());
  return write_text_file(plan_.written, with_block(split->rest, record_.block));
}

// A node whose containerd does not come back without Ward is better off with it.
Error Removal::go_back(Error why) {
  const auto command = restart_command(daemon_, options_.restart_command);
  const auto back = [&]() -> Result<void> {
    if (auto put = put_block_back(); !put) return put;
    auto again = restart_back(daemon_, command, options_.patience);
    if (!again) return tl::unexpected(again.error());
    if (cri_before_)
      if (auto ready = await_cri(*again, cri_before_, "", options_.patience); !ready)
        return tl::unexpected(ready.error());
    record_.phase = Phase::kInstalled;
    record_.stale_daemon.clear();
    return write_record(places_, record_);
  }();
  why.message += back ? ". Ward is installed as it was before"
                      : ". And not everything could be put back: " + back.error().message;
  return why;
}

// containerd finds a running pod's shim by its path when it starts again, and deletes a pod that
// has none: so the shim stays as long as a bundle names it.
Result<void> Removal::remove_programs() {
  if (auto gone = verify_removal(daemon_, record_); !gone) return gone;
  if (!record_.options.empty())
    if (auto gone = remove_made_file(record_.options, kOptionsHead); !gone) return gone;
  std::error_code missing;
  const auto dump =
      dump_config(daemon_, fs::exists(daemon_.config, missing) ? daemon_.config : fs::path());
  const ShimUse use = find_use(record_.bin_dir / kShim,
                               state_of(daemon_, dump ? std::optional(*dump) : std::nullopt));
  std::vector<std::string> kept;
  for (const std::string& name : record_.programs) {
    const fs::path path = record_.bin_dir / name;
    if (name == kShim && use.any()) {
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
  outcome_.notes.push_back(
      use.unknown.empty()
          ? "the shim stays: bundles of this node that name it: " +
                std::to_string(use.bundles.size()) + ", processes that run it: " +
                std::to_string(use.current.size() + use.older.size()) +
                ". containerd needs it to stop and delete them. Run `ward node uninstall` again "
                "when they are gone"
          : "the shim stays: whether a pod needs it cannot be told (" + use.unknown + ")");
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
    if (auto effective = make_effective(); !effective)
      return tl::unexpected(restart_begun_ ? go_back(effective.error()) : effective.error());
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
  const auto lock = lock_node(places);
  if (!lock) return tl::unexpected(lock.error());
  // Another one may have come to its end before.
  record = read_record(places);
  if (!record) return tl::unexpected(record.error());
  if (!*record) return Outcome{};
  return Removal(places, options, std::move(**record)).run();
}

}  // namespace ward::cli::node
