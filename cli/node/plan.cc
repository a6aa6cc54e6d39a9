// SPDX-License-Identifier: Apache-2.0
#include "cli/node/plan.h"

#include "cli/node/config_text.h"
#include "cli/node/trial.h"
#include "lib/base/digest.h"
#include "lib/base/file.h"

namespace ward::cli::node {
namespace fs = std::filesystem;
namespace {

// A version that no file names is the newest that a containerd knows, and 1 before 2.0.
int version_of(const Settings& file, const Daemon& daemon) {
  const auto found = file.find({"version"});
  if (found != file.end()) return std::atoi(found->second.c_str());
  return daemon.version.major >= 2 ? 3 : 1;
}

// The folder of an import, where a file in it is merged with the rest: containerd 2 merges, 1
// replaces the whole section.
fs::path drop_in_folder(const Daemon& daemon, const std::optional<Imports>& imports) {
  if (daemon.version.major < 2 || !imports) return {};
  for (const std::string& pattern : imports->patterns) {
    fs::path folder = folder_of_pattern(pattern);
    std::error_code error;
    if (folder.is_absolute() && fs::is_directory(folder, error)) return folder;
  }
  return {};
}

// Opens the gate, or says why it stays shut. Runtimes that the file's first one would make
// containerd forget are carried along.
Result<void> pass_gate(const Daemon& daemon, const Handler& handler, int version,
                       const Trial& trial, ConfigPlan& plan) {
  const KeyPath runtimes = runtimes_in_dump(plan.before);
  if (runtimes.empty())
    return fail(Code::kFailedPrecondition, "containerd's configuration has no CRI section");
  const KeyPath ours = joined(runtimes, handler.name);
  for (const auto& [path, value] : plan.before)
    if (is_below(path, ours))
      return fail(Code::kFailedPrecondition,
                  "the handler '" + handler.name + "' is in '" + daemon.config.string() +
                      "' already, and not by `ward node`: take it out there, or choose another "
                      "name with --handler");
  std::vector<std::string> carried;
  for (int round = 0; round < 2; ++round) {
    plan.block = block_text(handler, version, plan.before, carried);
    const auto after = trial.read(plan.block);
    if (!after) return fail_with("nothing was changed", after.error());
    plan.changes = differences(plan.before, *after);
    const auto others = besides(plan.changes, ours);
    if (others.empty()) {
      if (text_at(*after, joined(ours, "runtime_type")) == kRuntimeType) return {};
      return tl::unexpected(shut(daemon, "the handler would not be", "(no difference)\n"));
    }
    if (round == 0) carried = lost_runtimes(plan.before, *after);
    if (round == 1 || carried.empty())
      return tl::unexpected(
          shut(daemon, "more than the handler would differ", difference_text(others)));
  }
  return {};
}

// The text that containerd's reading of is compared, without Ward's part.
struct Base {
  std::string text;
  std::optional<Imports> imports;
  int version = 0;
  bool absent = false;     // there is no such file
  bool has_block = false;  // in it, or in the file of Ward's part
};

Result<Base> read_base(const Daemon& daemon, const std::optional<Record>& record) {
  Base base;
  const auto text = read_regular_file(daemon.config);
  base.absent = !text && text.error().code == Code::kNotFound;
  if (!text && !base.absent) return tl::unexpected(text.error());
  if (base.absent) {
    auto now = dump_now(daemon);
    if (!now) return tl::unexpected(now.error());
    // Everything that is in force: a file that names only the handler would be all there is.
    if (daemon.version.major < 2) now->erase({"imports"});
    base.text = tables_text(*now, {}, {});
  } else {
    const bool ours = record && record->way == Way::kBlock;
    auto split = split_block(*text, daemon.config.string(), ours ? record->block : "");
    if (!split) return tl::unexpected(split.error());
    base.text = std::move(split->rest);
    base.has_block = split->block.has_value();
  }
  const auto file = parse_settings(base.text, daemon.config.string());
  if (!file)
    return fail_with("containerd runs, but would not start again: mend its configuration first",
                     file.error());
  base.version = version_of(*file, daemon);
  auto imports = find_imports(base.text, daemon.config.string());
  if (!imports) return tl::unexpected(imports.error());
  base.imports = std::move(*imports);
  return base;
}

// Once Ward made the file; who has written into it since, it belongs to.
bool is_as_made(const ConfigPlan& plan, const std::optional<Record>& record) {
  return record && record->written == plan.written && record->created == sha256_hex(plan.rest);
}

Result<void> choose_way(const Daemon& daemon, const std::optional<Record>& record, Base& base,
                        ConfigPlan& plan) {
  const fs::path folder = plan.layout.generated ? fs::path() : drop_in_folder(daemon, base.imports);
  if (plan.layout.generated) {
    plan.way = Way::kTemplate;
    plan.written = behind_links(plan.layout.written);
    plan.rest = plan.layout.opening;
  } else if (!folder.empty() && !(record && record->way == Way::kBlock)) {
    plan.way = Way::kDropIn;
    plan.written = folder / "ward.toml";
    plan.rest = "version = " + std::to_string(base.version) + "\n";
  } else {
    plan.way = Way::kBlock;
    plan.written = behind_links(daemon.config);
    plan.rest = base.text;
    plan.creates = base.absent || is_as_made(plan, record);
    if (auto text = read_regular_file(plan.written)) plan.old_text = std::move(*text);
    return {};
  }
  auto text = read_regular_file(plan.written);
  if (!text && text.error().code != Code::kNotFound) return tl::unexpected(text.error());
  plan.creates = !text;
  if (!text) return {};
  auto split = split_block(*text, plan.written.string(), record ? record->block : "");
  if (!split) return tl::unexpected(split.error());
  plan.rest = split->rest;
  plan.creates = is_as_made(plan, record);
  plan.old_text = std::move(*text);
  base.has_block = base.has_block || split->block;
  return {};
}

// A file that Ward would not look at again must not keep its part.
Result<void> check_moved(const ConfigPlan& plan, const std::optional<Record>& record) {
  if (!record || record->way == Way::kNone || record->written == plan.written) return {};
  const auto text = read_regular_file(record->written);
  if (!text) return {};
  const auto split = split_block(*text, record->written.string(), record->block);
  if (!split) return tl::unexpected(split.error());
  if (!split->block) return {};
  return fail(Code::kFailedPrecondition, "Ward's handler stands in '" + record->written.string() +
                                             "', and would now go into '" + plan.written.string() +
                                             "': `ward node uninstall`, then `ward node install`");
}

// What has to stay: what is in force, whoever wrote it and wherever, also between Ward's fences.
// What others make of a template, or containerd of none, is only known by trying.
Result<Settings> read_before(Settings now, const Handler& handler,
                             const std::optional<Record>& record, const Base& base,
                             const Trial& trial) {
  if (trial.way == Way::kTemplate || base.absent) return trial.read(std::nullopt);
  if (!base.has_block) return now;
  return without_handler(std::move(now), record ? record->handler : handler.name);
}

}  // namespace

Error shut(const Daemon& daemon, const std::string& why, const std::string& difference) {
  return Error{Code::kFailedPrecondition,
               "nothing was changed: " + why + " in what containerd reads from '" +
                   daemon.config.string() + "':\n" + difference +
                   "Write the handler by hand (docs/operations.md), or report this",
               0};
}

Error is_default(const Daemon& daemon, const std::string& handler,
                 const std::vector<std::string>& settings) {
  std::string all;
  for (const std::string& one : settings) all += (all.empty() ? "" : ", ") + one;
  return Error{Code::kFailedPrecondition,
               "nothing was changed: the handler '" + handler +
                   "' is a default of this node, and CRI would not start without it: set " + all +
                   " in '" + daemon.config.string() +
                   "', or where it imports it from, to runc "
                   "first, and restart containerd",
               0};
}

fs::path behind_links(const fs::path& path) {
  std::error_code error;
  const fs::path resolved = fs::weakly_canonical(path, error);
  return error ? path : resolved;
}

Result<void> check_unchanged(const ConfigPlan& plan) {
  const auto text = read_regular_file(plan.written);
  if (!text && text.error().code != Code::kNotFound) return tl::unexpected(text.error());
  if (text.has_value() == plan.old_text.has_value() &&
      text.value_or("") == plan.old_text.value_or(""))
    return {};
  return fail(
      Code::kFailedPrecondition,
      "'" + plan.written.string() + "' was changed by somebody else meanwhile: run this again");
}

bool has_cri(const Settings& dump) {
  if (runtimes_in_dump(dump).empty()) return false;
  const auto disabled = dump.find({"disabled_plugins"});
  if (disabled == dump.end()) return true;
  for (const char* plugin : {"io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime", "cri"})
    if (disabled->second.find(quoted_text(plugin)) != std::string::npos) return false;
  return true;
}

Result<Settings> reading_without(const Daemon& daemon, const std::optional<Record>& record) {
  auto dump = dump_now(daemon);
  if (!dump || !record) return dump;
  return without_handler(std::move(*dump), record->handler);
}

Result<ConfigPlan> plan_config(const Daemon& daemon, const Handler& handler,
                               const std::optional<Record>& record) {
  ConfigPlan plan;
  plan.layout = layout_of(daemon.config, daemon.version.major);
  auto now = dump_now(daemon);
  if (!now) return tl::unexpected(now.error());
  if (!has_cri(*now)) {
    plan.before = std::move(*now);
    return plan;
  }
  if (record && record->handler != handler.name)
    if (const auto defaults = defaults_to(*now, record->handler); !defaults.empty())
      return tl::unexpected(is_default(daemon, record->handler, defaults));
  auto base = read_base(daemon, record);
  if (!base) return tl::unexpected(base.error());
  if (auto chosen = choose_way(daemon, record, *base, plan); !chosen)
    return tl::unexpected(chosen.error());
  if (auto moved = check_moved(plan, record); !moved) return tl::unexpected(moved.error());
  if (plan.layout.flavour == Flavour::kK0s) {
    // It puts the file into another one that containerd imports; what comes of it is looked at
    // after the restart. Here: whether containerd understands the handler beside what is in force.
    Settings others = without_handler(*now, handler.name);
    others.erase({"imports"});
    base->text = tables_text(others, {}, {});
    base->version = version_of(others, daemon);
  }
  const Trial trial{daemon,        plan.way,  plan.written, base->text,
                    base->imports, plan.rest, plan.creates};
  auto before = read_before(std::move(*now), handler, record, *base, trial);
  if (!before) return tl::unexpected(before.error());
  plan.before = std::move(*before);
  if (auto open = pass_gate(daemon, handler, base->version, trial, plan); !open)
    return tl::unexpected(open.error());
  plan.new_text = with_block(plan.rest, plan.block);
  return plan;
}

Result<void> verify_config(const Daemon& daemon, const ConfigPlan& plan,
                           const std::string& handler) {
  if (plan.way == Way::kNone) return {};
  const auto after = dump_now(daemon);
  if (!after) return tl::unexpected(after.error());
  const KeyPath runtimes = runtimes_in_dump(*after);
  auto changes = differences(plan.before, *after);
  // What a k0s imports was flattened in `before`.
  if (plan.layout.flavour == Flavour::kK0s) changes.clear();
  if (runtimes.empty() ||
      after->find(joined(joined(runtimes, handler), "runtime_type")) == after->end())
    return fail(Code::kFailedPrecondition, "containerd does not read the handler '" + handler +
                                               "' from '" + plan.written.string() + "'");
  const auto others = besides(changes, joined(runtimes, handler));
  if (others.empty()) return {};
  return tl::unexpected(shut(daemon, "more than the handler differs", difference_text(others)));
}

}  // namespace ward::cli::node
