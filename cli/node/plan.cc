// SPDX-License-Identifier: Apache-2.0
#include "cli/node/plan.h"

#include <unistd.h>

#include "cli/node/config_text.h"
#include "lib/base/digest.h"
#include "lib/base/file.h"
#include "lib/base/scope_exit.h"

namespace ward::cli::node {
namespace fs = std::filesystem;
namespace {

// A version that no file names is the newest that a containerd knows, and 1 before 2.0.
int version_of(const Settings& file, const Daemon& daemon) {
  const auto found = file.find({"version"});
  if (found != file.end()) return std::atoi(found->second.c_str());
  return daemon.version.major >= 2 ? 3 : 1;
}

// containerd's reading of a text that stands where the configuration stands: imports may be
// relative to it.
Result<Settings> dump_text(const Daemon& daemon, const std::string& text) {
  fs::path candidate = daemon.config.string() + ".ward-candidate";
  std::error_code error;
  // Where there is no folder there is no import relative to it.
  if (!fs::is_directory(daemon.config.parent_path(), error))
    candidate = fs::temp_directory_path(error) / ("ward-candidate-" + std::to_string(::getpid()));
  const ScopeExit clean([&candidate] { ::unlink(candidate.c_str()); });
  if (auto written = write_file_atomically(candidate, text, 0600, Durability::kNone); !written)
    return fail_with("try the configuration before it is changed", written.error());
  auto dump = dump_config(daemon, candidate);
  if (!dump) {
    // Its own name, for people: nobody has seen the other file.
    std::string& words = dump.error().message;
    for (auto at = words.find(candidate.string()); at != std::string::npos;
         at = words.find(candidate.string()))
      words.replace(at, candidate.string().size(), daemon.config.string());
  }
  return dump;
}

Result<Settings> dump_now(const Daemon& daemon) {
  std::error_code error;
  auto dump = dump_config(daemon, fs::exists(daemon.config, error) ? daemon.config : fs::path());
  if (!dump)
    return fail_with("containerd runs, but would not start again: it refuses its configuration '" +
                         daemon.config.string() + "', which has to be mended first",
                     dump.error());
  return dump;
}

Settings without_handler(Settings dump, const std::string& handler) {
  const KeyPath runtimes = runtimes_in_dump(dump);
  if (runtimes.empty()) return dump;
  const KeyPath ours = joined(runtimes, handler);
  std::erase_if(dump, [&ours](const auto& one) { return is_below(one.first, ours); });
  return dump;
}

Result<FencedText> split_file(const fs::path& path) {
  const auto text = read_regular_file(path);
  if (!text) return tl::unexpected(text.error());
  return split_block(*text, path.string());
}

// The folder of an import, where a file in it is merged with the rest: containerd 2 merges, 1
// replaces the whole section.
fs::path drop_in_folder(const Daemon& daemon, const std::optional<Imports>& imports) {
  if (daemon.version.major < 2 || !imports) return {};
  for (const std::string& pattern : imports->patterns) {
    const fs::path folder = folder_of_pattern(pattern);
    std::error_code error;
    if (folder.is_absolute() && fs::is_directory(folder, error)) return folder;
  }
  return {};
}

// The text with a list of imports in which no pattern stands for our own file.
std::string with_imports(const std::string& text, const Imports& imports, const fs::path& ours,
                         const fs::path& instead) {
  std::string list = "[";
  const auto add = [&list](const std::string& path) {
    list += (list.size() > 1 ? ", " : "") + quoted_text(path);
  };
  for (const std::string& pattern : imports.patterns) {
    const fs::path folder = folder_of_pattern(pattern);
    if (folder.empty() || folder != ours.parent_path()) {
      add(pattern);
      continue;
    }
    std::error_code error;
    for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
      if (at->path().extension() == ".toml" && at->path() != ours) add(at->path().string());
  }
  if (!instead.empty()) add(instead.string());
  return text.substr(0, imports.begin) + list + "]" + text.substr(imports.end);
}

// What containerd reads where the block is `block`: nothing, without one.
class Trial {
 public:
  Trial(const Daemon& daemon, const ConfigPlan& plan, std::string base,
        std::optional<Imports> imports, std::string opening)
      : daemon_(daemon),
        plan_(plan),
        base_(std::move(base)),
        imports_(std::move(imports)),
        opening_(std::move(opening)) {}

  [[nodiscard]] Result<Settings> read(const std::optional<std::string>& block) const {
    if (plan_.way != Way::kDropIn)
      return dump_text(daemon_, block ? with_block(base_, *block) : base_);
    const fs::path staged = plan_.written.string() + ".ward-candidate";
    const ScopeExit clean([&staged] { ::unlink(staged.c_str()); });
    if (block) {
      const auto written =
          write_file_atomically(staged, with_block(opening_, *block), 0600, Durability::kNone);
      if (!written) return fail_with("try the configuration before it is changed", written.error());
    }
    return dump_text(daemon_,
                     with_imports(base_, *imports_, plan_.written, block ? staged : fs::path()));
  }

