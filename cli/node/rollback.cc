// SPDX-License-Identifier: Apache-2.0
#include "cli/node/rollback.h"

#include <algorithm>

#include "cli/node/binaries.h"
#include "cli/node/config_text.h"
#include "cli/node/restart.h"
#include "cli/node/text_file.h"
#include "lib/base/file.h"

namespace ward::cli::node {
namespace fs = std::filesystem;
namespace {

bool is_fresh(const Attempt& attempt) { return attempt.now.previous_version.empty(); }

// True: the file was changed.
Result<bool> put_config_back(const Attempt& attempt) {
  const ConfigPlan& plan = attempt.plan;
  const std::string& block = attempt.now.previous_block;
  if (plan.way == Way::kNone) return false;
  const auto there = read_regular_file(plan.written);
  if (!there && there.error().code == Code::kNotFound) return false;
  if (!there) return tl::unexpected(there.error());
  const auto split = split_block(*there, plan.written.string(), attempt.now.block);
  if (!split) return tl::unexpected(split.error());
  if (plan.creates && block.empty() && split->rest == plan.rest) {
    if (auto gone = remove_text_file(plan.written); !gone) return tl::unexpected(gone.error());
    return true;
  }
  const std::string wanted = block.empty() ? split->rest : with_block(split->rest, block);
  if (auto written = write_text_file(plan.written, wanted); !written)
    return tl::unexpected(written.error());
  return wanted != *there;
}

Result<void> put_options_back(const Attempt& attempt) {
  if (attempt.options_file.empty()) return {};
  if (is_fresh(attempt)) return remove_made_file(attempt.options_file, kOptionsHead);
  const auto there = read_regular_file(attempt.options_file);
  if (!attempt.options_before || !there || there->rfind(kOptionsHead, 0) != 0) return {};
  return write_text_file(attempt.options_file, *attempt.options_before);
}

Result<void> restart_without(const Attempt& attempt) {
  // A containerd that has read what is taken back.
  const bool read_by_now =
      attempt.restart_begun || (attempt.found && attempt.found->phase == Phase::kInstalling &&
                                attempt.found->stale_daemon != identity(attempt.daemon));
  if (!read_by_now) return {};
  const auto command = restart_command(attempt.daemon, attempt.options.restart_command);
  if (command.empty())
    return fail(Code::kUnavailable, "restart containerd: it runs with what was taken back");
  const auto again = restart_back(attempt.daemon, command, attempt.options.patience);
  if (!again) return tl::unexpected(again.error());
  return {};
}

// Gives those that have to stay: a running pod is lost where its shim's path goes.
std::vector<std::string> put_programs_back(const Attempt& attempt) {
  const Record& now = attempt.now;
  std::error_code error;
  const fs::path config = attempt.daemon.config;
  const auto dump = dump_config(attempt.daemon, fs::exists(config, error) ? config : fs::path());
  const ShimUse use = find_use(
      now.bin_dir / kShim, state_of(attempt.daemon, dump ? std::optional(*dump) : std::nullopt));
  std::vector<std::string> kept = now.kept;
  for (const std::string& name : now.programs) {
    const fs::path path = now.bin_dir / name;
    put_back(path);
    if (std::find(now.made.begin(), now.made.end(), name) == now.made.end()) continue;
    if (name == kShim && use.any()) {
      if (fs::exists(path, error)) kept.push_back(name);
    } else {
      (void)remove_text_file(path);
    }
  }
  return kept;
}

Result<void> put_record_back(const Attempt& attempt, const std::vector<std::string>& kept) {
  if (is_fresh(attempt) && kept.empty()) return remove_record(attempt.places);
  Record back = is_fresh(attempt) ? attempt.now : *attempt.found;
  if (is_fresh(attempt)) {
    back.phase = Phase::kShimKept;
    back.programs = kept;
  } else {
    back.phase = Phase::kInstalled;
    back.version = attempt.now.previous_version;
    back.block = attempt.now.previous_block;
    // One that was killed may have been about to change its name.
    if (const auto block = parse_settings(back.block, "the block"))
      if (const auto names = ward_handlers(*block); !names.empty()) back.handler = names.front();
  }
  back.previous_block.clear();
  back.previous_version.clear();
  back.stale_daemon.clear();
  back.made.clear();
  back.kept.clear();
  return write_record(attempt.places, back);
}

}  // namespace

// The programs last: until containerd has forgotten the handler, a pod may start with it.
Error take_back(const Attempt& attempt, Error why) {
  std::vector<std::string> kept;
  const auto back = [&]() -> Result<void> {
    const auto changed = put_config_back(attempt);
    if (!changed) return tl::unexpected(changed.error());
    if (auto done = put_options_back(attempt); !done) return done;
    if (*changed)
      if (auto done = restart_without(attempt); !done) return done;
    kept = put_programs_back(attempt);
    return put_record_back(attempt, kept);
  }();
  if (!back)
    why.message += ". And not everything could be put back: " + back.error().message;
  else if (is_fresh(attempt) && !kept.empty())
    why.message +=
        ". Everything is as it was before, but for the shim, which pods need that run: `ward node "
        "uninstall` removes it when they are gone";
  else
    why.message += ". Everything is as it was before";
  return why;
}

}  // namespace ward::cli::node
