// SPDX-License-Identifier: Apache-2.0
#include "cli/node/install.h"

#include <algorithm>

#include "cli/node/binaries.h"
#include "cli/node/config_text.h"
#include "cli/node/find.h"
#include "cli/node/plan.h"
#include "cli/node/record.h"
#include "cli/node/restart.h"
#include "cli/node/rollback.h"
#include "cli/node/text_file.h"
#include "lib/base/digest.h"
#include "lib/base/escape.h"
#include "lib/base/fault.h"
#include "lib/base/file.h"

namespace ward::cli::node {
namespace fs = std::filesystem;
namespace {

// containerd issue 8207.
constexpr Version kHonoursRuntimePath{1, 6, 21, false};

class Installation {
 public:
  Installation(const Places& places, const Options& options, Verb verb)
      : places_(places), options_(options), verb_(verb) {}

  Result<Outcome> run();

 private:
  Result<void> look();
  Result<void> choose_programs();
  Result<void> check_versions();
  Result<void> check_other_ward() const;
  Result<void> choose_options();
  Result<void> plan();
  void tell_plan();
  [[nodiscard]] Record next_record() const;
  [[nodiscard]] bool nothing_to_do() const;

  Result<void> carry_out();
  Result<void> put_programs();
  Result<void> write_config();
  Result<void> make_effective();
  Result<void> end();

  Error go_back(Error why);

