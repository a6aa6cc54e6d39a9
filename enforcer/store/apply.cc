// SPDX-License-Identifier: Apache-2.0
// One profile, put in force by a person: judged beside the files that are there, written among
// them, compiled.
#include <algorithm>
#include <sstream>

#include "enforcer/store/kept_file.h"
#include "enforcer/store/one_profile.h"
#include "enforcer/store/profile_store.h"
#include "lib/base/file.h"
#include "profiles/canonical.h"
#include "profiles/enforce_after.h"
#include "profiles/validate.h"
#include "profiles/yaml/read_yaml.h"

namespace ward::enforcer {
namespace {

// The reader accepts only names that are safe in a path; that matters enough here to look again.
bool is_file_name(const std::string& name) {
  return !name.empty() && name.size() <= 128 && name.front() != '.' &&
         name.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
             std::string::npos;
}

// Complaints about the text under the name its author gave it; others are of files that were there
// before.
std::string as_given(const std::string& message, const std::filesystem::path& target,
                     const std::string& file_name) {
  const std::string prefix = target.string() + ":";
  std::string out;
  std::istringstream lines(message);
  for (std::string line; std::getline(lines, line);) {
    const bool of_target = line.compare(0, prefix.size(), prefix) == 0;
    out +=
        (out.empty() ? "" : "\n") + (of_target ? file_name + line.substr(prefix.size() - 1) : line);
  }
  return out;
}

// What policies ask for before they enforce this profile (enforceAfter) and it does not have.
std::string describe_closed_gates(const std::vector<profiles::Policy>& policies,
                                  const profiles::Profile& profile) {
  std::string out;
  for (const std::string& gate : profiles::closed_gates(policies, profile)) out += gate + "\n";
  if (out.empty()) return out;
  return out +
         "Record more and generate again, put the rule into supervise until then, or apply "
         "with --insist";
}

}  // namespace

struct ProfileStore::Attempt {
  profiles::Profile profile;
  Sources sources;               // with the text that was given among them
  std::filesystem::path target;  // the file of this profile
  bool same_text = false;        // the file says so already
  bool alone = false;            // other files are bad: this one is judged by itself
  std::string rollback;          // the profile that may have a lower version
  Candidate candidate;
};

// Other files are bad, and what they say stays out; this one is good, and what is in force takes
// it.
Result<void> ProfileStore::put_one_in_force(Candidate candidate, const std::string& rollback,
                                            std::function<void(Result<void>)> stored) {
  LoadedProfile& loaded = candidate.profiles.front();
  auto resolved = in_force_ ? with_profile(*in_force_, candidate.resolved, loaded.profile.name)
                            : Result<profiles::Resolved>(std::move(candidate.resolved));
  if (!resolved) return tl::unexpected<Error>(resolved.error());
  if (auto laid = profiles::change_overlays(*resolved, {}, overlays_); !laid)
    return fail_with("amendments of this node", laid.error());
  auto next =
      make_in_force(std::move(*resolved), (in_force_ ? in_force_->index.generation() : 0) + 1);
  if (!next)
    return fail_with("compiled profiles not written, what was in force stays", next.error());
  auto written = compiled_.write(*next, in_force_ ? &*in_force_ : nullptr);
  if (!written)
    return fail_with("compiled profiles not written, what was in force stays", written.error());
  in_force_ = std::move(*next);
  stamp_ = compiled_.stamp();
  trouble_.clear();
  store_seen_versions(writer_, raise_versions(candidate.profiles, rollback), std::move(stored));
  std::erase_if(profiles_,
                [&](const LoadedProfile& one) { return one.profile.name == loaded.profile.name; });
  profiles_.push_back(std::move(loaded));
  if (amendable_) find_amendable();
  return {};
}

// The file that has this profile already, under whatever name, else a new one.
std::filesystem::path ProfileStore::file_of(const std::string& profile,
                                            const Sources& sources) const {
  if (const LoadedProfile* there = find(profile)) return there->path;
  const Sources same = sources_of_profile(sources, {}, profile);
  return same.profiles.empty() ? places_.profiles() / (profile + ".yaml")
                               : same.profiles.front().path;
}

// What the files would put in force with this text among them.
Result<ProfileStore::Attempt> ProfileStore::attempt(const ApplyRequest& request,
                                                    const std::string& file_name) {
  auto profile = profiles::read_profile(request.yaml, file_name);
  if (!profile) return tl::unexpected<Error>(profile.error());
  if (!is_file_name(profile->name))
    return fail(Code::kInvalidArgument, file_name + ":1:1: the name cannot be a file's name");
  const auto versions = seen();
  if (!versions) return tl::unexpected<Error>(versions.error());
  if (const auto trouble = writer_.problem()) return fail(Code::kFailedPrecondition, *trouble);
  auto sources = read_sources(places_);
  const bool unread = !sources;  // one of the other files, or too many of them
  if (unread) sources = Sources{{}, {}, true, true};
  // Before ours is among them: it does not stand for those that are gone with their directory.
  if (auto there = check_directories(*sources); !there) return tl::unexpected<Error>(there.error());

  Attempt out;
  out.rollback = request.rollback ? profile->name : "";
  out.target = file_of(profile->name, *sources);
  const auto at = std::find_if(sources->profiles.begin(), sources->profiles.end(),
                               [&](const SourceFile& file) { return file.path == out.target; });
  out.same_text = at != sources->profiles.end() && at->text == request.yaml;
  if (at != sources->profiles.end()) {
    at->text = request.yaml;
  } else {
    sources->profiles.push_back({out.target, request.yaml});
    sources->profiles_exist = true;
  }
  auto candidate = make_candidate(*sources, **versions, settings_, policies_read_, out.rollback);
  // A change is judged by what it changes: where others are bad, by itself.
  out.alone = unread || (!candidate && !refused_.empty());
  if (out.alone) {
    PoliciesRead none;
    candidate = make_candidate(sources_of_profile(*sources, out.target, profile->name), **versions,
                               settings_, none, out.rollback);
    if (candidate && in_force_) {
      const auto fits = with_profile(*in_force_, candidate->resolved, profile->name);
      if (!fits)
        return fail(Code::kFailedPrecondition, file_name + ":1:1: " + fits.error().message);
    }
  }
  if (!candidate)
    return fail(Code::kFailedPrecondition,
                as_given(candidate.error().message, out.target, file_name));
  out.profile = std::move(*profile);
  out.sources = std::move(*sources);
  out.candidate = std::move(*candidate);
  return out;
}

Applied ProfileStore::describe(const Attempt& attempt, const SeenVersion& before,
                               const std::string& text) const {
  const profiles::Profile& profile = attempt.profile;
  Applied applied;
  applied.profile = {profile, profiles::digest(profile), attempt.target, text};
  applied.warnings = attempt.candidate.resolved.warnings;
  for (const profiles::Finding& finding : profiles::validate(profile)) {
    if (finding.severity == profiles::Finding::Severity::kWarning)
      applied.warnings.push_back(finding.subject + ": " + finding.message);
  }
  applied.unchanged = attempt.same_text &&
                      before == SeenVersion{profile.version, applied.profile.digest} &&
                      refused_.empty();
  if (before.version == profile.version && !before.digest.empty() &&
      before.digest != applied.profile.digest) {
    applied.warnings.push_back(
        "version " + std::to_string(profile.version) + " of '" + profile.name +
        "' had another content before: a higher version makes it clear which one is meant");
  }
  if (attempt.alone) {
    applied.warnings.push_back(
        "other files of this node are bad, and what they say stays out of force: see `ward "
        "status`");
  }
  return applied;
}

// Where a file is bad, what was good before is in force, and so are its gates.
std::vector<profiles::Policy> ProfileStore::policies_beside(const Attempt& attempt) const {
  if (!attempt.alone) return attempt.candidate.policies;
  return in_force_ ? profiles::gates_in_force(in_force_->index) : std::vector<profiles::Policy>();
}

void ProfileStore::apply(const ApplyRequest& request, std::function<void(Result<Applied>)> done) {
  const std::string file_name = request.file_name.empty() ? "profile" : request.file_name;
  auto tried = attempt(request, file_name);
  if (!tried) return done(tl::unexpected<Error>(tried.error()));
  const SeenVersion before = (*seen_)[tried->profile.name];
  Applied applied = describe(*tried, before, request.yaml);
  // A way back is for an emergency.
  const bool goes_back = request.rollback && tried->profile.version < before.version;
  if (!applied.unchanged && !request.insist && !goes_back) {
    const auto closed = describe_closed_gates(policies_beside(*tried), tried->profile);
    if (!closed.empty()) return done(fail(Code::kFailedPrecondition, closed));
  }
  if (request.dry_run || applied.unchanged) return done(std::move(applied));
  write_down(std::move(*tried), std::move(applied), std::move(done));
}

// The file first, so that what is in force is what it says; brought back where that fails.
void ProfileStore::write_down(Attempt attempt, Applied applied,
                              std::function<void(Result<Applied>)> done) {
  std::error_code error;
  std::filesystem::create_directories(places_.profiles(), error);
  KeptFile kept(attempt.target);
  if (!attempt.same_text) {
    if (auto written = write_file_atomically(attempt.target, applied.profile.text, 0644); !written)
      return done(tl::unexpected<Error>(written.error()));
  }
  had_profiles_ = true;
  if (!attempt.alone) tried_ = attempt.sources.fingerprint() + settings_.SerializeAsString();
  const auto stored = [done, applied = std::move(applied)](const Result<void>& result) {
    if (!result)
      return done(
          fail_with("the profile is in force, but its version was not stored", result.error()));
    done(applied);
  };
  const auto in_force =
      attempt.alone ? put_one_in_force(std::move(attempt.candidate), attempt.rollback, stored)
                    : put_in_force(std::move(attempt.candidate), attempt.rollback, stored);
  if (in_force) return;
  if (!attempt.same_text) kept.bring_back();
  tried_.clear();
  done(tl::unexpected<Error>(in_force.error()));
}

}  // namespace ward::enforcer
