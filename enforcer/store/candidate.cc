// SPDX-License-Identifier: Apache-2.0
#include "enforcer/store/candidate.h"

#include <map>

#include "profiles/canonical.h"
#include "profiles/read_yaml.h"

namespace ward::enforcer {
namespace {

class Complaints {
 public:
  void add(const std::string& complaint) { all_ += (all_.empty() ? "" : "\n") + complaint; }
  [[nodiscard]] bool none() const { return all_.empty(); }
  [[nodiscard]] tl::unexpected<Error> error() const { return fail(Code::kInvalidArgument, all_); }

 private:
  std::string all_;
};

// Where in the file a name stands is the reader's knowledge; for what only shows between files the line is found again.
std::string position_of(const SourceFile& file, std::string_view key) {
  int line = 1;
  std::size_t start = 0;
  while (start < file.text.size()) {
    const std::size_t end = std::min(file.text.find('\n', start), file.text.size());
    const std::size_t at = file.text.substr(start, end - start).find(key);
    if (at != std::string::npos) return file.path.string() + ":" + std::to_string(line) + ":" + std::to_string(at + 1);
    start = end + 1;
    ++line;
  }
  return file.path.string() + ":1:1";
}

void check_version(const SourceFile& file, const profiles::Profile& profile, const SeenVersions& seen,
                   const std::string& rollback, Complaints& complaints) {
  const auto found = seen.find(profile.name);
  if (found == seen.end() || profile.version >= found->second.version || profile.name == rollback) return;
  complaints.add(position_of(file, "version:") + ": version " + std::to_string(profile.version) + " of profile '" +
                 profile.name + "' is lower than " + std::to_string(found->second.version) +
                 ", which was in force here: raise the version, or roll back with `ward profile apply --rollback`");
}

}  // namespace

Result<Candidate> make_candidate(const Sources& sources, const SeenVersions& seen,
                                 const node::v1::NodeSettings& settings, const std::string& rollback) {
  Candidate out;
  Complaints complaints;
  std::map<std::string, std::filesystem::path> profile_files;
  std::map<std::string, std::filesystem::path> policy_files;
  for (const SourceFile& file : sources.profiles) {
    auto profile = profiles::read_profile(file.text, file.path.string());
    if (!profile) {
      complaints.add(profile.error().message);
      continue;
    }
    const auto [first, fresh] = profile_files.emplace(profile->name, file.path);
    if (!fresh) {
      complaints.add(position_of(file, "name:") + ": profile '" + profile->name + "' is in " + first->second.string() +
                     " already: remove or rename one");
    }
    check_version(file, *profile, seen, rollback, complaints);
    std::string digest = profiles::digest(*profile);
    out.profiles.push_back({std::move(*profile), std::move(digest), file.path, file.text});
  }
  for (const SourceFile& file : sources.policies) {
    auto policy = profiles::read_policy(file.text, file.path.string());
    if (!policy) {
      complaints.add(policy.error().message);
      continue;
    }
    const auto [first, fresh] = policy_files.emplace(policy->name, file.path);
    if (!fresh) {
      complaints.add(position_of(file, "name:") + ": policy '" + policy->name + "' is in " + first->second.string() +
                     " already: remove or rename one");
    }
    out.policies.push_back(std::move(*policy));
  }
  if (!complaints.none()) return complaints.error();
  std::vector<profiles::Profile> plain;
  for (const LoadedProfile& loaded : out.profiles) plain.push_back(loaded.profile);
  auto resolved = profiles::resolve(out.policies, plain, settings, 0);
  if (!resolved) return tl::unexpected<Error>(resolved.error());
  out.resolved = std::move(*resolved);
  return out;
}

}  // namespace ward::enforcer
