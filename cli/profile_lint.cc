// SPDX-License-Identifier: Apache-2.0
// Lint works on files alone: for a person's editor and for CI. It names every file it looked at.
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "cli/profile_file.h"
#include "cli/verbs.h"
#include "lib/base/escape.h"
#include "profiles/canonical.h"
#include "profiles/read_yaml.h"
#include "profiles/validate.h"

namespace ward::cli {
namespace {

struct Verdict {
  std::string kind;
  std::string digest;  // of a profile
  std::string error;
  std::vector<profiles::Finding> warnings;
};

Verdict lint(const std::string& path) {
  Verdict verdict;
  const auto file = read_profile_text(path);
  if (!file) {
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
  for (const auto& w : verdict.warnings) warnings.push_back({{"subject", w.subject}, {"message", w.message}});
  return {{"file", path},           {"valid", verdict.error.empty()},
          {"kind", verdict.kind},   {"digest", verdict.digest},
          {"error", verdict.error}, {"warnings", warnings}};
}

int run(Session& session, const std::vector<std::string>& paths) {
  int exit_code = kExitOk;
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const std::string& path : paths) {
    const Verdict verdict = lint(path);
    if (!verdict.error.empty()) exit_code = kExitInvalid;
    if (session.json) {
      all.push_back(as_json(path, verdict));
      continue;
    }
    for (const auto& w : verdict.warnings) {
      std::fprintf(stderr, "%s%s: %s: %s\n", session.err.warn("warning: ").c_str(), path.c_str(),
                   escape(w.subject).c_str(), escape(w.message, 500).c_str());
    }
    if (verdict.error.empty()) {
      std::printf("%s: %s %s%s\n", path.c_str(), session.out.good("ok").c_str(), verdict.kind.c_str(),
                  verdict.digest.empty() ? "" : (" " + short_digest(verdict.digest)).c_str());
    } else {
      std::fprintf(stderr, "%s\n", verdict.error.c_str());
    }
  }
  if (session.json) {
    std::puts(all.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace).c_str());
  }
  return exit_code;
}

}  // namespace

void add_profile_lint(CLI::App& profile, Session& session, int& exit_code) {
  auto* verb = profile.add_subcommand("lint", "Check profile and policy files; needs no wardd");
  const auto paths = std::make_shared<std::vector<std::string>>();
  verb->add_option("files", *paths, "YAML files, - for standard input")->required();
  verb->callback([&session, &exit_code, paths] { exit_code = run(session, *paths); });
}

}  // namespace ward::cli