  const Places& places_;
  const Options& options_;
  Verb verb_;
  std::optional<Record> record_;  // as it was found
  std::optional<Record> left_;    // where it says that the shim was kept
  Daemon daemon_;
  std::optional<CriState> cri_before_;
  Handler handler_;
  std::string options_text_;
  std::optional<std::string> options_before_;
  fs::path from_, bin_dir_;
  std::vector<std::string> programs_;  // to be put; empty: they stand there already
  ConfigPlan plan_;
  Record now_;
  Outcome outcome_;
  bool restart_begun_ = false;
};

Result<void> Installation::look() {
  auto record = read_record(places_);
  if (!record) return tl::unexpected(record.error());
  record_ = std::move(*record);
  // What is left is put over.
  if (record_ && record_->phase == Phase::kShimKept) {
    left_ = std::move(record_);
    record_.reset();
  }
  if (record_ && record_->phase == Phase::kRemoving)
    return fail(Code::kFailedPrecondition,
                "Ward is being taken off this node: `ward node uninstall` goes on with it");
  const bool unfinished = record_ && record_->phase == Phase::kInstalling;
  auto daemon = find_daemon(options_.socket, record_, unfinished);
  if (!daemon) return tl::unexpected(daemon.error());
  daemon_ = std::move(*daemon);
  if (daemon_.pid > 0)
    if (auto state = ask_cri(daemon_.socket)) cri_before_ = std::move(*state);
  handler_.name = !options_.handler.empty() ? options_.handler
                  : record_                 ? record_->handler
                                            : "ward";
  if (!is_handler_name(handler_.name))
    return fail(Code::kFailedPrecondition,
                "'" + escape(handler_.name) +
                    "' is no name of a handler: lower-case letters, digits and '-' are");
  return {};
}

Result<void> Installation::choose_programs() {
  from_ = options_.from.empty() ? own_folder() : fs::absolute(options_.from);
  const auto there = programs_in(from_);
  if (std::find(there.begin(), there.end(), kShim) == there.end())
    return fail(Code::kFailedPrecondition, "'" + from_.string() + "' has no " + kShim +
                                               ": name the folder of Ward's programs with --from");
  const auto in_path = [this](const fs::path& folder) {
    return std::find(daemon_.search_path.begin(), daemon_.search_path.end(), folder) !=
           daemon_.search_path.end();
  };
  bin_dir_ = !options_.bin_dir.empty() ? fs::absolute(options_.bin_dir)
             : record_                 ? record_->bin_dir
             : left_                   ? left_->bin_dir
             : in_path(from_)          ? from_
                                       : fs::path("/usr/local/bin");
  if (bin_dir_.has_filename() == false) bin_dir_ = bin_dir_.parent_path();
  if (left_ && bin_dir_ != left_->bin_dir)
    return fail(Code::kFailedPrecondition,
                "pods of this node need the shim in '" + left_->bin_dir.string() +
                    "': install there, or `ward node uninstall` when they are gone");
  std::error_code error;
  if (!fs::equivalent(from_, bin_dir_, error)) programs_ = there;
  // Of a containerd that does not answer the record says what it needed.
  if (daemon_.pid == 0) return {};
  if (!in_path(bin_dir_)) {
    if (daemon_.version < kHonoursRuntimePath)
      return fail(Code::kFailedPrecondition,
                  "containerd " + version_text(daemon_.version) +
                      " finds a shim in its PATH alone, and '" + bin_dir_.string() +
                      "' is not in it: name a folder of that PATH with --bin-dir");
    handler_.shim = (bin_dir_ / kShim).string();
  }
  return {};
}

Result<void> Installation::check_versions() {
  auto version = shim_version(from_ / kShim);
  if (!version) return tl::unexpected(version.error());
  outcome_.version = *version;
  if (verb_ == Verb::kUpgrade && !record_)
    return fail(Code::kFailedPrecondition,
                "Ward is not installed on this node by `ward node`: `ward node install` does it");
  if (!record_ || record_->version == *version) return {};
  if (verb_ == Verb::kInstall && record_->phase == Phase::kInstalled)
    return fail(Code::kFailedPrecondition, "Ward " + record_->version +
                                               " is installed here, and this is " + *version +
                                               ": `ward node upgrade` puts it in its place");
  const auto installed = find_version(record_->version), fresh = find_version(*version);
  if (record_->phase == Phase::kInstalled && installed && fresh && *fresh < *installed)
    return fail(Code::kFailedPrecondition,
                "Ward " + record_->version + " is installed here, which is newer than " + *version +
                    ": to go back, `ward node uninstall` and install this one");
  return {};
}

// containerd takes the first one of its PATH.
Result<void> Installation::check_other_ward() const {
  if (!handler_.shim.empty()) return {};
  for (const fs::path& folder : daemon_.search_path) {
    std::error_code error;
    if (folder == bin_dir_ || fs::equivalent(folder, bin_dir_, error)) return {};
    const fs::path other = folder / kShim;
    if (!fs::exists(other, error)) continue;
    const auto version = shim_version(other);
    return fail(Code::kFailedPrecondition,
                "another Ward (" + escape(version.value_or("of an unknown version")) +
                    ") stands before it in containerd's PATH: '" + other.string() +
                    "'. Remove that one, or install over it with --bin-dir " + folder.string());
  }
  return {};
}

// A file that a person made stays as it is.
Result<void> Installation::choose_options() {
  const auto reading = reading_without(daemon_, record_);
  if (!reading) return tl::unexpected(reading.error());
  if (!has_cri(*reading)) return {};
  const fs::path file = places_.config / "runtime.toml";
  const auto there = read_file(file);
  const bool others = there && there->rfind(kOptionsHead, 0) != 0;
  const std::string wanted = options_text(*reading);
  if (others) {
    handler_.options = file.string();
  } else if (!wanted.empty()) {
    handler_.options = file.string();
    options_text_ = kOptionsHead + wanted;
    if (there) options_before_ = *there;
  }
  return {};
}

Result<void> Installation::plan() {
  if (auto done = look(); !done) return done;
  if (auto done = choose_programs(); !done) return done;
  if (auto done = check_versions(); !done) return done;
  if (auto done = check_other_ward(); !done) return done;
  if (auto done = choose_options(); !done) return done;
  auto planned = plan_config(daemon_, handler_, record_);
  if (!planned) return tl::unexpected(planned.error());
  plan_ = std::move(*planned);
  now_ = next_record();
  return {};
}

// Of one that was killed: what it has put where there was nothing.
void take_over(const Record& killed, Record& next) {
  next.kept = killed.kept;
  for (const std::string& name : killed.made)
    if (std::find(next.made.begin(), next.made.end(), name) == next.made.end())
      next.made.push_back(name);
}

Record Installation::next_record() const {
  Record next;
  next.version = outcome_.version;
  next.handler = handler_.name;
  next.way = plan_.way;
  next.daemon = daemon_;
  if (plan_.way != Way::kNone) next.written = plan_.written;
  if (plan_.creates) next.created = sha256_hex(plan_.rest);
  next.block = plan_.block;
  if (!options_text_.empty()) next.options = handler_.options;
  next.bin_dir = bin_dir_;
  next.programs = programs_;
  std::error_code error;
  for (const std::string& name : programs_)
    if (!fs::exists(bin_dir_ / name, error)) next.made.push_back(name);
  if (left_) next.kept = left_->programs;
  if (left_ && programs_.empty()) next.programs = left_->programs;
  if (record_) {
    if (programs_.empty()) next.programs = record_->programs;
    if (options_text_.empty()) next.options = record_->options;
    if (record_->phase == Phase::kInstalling) take_over(*record_, next);
    const bool ended = record_->phase == Phase::kInstalled;
    next.previous_block = ended ? record_->block : record_->previous_block;
    next.previous_version = ended ? record_->version : record_->previous_version;
    next.stale_daemon = record_->stale_daemon;
  }
  if (plan_.way == Way::kNone) return next;
  // The one that runs has read another configuration: also where somebody else wrote this one.
  const bool unknown = cri_before_ && !cri_before_->handlers.empty() &&
                       cri_before_->handlers.count(handler_.name) == 0;
  if (plan_.changes_file() || unknown) next.stale_daemon = identity(daemon_);
  // Whoever restarted containerd meanwhile has done what was left to do.
  if (daemon_.pid > 0 && next.stale_daemon != identity(daemon_)) next.stale_daemon.clear();
  return next;
}

bool Installation::nothing_to_do() const {
  if (!record_ || record_->phase != Phase::kInstalled || record_->version != now_.version ||
      record_->handler != now_.handler || record_->bin_dir != now_.bin_dir)
    return false;
  if (!now_.stale_daemon.empty() || (plan_.way != Way::kNone && plan_.changes_file())) return false;
  if (!options_text_.empty() && read_file(handler_.options).value_or("") != options_text_)
    return false;
  return std::all_of(programs_.begin(), programs_.end(), [this](const std::string& name) {
    return same_bytes(from_ / name, bin_dir_ / name);
  });
}

void Installation::tell_plan() {
  outcome_.config = daemon_.config.string();
  outcome_.way = word(plan_.way);
  if (plan_.way == Way::kNone) {
    outcome_.notes.push_back(
        "this containerd has no CRI plugin: its configuration stays as it is, and `ctr run "
        "--runtime io.containerd.ward.v1` finds the shim by its name");
    return;
  }
  if (plan_.changes_file()) {
    outcome_.written = plan_.written.string();
    outcome_.file_difference = line_difference(plan_.old_text.value_or(""), plan_.new_text);
    outcome_.changes = plan_.changes;
  }
  if (plan_.layout.imitated)
    outcome_.notes.push_back(plan_.layout.name +
                             ": its layout is taken from its documentation, and was not tried with "
                             "it");
  if (record_ && record_->phase == Phase::kInstalled && plan_.changes_file() &&
      record_->handler == handler_.name && record_->way == plan_.way)
    outcome_.notes.push_back(
        "the handler was there and is not any more, or was changed: where a configuration "
        "management writes '" +
        plan_.written.string() + "', put the lines above into its source");
}

Result<void> Installation::put_programs() {
  std::error_code error;
  if (!programs_.empty()) fs::create_directories(bin_dir_, error);
  for (const std::string& name : programs_) {
    const auto put = put_program(from_ / name, bin_dir_ / name);
    if (!put) return tl::unexpected(put.error());
    if (*put) outcome_.done.push_back("put " + (bin_dir_ / name).string());
  }
  return fault::point("node.programs");
}

Result<void> Installation::write_config() {
  if (!options_text_.empty()) {
    if (auto written = write_text_file(handler_.options, options_text_); !written) return written;
  }
  if (auto fault = fault::point("node.options"); !fault) return fault;
  if (plan_.way != Way::kNone && plan_.changes_file()) {
    if (auto same = check_unchanged(plan_); !same) return same;
    if (auto written = write_text_file(plan_.written, plan_.new_text); !written) return written;
    outcome_.done.push_back("wrote " + plan_.written.string());
  }
  return fault::point("node.config");
}

Result<void> Installation::make_effective() {
  const auto command = restart_command(daemon_, options_.restart_command);
  if (!now_.stale_daemon.empty() && command.empty()) {
    outcome_.restart_needed = true;
    return {};
  }
  if (!now_.stale_daemon.empty()) {
    if (daemon_.pid > 0)
      if (auto quiet = await_no_created_task(daemon_, options_.patience); !quiet) return quiet;
    if (auto fault = fault::point("node.restart"); !fault) return fault;
    restart_begun_ = true;
    auto fresh = restart(daemon_, command, options_.patience);
    if (!fresh) return tl::unexpected(fresh.error());
    daemon_ = std::move(*fresh);
    outcome_.restarted = true;
    outcome_.done.emplace_back("restarted containerd");
    if (auto fault = fault::point("node.restarted"); !fault) return fault;
  }
  if (plan_.way == Way::kNone) return fault::point("node.verified");
  const auto ready = await_cri(daemon_, cri_before_, handler_.name, options_.patience);
  if (!ready) return tl::unexpected(ready.error());
  if (auto verified = verify_config(daemon_, plan_, handler_.name); !verified) return verified;
  return fault::point("node.verified");
}

Result<void> Installation::carry_out() {
  if (auto fault = fault::point("node.recorded"); !fault) return fault;
  if (auto put = put_programs(); !put) return put;
  if (auto written = write_config(); !written) return written;
  if (auto effective = make_effective(); !effective) return effective;
  return end();
}

Result<void> Installation::end() {
  now_.daemon = daemon_;
  // Else the next run looks whether somebody has restarted it.
  if (!outcome_.restart_needed) {
    now_.phase = Phase::kInstalled;
    now_.stale_daemon.clear();
    now_.previous_block.clear();
    now_.previous_version.clear();
    now_.made.clear();
    now_.kept.clear();
  }
  if (auto kept = write_record(places_, now_); !kept) return kept;
  if (outcome_.restart_needed) return {};  // it may be taken back yet
  for (const std::string& name : now_.programs) forget_before(bin_dir_ / name);
  return {};
}

Error Installation::go_back(Error why) {
  return take_back({places_, options_, record_, now_, plan_, daemon_,
                    options_text_.empty() ? "" : handler_.options, options_before_, restart_begun_},
                   std::move(why));
}

Result<Outcome> Installation::run() {
  if (auto planned = plan(); !planned) return tl::unexpected(planned.error());
  tell_plan();
  if (options_.dry_run || nothing_to_do()) return outcome_;
  if (auto kept = write_record(places_, now_); !kept) return tl::unexpected(kept.error());
  if (auto done = carry_out(); !done) return tl::unexpected(go_back(done.error()));
  return outcome_;
}

}  // namespace

Result<Outcome> install(const Places& places, const Options& options, Verb verb) {
  // Also to look: copies of the configuration are tried.
  const auto lock = lock_node(places);
  if (!lock) return tl::unexpected(lock.error());
  return Installation(places, options, verb).run();
}

}  // namespace ward::cli::node
