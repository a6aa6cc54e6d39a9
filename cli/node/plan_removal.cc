// SPDX-License-Identifier: Apache-2.0
#include "cli/node/config_text.h"
#include "cli/node/plan.h"
#include "cli/node/trial.h"
#include "lib/base/digest.h"
#include "lib/base/file.h"

namespace ward::cli::node {
namespace fs = std::filesystem;
namespace {

Error still_there(const Daemon& daemon, const Settings& dump, const std::string& handler) {
  return Error{Code::kFailedPrecondition,
               "the handler '" + handler +
                   "' is still in what containerd reads, and not between Ward's fences: take the "
                   "table [" +
                   key_text(joined(runtimes_in_dump(dump), handler)) + "] out of '" +
                   daemon.config.string() +
                   "', or of the file that it imports it from, and run "
                   "this again",
               0};
}

// containerd's reading without Ward's part; `now` where what is taken out is not in it.
Result<Settings> read_after(const Daemon& daemon, const ConfigPlan& plan, const Settings& now) {
  Trial trial{daemon, plan.way, plan.written, plan.rest, std::nullopt, plan.rest, plan.creates};
  if (plan.way == Way::kBlock)
    return plan.written == behind_links(daemon.config) ? trial.read(std::nullopt) : now;
  const auto text = read_regular_file(daemon.config);
  if (!text) return now;
  auto imports = find_imports(*text, daemon.config.string());
  if (!imports || !*imports) return now;
  trial.base = *text;
  trial.imports = std::move(*imports);
  return trial.read(std::nullopt);
}

Result<void> read_written(const Record& record, ConfigPlan& plan, bool& has_block) {
  auto text = read_regular_file(record.written);
  if (!text && text.error().code == Code::kNotFound) {
    plan.old_text = "";
    return {};
  }
  if (!text) return tl::unexpected(text.error());
  auto split = split_block(*text, record.written.string(), record.block);
  if (!split) return tl::unexpected(split.error());
  plan.old_text = std::move(*text);
  plan.rest = plan.new_text = split->rest;
  plan.creates = !record.created.empty() && record.created == sha256_hex(plan.rest);
  has_block = split->block.has_value();
  return {};
}

}  // namespace

Result<ConfigPlan> plan_removal(const Daemon& daemon, const Record& record) {
  ConfigPlan plan;
  plan.layout = layout_of(daemon.config, daemon.version.major);
  plan.way = record.way;
  plan.written = record.written;
  if (record.way == Way::kNone) return plan;
  bool has_block = false;
  if (auto read = read_written(record, plan, has_block); !read) return tl::unexpected(read.error());
  std::error_code error;
  if (!fs::exists(daemon.program, error)) return plan;
  const auto now = dump_now(daemon);
  // What is generated is generated anew, and may be refused for the very part that goes.
  if (!now && plan.way == Way::kTemplate) return plan;
  if (!now) return tl::unexpected(now.error());
  auto defaults = defaults_to(*now, record.handler);
  for (const std::string& one : defaults_by_type(*now)) defaults.push_back(one);
  if (!defaults.empty()) return tl::unexpected(is_default(daemon, record.handler, defaults));
  if (plan.way == Way::kTemplate) return plan;
  const auto after = has_block ? read_after(daemon, plan, *now) : now;
  if (!after) return fail_with("nothing was changed", after.error());
  plan.changes = differences(*now, *after);
  const auto others = besides(plan.changes, joined(runtimes_in_dump(*now), record.handler));
  if (!others.empty())
    return tl::unexpected(shut(daemon, "more than the handler would go", difference_text(others)));
  if (has_runtime(*after, record.handler))
    return fail_with("nothing was changed", still_there(daemon, *after, record.handler));
  return plan;
}

Result<void> verify_removal(const Daemon& daemon, const Record& record) {
  std::error_code error;
  if (record.way == Way::kNone || !fs::exists(daemon.program, error)) return {};
  // It is made anew before the next start.
  if (record.way == Way::kTemplate && daemon.pid == 0) return {};
  const auto dump = dump_now(daemon);
  if (!dump) return tl::unexpected(dump.error());
  if (!has_runtime(*dump, record.handler)) return {};
  return tl::unexpected(still_there(daemon, *dump, record.handler));
}

}  // namespace ward::cli::node