 private:
  const Daemon& daemon_;
  const ConfigPlan& plan_;
  std::string base_;
  std::optional<Imports> imports_;
  std::string opening_;
};

Error shut(const Daemon& daemon, const std::string& why, const std::string& difference) {
  return Error{Code::kFailedPrecondition,
               "nothing was changed: " + why + " in what containerd reads from '" +
                   daemon.config.string() + "':\n" + difference +
                   "Write the handler by hand (docs/operations.md), or report this",
               0};
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
      if (text_at(*after, joined(ours, "runtime_type")) == "io.containerd.ward.v1") return {};
      return tl::unexpected(shut(daemon, "the handler would not be", "(no difference)\n"));
    }
    if (round == 0) carried = lost_runtimes(plan.before, *after);
    if (round == 1 || carried.empty())
      return tl::unexpected(
          shut(daemon, "more than the handler would differ", difference_text(others)));
  }
  return {};
}

fs::path behind_links(const fs::path& path) {
  std::error_code error;
  const fs::path resolved = fs::weakly_canonical(path, error);
  return error ? path : resolved;
}

// The text that containerd's reading of is compared, without Ward's part.
struct Base {
  std::string text;
  std::optional<Imports> imports;
  int version = 0;
};

Result<Base> read_base(const Daemon& daemon, const std::optional<Record>& record,
                       ConfigPlan& plan) {
  Base base;
  auto split = split_file(daemon.config);
  const bool absent = !split && split.error().code == Code::kNotFound;
  if (!split && !absent) return tl::unexpected(split.error());
  if (absent) {
    auto now = dump_now(daemon);
    if (!now) return tl::unexpected(now.error());
    // Everything that is in force: a file that names only the handler would be all there is.
    if (daemon.version.major < 2) now->erase({"imports"});
    base.text = tables_text(*now, {}, {});
    plan.creates = true;
  } else {
    base.text = split->rest;
    plan.creates = record && !record->created.empty();
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

Result<void> choose_way(const Daemon& daemon, const std::optional<Record>& record, const Base& base,
                        ConfigPlan& plan, std::string& opening) {
  const fs::path folder = plan.layout.generated ? fs::path() : drop_in_folder(daemon, base.imports);
  if (plan.layout.generated) {
    plan.way = Way::kTemplate;
    plan.written = behind_links(plan.layout.written);
    opening = plan.layout.opening;
  } else if (!folder.empty() && !(record && record->way == Way::kBlock)) {
    plan.way = Way::kDropIn;
    plan.written = folder / "ward.toml";
    opening = "version = " + std::to_string(base.version) + "\n";
  } else {
    plan.way = Way::kBlock;
    plan.written = behind_links(daemon.config);
    plan.rest = base.text;
    auto text = read_regular_file(plan.written);
    if (text) plan.old_text = std::move(*text);
    return {};
  }
  auto text = read_regular_file(plan.written);
  if (!text && text.error().code != Code::kNotFound) return tl::unexpected(text.error());
  plan.creates = !text || (record && !record->created.empty());
  plan.rest = opening;
  if (!text) return {};
  auto split = split_block(*text, plan.written.string());
  if (!split) return tl::unexpected(split.error());
  plan.rest = split->rest;
  plan.old_text = std::move(*text);
  return {};
}

}  // namespace

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
  auto base = read_base(daemon, record, plan);
  if (!base) return tl::unexpected(base.error());
  std::string opening;
  if (auto chosen = choose_way(daemon, record, *base, plan, opening); !chosen)
    return tl::unexpected(chosen.error());
  if (plan.layout.flavour == Flavour::kK0s) {
    // It puts the file into another one that containerd imports; what comes of it is looked at
    // after the restart. Here: whether containerd understands the handler beside what is in force.
    Settings others = without_handler(*now, handler.name);
    others.erase({"imports"});
    base->text = tables_text(others, {}, {});
    base->version = version_of(others, daemon);
  }
  const Trial trial(daemon, plan, base->text, base->imports, opening);
  auto before = trial.read(std::nullopt);
  if (!before) return tl::unexpected(before.error());
  plan.before = std::move(*before);
  if (auto open = pass_gate(daemon, handler, base->version, trial, plan); !open)
    return tl::unexpected(open.error());
  plan.new_text = with_block(plan.rest, plan.block);
  return plan;
}

Result<ConfigPlan> plan_removal(const Daemon& daemon, const Record& record) {
  ConfigPlan plan;
  plan.layout = layout_of(daemon.config, daemon.version.major);
  plan.way = record.way;
  plan.written = record.written;
  if (record.way == Way::kNone) return plan;
  auto text = read_regular_file(record.written);
  if (!text && text.error().code == Code::kNotFound) {
    plan.old_text = "";
    return plan;
  }
  if (!text) return tl::unexpected(text.error());
  auto split = split_block(*text, record.written.string());
  if (!split) return tl::unexpected(split.error());
  plan.old_text = std::move(*text);
  plan.rest = plan.new_text = split->rest;
  plan.creates = !record.created.empty() && record.created == sha256_hex(plan.rest);
  std::error_code error;
  if (plan.way != Way::kBlock || !split->block || !fs::exists(daemon.program, error)) return plan;
  const auto now = dump_now(daemon);
  if (!now) return tl::unexpected(now.error());
  const auto after = dump_text(daemon, plan.rest);
  if (!after) return fail_with("nothing was changed", after.error());
  plan.changes = differences(*now, *after);
  const auto others = besides(plan.changes, joined(runtimes_in_dump(*now), record.handler));
  if (!others.empty())
    return tl::unexpected(shut(daemon, "more than the handler would go", difference_text(others)));
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
