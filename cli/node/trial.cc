// SPDX-License-Identifier: Apache-2.0
#include "cli/node/trial.h"

#include <unistd.h>

#include <algorithm>
#include <vector>

#include "cli/node/config_text.h"
#include "cli/node/gate.h"
#include "cli/node/layout.h"
#include "lib/base/digest.h"
#include "lib/base/file.h"
#include "lib/base/scope_exit.h"

namespace ward::cli::node {
namespace fs = std::filesystem;
namespace {

constexpr const char* kCandidate = ".ward-candidate-";

// A name of its own. What a run left that was killed goes: nobody else is at it.
fs::path candidate_of(const fs::path& path) {
  std::error_code error;
  const std::string begin = path.filename().string() + kCandidate;
  std::vector<fs::path> left;
  fs::directory_iterator at(path.parent_path(), error);
  for (const fs::directory_iterator end; !error && at != end; at.increment(error))
    if (at->path().filename().string().rfind(begin, 0) == 0) left.push_back(at->path());
  for (const fs::path& one : left) ::unlink(one.c_str());
  return path.parent_path() / (begin + random_hex(8));
}

Result<void> write_candidate(const fs::path& candidate, const std::string& text) {
  const auto written = write_file_atomically(candidate, text, 0600, Durability::kNone);
  if (!written) return fail_with("try the configuration before it is changed", written.error());
  return {};
}

// containerd's reading of a text that stands where the configuration stands: imports may be
// relative to it.
Result<Settings> dump_text(const Daemon& daemon, const std::string& text) {
  std::error_code error;
  // Where there is no folder there is no import relative to it.
  const fs::path candidate =
      fs::is_directory(daemon.config.parent_path(), error)
          ? candidate_of(daemon.config)
          : fs::temp_directory_path(error) / ("ward-candidate-" + random_hex(8));
  const ScopeExit clean([&candidate] { ::unlink(candidate.c_str()); });
  if (auto written = write_candidate(candidate, text); !written)
    return tl::unexpected(written.error());
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

}  // namespace

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

std::string with_imports(const std::string& text, const Imports& imports, const fs::path& ours,
                         const fs::path& staged) {
  std::vector<std::string> named;
  for (const std::string& pattern : imports.patterns) {
    const fs::path folder = folder_of_pattern(pattern);
    if (folder.empty() || folder != ours.parent_path()) {
      named.push_back(pattern);
      continue;
    }
    std::vector<fs::path> files;
    std::error_code error;
    fs::directory_iterator at(folder, error);
    for (const fs::directory_iterator end; !error && at != end; at.increment(error))
      if (at->path().extension() == ".toml" && at->path() != ours) files.push_back(at->path());
    if (!staged.empty()) files.push_back(ours);
    std::sort(files.begin(), files.end());
    for (const fs::path& file : files)
      named.push_back(file == ours ? staged.string() : file.string());
  }
  std::string list;
  for (const std::string& name : named) list += (list.empty() ? "" : ", ") + quoted_text(name);
  return text.substr(0, imports.begin) + "[" + list + "]" + text.substr(imports.end);
}

Result<Settings> Trial::read(const std::optional<std::string>& block) const {
  if (way != Way::kDropIn || !imports)
    return dump_text(daemon, block ? with_block(base, *block) : base);
  if (!block && alone) return dump_text(daemon, with_imports(base, *imports, written, {}));
  const fs::path staged = candidate_of(written);
  const ScopeExit clean([&staged] { ::unlink(staged.c_str()); });
  if (auto made = write_candidate(staged, block ? with_block(rest, *block) : rest); !made)
    return tl::unexpected(made.error());
  return dump_text(daemon, with_imports(base, *imports, written, staged));
}

}  // namespace ward::cli::node
