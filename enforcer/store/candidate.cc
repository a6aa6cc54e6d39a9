// SPDX-License-Identifier: Apache-2.0
#include "enforcer/store/candidate.h"

#include <map>
#include <set>
#include <utility>

#include "lib/base/digest.h"
#include "profiles/canonical.h"
#include "profiles/filter/index_writer.h"
#include "profiles/filter/limits.h"
#include "profiles/yaml/read_yaml.h"

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

// Where in the file a name stands is the reader's knowledge; for what only shows between files the
// line is found again.
std::string position_of(const SourceFile& file, std::string_view key) {
  int line = 1;
  std::size_t start = 0;
  while (start < file.text.size()) {
    const std::size_t end = std::min(file.text.find('\n', start), file.text.size());
    const std::size_t at = file.text.substr(start, end - start).find(key);
    if (at != std::string::npos)
      return file.path.string() + ":" + std::to_string(line) + ":" + std::to_string(at + 1);
    start = end + 1;
    ++line;
  }
  return file.path.string() + ":1:1";
}

void check_version(const SourceFile& file, const profiles::Profile& profile,
                   const SeenVersions& seen, const std::string& rollback, Complaints& complaints) {
  const auto found = seen.find(profile.name);
  if (found == seen.end() || profile.version >= found->second.version || profile.name == rollback)
    return;
  complaints.add(position_of(file, "version:") + ": version " + std::to_string(profile.version) +
                 " of profile '" + profile.name + "' is lower than " +
                 std::to_string(found->second.version) +
                 ", which was in force here: raise the version, or roll back with `ward profile "
                 "apply --rollback`");
}

// What no shim reads is refused here, where it is known whose file it is.
void check_limits(const Candidate& candidate, const Sources& sources, Complaints& complaints) {
  std::set<std::string> too_large;
  for (const auto& file : candidate.resolved.files) {
    if (file.bytes.size() > filter::kMaxProfileBytes) too_large.insert(file.sha256);
  }
  std::map<std::string, bool> unreadable;
  for (const auto& ref : candidate.resolved.index.profiles()) {
    unreadable[ref.name()] = too_large.count(ref.compiled_sha256()) != 0;
  }
  for (const LoadedProfile& loaded : candidate.profiles) {
    if (!unreadable[loaded.profile.name]) continue;
    complaints.add(loaded.path.string() + ":1:1: compiled, profile '" + loaded.profile.name +
                   "' has more than the " + std::to_string(filter::kMaxProfileBytes) +
                   " bytes that shims read: filter fewer arguments");
  }
  std::size_t rules = 0;
  std::size_t largest = 0;
  for (std::size_t i = 0; i < candidate.policies.size(); ++i) {
    const std::size_t here = candidate.policies[i].rules.size();
    if (here > candidate.policies[largest].rules.size()) largest = i;
    if (rules <= filter::kMaxRules && rules + here > filter::kMaxRules) {
      complaints.add(position_of(sources.policies[i], "rules:") +
                     ": with this file the policies have more than " +
                     std::to_string(filter::kMaxRules) +
                     " rules, and shims read no more: take rules together (lists, '*', templates), "
                     "or remove some");
    }
    rules += here;
  }
  if (!complaints.none() || rules == 0) return;
  const auto bytes = filter::write_index(candidate.resolved.index);
  if (bytes) return;
  complaints.add(position_of(sources.policies[largest], "rules:") + ": " + bytes.error().message +
                 ": take rules together (lists, '*', templates), or remove some; this file has "
                 "most of them, " +
                 std::to_string(candidate.policies[largest].rules.size()));
}

void check_rehearsals(const Candidate& candidate, Complaints& complaints) {
  std::set<std::string> rehearsals;
  for (const LoadedProfile& loaded : candidate.profiles)
    if (loaded.profile.rehearsal) rehearsals.insert(loaded.profile.name);
  for (const profiles::Policy& policy : candidate.policies) {
    for (const profiles::PolicyRule& rule : policy.rules) {
      if (rule.mode != profiles::Mode::kEnforce || rehearsals.count(rule.profile) == 0) continue;
      complaints.add(rule.place.file + ":" + std::to_string(rule.place.line) +
                     ":1: mode enforce, and profile '" + rule.profile +
                     "' is for rehearsal, for it was learned without a start: say `mode: "
                     "supervise`, or record a start and generate it anew");
    }
  }
}

// A warning says where, like a refusal.
void place_warnings(Candidate& candidate, const Sources& sources) {
  std::map<std::string, const SourceFile*> files;
  std::map<std::string, std::map<std::string, profiles::Position>> places;
  for (std::size_t i = 0; i < candidate.policies.size(); ++i)
    files[candidate.policies[i].name] = &sources.policies[i];
  for (std::size_t i = 0; i < candidate.resolved.warnings.size(); ++i) {
    const auto& [policy, subject] = candidate.resolved.warned_of[i];
    const SourceFile* file = files[policy];
    auto [known, fresh] = places.try_emplace(policy);
    if (fresh) known->second = profiles::policy_places(file->text);
    auto place = known->second.find(subject);
    if (place == known->second.end())
      place = known->second.find(subject.substr(0, subject.rfind('.')));
    const profiles::Position at =
        place == known->second.end() ? profiles::Position{} : place->second;
    candidate.resolved.warnings[i] =
        profiles::format_position(file->path.string(), at) + ": " + candidate.resolved.warnings[i];
  }
}

}  // namespace

Result<Candidate> make_candidate(const Sources& sources, const SeenVersions& seen,
                                 const node::v1::NodeSettings& settings,
                                 PoliciesRead& policies_read, const std::string& rollback) {
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
      complaints.add(position_of(file, "name:") + ": profile '" + profile->name + "' is in " +
                     first->second.string() + " already: remove or rename one");
    }
    check_version(file, *profile, seen, rollback, complaints);
    std::string digest = profiles::digest(*profile);
    out.profiles.push_back({std::move(*profile), std::move(digest), file.path, file.text});
  }
  PoliciesRead before = std::exchange(policies_read, {});
  for (const SourceFile& file : sources.policies) {
    const std::string key = file.path.string() + '\0' + sha256_hex(file.text);
    auto known = before.extract(key);
    auto policy = known ? Result<profiles::Policy>(std::move(known.mapped()))
                        : profiles::read_policy(file.text, file.path.string());
    if (!policy) {
      complaints.add(policy.error().message);
      continue;
    }
    policies_read[key] = *policy;
    const auto [first, fresh] = policy_files.emplace(policy->name, file.path);
    if (!fresh) {
      complaints.add(position_of(file, "name:") + ": policy '" + policy->name + "' is in " +
                     first->second.string() + " already: remove or rename one");
    }
    out.policies.push_back(std::move(*policy));
  }
  if (!complaints.none()) return complaints.error();
  std::vector<profiles::Profile> plain;
  for (const LoadedProfile& loaded : out.profiles) plain.push_back(loaded.profile);
  auto resolved = profiles::resolve(out.policies, plain, settings, 0);
  if (!resolved) return tl::unexpected<Error>(resolved.error());
  out.resolved = std::move(*resolved);
  check_rehearsals(out, complaints);
  check_limits(out, sources, complaints);
  if (!complaints.none()) return complaints.error();
  place_warnings(out, sources);
  return out;
}

}  // namespace ward::enforcer
