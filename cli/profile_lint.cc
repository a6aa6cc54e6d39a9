// SPDX-License-Identifier: Apache-2.0
// Lint works on files alone: for a person's editor and for CI. It names every file it looked at.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <vector>

#include "cli/app.h"
#include "cli/options.h"
#include "cli/present/json_text.h"
#include "cli/profile_file.h"
#include "cli/verbs.h"
#include "lib/base/escape.h"
#include "lib/base/printable.h"
#include "profiles/canonical.h"
#include "profiles/validate.h"
#include "profiles/yaml/node_config.h"
#include "profiles/yaml/read_yaml.h"

namespace ward::cli {
namespace {

struct Verdict {
  bool read = true;  // false: the file is not there, or cannot be read
  std::string kind;
  std::string digest;  // of a profile
  std::string error;
  std::vector<profiles::Finding> warnings;
};

Verdict lint(const std::string& path) {
  Verdict verdict;
  const auto file = read_profile_text(path);
  if (!file) {
    verdict.read = file.error().code == Code::kInvalidArgument;
    verdict.error = file.error().message;
    return verdict;
  }
  const auto kind = profiles::read_kind(file->text, file->name);
  if (!kind) {
    verdict.error = kind.error().message;
    return verdict;
  }
  verdict.kind = *kind;
  if (*kind == "Policy") {
    const auto policy = profiles::read_policy(file->text, file->name);
    if (policy) {
      verdict.warnings = profiles::validate(*policy);
    } else {
      verdict.error = policy.error().message;
    }
    return verdict;
  }
  if (*kind == "NodeConfig") {
    const auto config = profiles::read_node_config(file->text, file->name);
    if (!config) verdict.error = config.error().message;
    return verdict;
  }
  const auto profile = profiles::read_profile(file->text, file->name);
  if (profile) {
    verdict.digest = profiles::digest(*profile);
    verdict.warnings = profiles::validate(*profile);
  } else {
    verdict.error = profile.error().message;
  }
  return verdict;
}

nlohmann::ordered_json as_json(const std::string& path, const Verdict& verdict) {
  nlohmann::ordered_json warnings = nlohmann::ordered_json::array();
  for (const auto& w : verdict.warnings)
    warnings.push_back({{"subject", w.subject}, {"message", w.message}});
  return {{"schema", schema("LintVerdict")},
          {"file", path},
          {"valid", verdict.error.empty()},
          {"kind", verdict.kind},
          {"digest", verdict.digest},
          {"error", verdict.error},
          {"warnings", warnings}};
}

// A folder is read as wardd reads /etc/ward: every .yaml and .yml below it but hidden ones, in the
// order of names.
Result<std::vector<std::string>> files_of(const std::string& path) {
  std::error_code error;
  if (path == "-" || !std::filesystem::is_directory(path, error))
    return std::vector<std::string>{path};
  std::vector<std::string> found;
  std::filesystem::recursive_directory_iterator entries(path, error);
  for (; !error && entries != std::filesystem::recursive_directory_iterator();
       entries.increment(error)) {
    const std::filesystem::path& entry = entries->path();
    if (entry.filename().string().front() == '.') {
      entries.disable_recursion_pending();
    } else if (!entries->is_directory(error) &&
               (entry.extension() == ".yaml" || entry.extension() == ".yml")) {
      found.push_back(entry.string());
    }
  }
  if (error) return fail_errno("read folder '" + path + "'", error.value());
  if (found.empty())
    return fail(Code::kNotFound, "no .yaml or .yml file is in the folder '" + path + "'");
  std::sort(found.begin(), found.end());
  return found;
}

int run(Session& session, const std::vector<std::string>& given) {
  int exit_code = kExitOk;
  std::vector<std::string> paths;
  for (const std::string& path : given) {
    const auto files = files_of(path);
    if (!files) return session.fail(files.error());
    paths.insert(paths.end(), files->begin(), files->end());
  }
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const std::string& path : paths) {
    const Verdict verdict = lint(path);
    // What could not be looked at is the more serious of the two.
    if (!verdict.read) {
      exit_code = kExitFailed;
    } else if (!verdict.error.empty() && exit_code == kExitOk) {
      exit_code = kExitInvalid;
    }
    if (session.json) {
      all.push_back(as_json(path, verdict));
      continue;
    }
    for (const auto& w : verdict.warnings) {
      session.warn(path + ": " + w.subject + ": " + w.message);
    }
    if (verdict.error.empty()) {
      session.print(escape(path, 4096) + ": " + session.out.good("ok") + " " + verdict.kind +
                    (verdict.digest.empty() ? "" : " " + short_digest(verdict.digest)) + "\n");
    } else {
      session.say(printable(verdict.error));
    }
  }
  if (session.json) {
    session.print(json_text(all));
  }
  return exit_code;
}

}  // namespace

void add_profile_lint(CLI::App& profile, Session& session, int& exit_code) {
  auto* verb = add_verb(profile, "lint", "Check profiles, policies and wardd.yaml; needs no wardd");
  const auto paths = std::make_shared<std::vector<std::string>>();
  verb->footer(examples({"ward profile lint web.yaml", "ward profile lint /etc/ward",
                         "ward profile lint - -o json"}));
  add_value(*verb, "files", *paths, "YAML files or folders of them, - for standard input")
      ->required()
      ->type_name(kFileValue);
  verb->callback([&session, &exit_code, paths] { exit_code = run(session, *paths); });
}

}  // namespace ward::cli
