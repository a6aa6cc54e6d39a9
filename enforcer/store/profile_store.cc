// SPDX-License-Identifier: Apache-2.0
#include "enforcer/store/profile_store.h"

#include <sys/stat.h>

#include <algorithm>
#include <sstream>

#include "lib/base/digest.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "profiles/canonical.h"
#include "profiles/read_yaml.h"

namespace ward::enforcer {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// The reader accepts only names that are safe in a path; that matters enough here to look again.
bool is_file_name(const std::string& name) {
  return !name.empty() && name.size() <= 128 && name.front() != '.' &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
             std::string::npos;
}

// Complaints about the text under the name its author gave it; others are of files that were there before.
std::string as_given(const std::string& message, const std::filesystem::path& target, const std::string& file_name) {
  const std::string prefix = target.string() + ":";
  std::string out;
  bool of_others = false;
  for (const std::string& line : lines_of(message)) {
    const bool of_target = line.compare(0, prefix.size(), prefix) == 0;
    of_others = of_others || !of_target;
    out += (out.empty() ? "" : "\n") + (of_target ? file_name + line.substr(prefix.size() - 1) : line);
  }
  return of_others ? "nothing was applied, because the files on this node do not fit together:\n" + out : out;
}

}  // namespace

ProfileStore::ProfileStore(Places places, Writer& writer, Journal& journal)
    : places_(std::move(places)),
      writer_(writer),
      journal_(journal),
      compiled_(places_.compiled()),
      generation_(compiled_.read_index().generation()) {}

void ProfileStore::set_settings(node::v1::NodeSettings settings) { settings_ = std::move(settings); }

void ProfileStore::keep_settings_in_force() { settings_ = compiled_.read_index().settings(); }

Result<const SeenVersions*> ProfileStore::seen() {
  if (!seen_) {
    // Without it a rollback could not be told: what is in force stays, rather than guessing.
    auto versions = read_seen_versions(places_.database());
    if (!versions) {
      return fail(Code::kFailedPrecondition,
                  "profiles are not read again while the versions seen are not known: " + versions.error().message);
    }
    seen_ = std::move(*versions);
  }
  return &*seen_;
}

// A directory that was there and is gone is a checkout in the middle of being replaced, or a mistake.
Result<void> ProfileStore::check_directories(const Sources& sources) const {
  const auto missing = [](const std::filesystem::path& path) {
    return fail(Code::kInvalidArgument,
                path.string() + ":1:1: the directory is gone: bring it back, or make an empty one to remove all of it");
  };
  if (had_profiles_ && !sources.profiles_exist) return missing(places_.profiles());
  if (had_policies_ && !sources.policies_exist) return missing(places_.policies());
  return {};
}

void ProfileStore::reload() {
  auto sources = read_sources(places_);
  if (!sources) {
    tried_.clear();  // it may be better the next time although nothing changed
    return refuse(sources.error());
  }
  const std::string attempt = sources->fingerprint() + settings_.SerializeAsString();
  if (attempt == tried_) return;
  const auto versions = seen();
  if (!versions) return refuse(versions.error());
  tried_ = attempt;
  if (auto there = check_directories(*sources); !there) return refuse(there.error());
  auto candidate = make_candidate(*sources, **versions, settings_);
  if (!candidate) return refuse(candidate.error());
  had_profiles_ = sources->profiles_exist;
  had_policies_ = sources->policies_exist;
  const auto in_force = put_in_force(std::move(*candidate), "", [](const Result<void>& stored) {
    if (!stored) log::error("versions seen not stored", {{"error", stored.error().message}});
  });
  if (!in_force) {
    tried_.clear();
    refuse(in_force.error());
  }
}

void ProfileStore::refuse(const Error& error) {
  std::vector<std::string> lines = lines_of(error.message);
  if (lines == refused_) return;
  refused_ = std::move(lines);
  log::warn("configuration refused, what was in force stays", {{"why", error.message}});
  JournalEntry event{"rejected", {}};
  event.body.set_reason(error.message);
  journal_.note(std::move(event));
}

Result<void> ProfileStore::put_in_force(Candidate candidate, const std::string& rollback,
                                        std::function<void(Result<void>)> stored) {
  auto changed = compiled_.put_in_force(candidate.resolved);
  if (!changed) return fail_with("compiled profiles not written, what was in force stays", changed.error());
  SeenVersions raised;
  for (const LoadedProfile& loaded : candidate.profiles) {
    const std::string& name = loaded.profile.name;
    const SeenVersion now{loaded.profile.version, loaded.digest};
    const SeenVersion before = (*seen_)[name];
    if (now == before) continue;
    (*seen_)[name] = now;
    raised[name] = now;
    JournalEntry event{"profile-applied", {}};
    event.body.set_profile_name(name);
    event.body.set_profile_digest(loaded.digest);
    event.body.set_outcome(name == rollback ? "rolled back" : before.version == 0 ? "new" : "replaced");
    event.body.set_reason("version " + std::to_string(now.version) + " from " + loaded.path.string());
    journal_.note(std::move(event));
  }
  profiles_ = std::move(candidate.profiles);
  policies_ = candidate.policies.size();
  generation_ = candidate.resolved.index.generation();
  warnings_ = std::move(candidate.resolved.warnings);
  if (!refused_.empty()) log::info("configuration is good again");
  refused_.clear();
  if (*changed) {
    log::info("in force", {{"generation", std::to_string(generation_)},
                           {"profiles", std::to_string(profiles_.size())},
                           {"policies", std::to_string(policies_)}});
  }
  store_seen_versions(writer_, std::move(raised), std::move(stored));
  return {};
}

void ProfileStore::apply(const ApplyRequest& request, std::function<void(Result<Applied>)> done) {
  const auto refuse_with = [&done](const Error& error) { done(tl::unexpected<Error>(error)); };
  const std::string file_name = request.file_name.empty() ? "profile" : request.file_name;
  auto profile = profiles::read_profile(request.yaml, file_name);
  if (!profile) return refuse_with(profile.error());
  if (!is_file_name(profile->name))
    return refuse_with({Code::kInvalidArgument, file_name + ":1:1: the name cannot be a file's name", 0});
  const auto versions = seen();
  if (!versions) return refuse_with(versions.error());
  if (const auto trouble = writer_.problem()) return refuse_with({Code::kUnavailable, *trouble, 0});
  auto sources = read_sources(places_);
  if (!sources) return refuse_with(with_context("nothing was applied, because another file is bad", sources.error()));

  // The file that has this profile already, under whatever name, else a new one.
  std::filesystem::path target = places_.profiles() / (profile->name + ".yaml");
  if (const LoadedProfile* there = find(profile->name)) target = there->path;
  const auto at = std::find_if(sources->profiles.begin(), sources->profiles.end(),
                               [&](const SourceFile& file) { return file.path == target; });
  const bool same_text = at != sources->profiles.end() && at->text == request.yaml;
  if (at != sources->profiles.end()) {
    at->text = request.yaml;
  } else {
    sources->profiles.push_back({target, request.yaml});
    sources->profiles_exist = true;
  }
  if (auto there = check_directories(*sources); !there) return refuse_with(there.error());
  const std::string rollback = request.rollback ? profile->name : "";
  auto candidate = make_candidate(*sources, **versions, settings_, rollback);
  if (!candidate) {
    return refuse_with({Code::kFailedPrecondition, as_given(candidate.error().message, target, file_name), 0});
  }

  Applied applied;
  applied.profile = {*profile, profiles::digest(*profile), target, request.yaml};
  applied.warnings = candidate->resolved.warnings;
  const SeenVersion before = (*seen_)[profile->name];
  applied.unchanged = same_text && before == SeenVersion{profile->version, applied.profile.digest} && refused_.empty();
  if (before.version == profile->version && !before.digest.empty() && before.digest != applied.profile.digest) {
    applied.warnings.push_back("version " + std::to_string(profile->version) + " of '" + profile->name +
                               "' had another content before: a higher version makes it clear which one is meant");
  }
  if (request.dry_run || applied.unchanged) return done(std::move(applied));

  std::error_code error;
  std::filesystem::create_directories(places_.profiles(), error);
  if (!same_text) {
    if (auto written = write_file_atomically(target, request.yaml, 0644); !written) return refuse_with(written.error());
  }
  had_profiles_ = true;
  tried_ = sources->fingerprint() + settings_.SerializeAsString();
  const auto in_force =
      put_in_force(std::move(*candidate), rollback, [done, applied = std::move(applied)](const Result<void>& stored) {
        if (!stored) return done(fail_with("the profile is in force, but its version was not stored", stored.error()));
        done(applied);
      });
  if (!in_force) {
    tried_.clear();
    refuse_with(in_force.error());
  }
}

const LoadedProfile* ProfileStore::find(const std::string& name) const {
  const auto found = std::find_if(profiles_.begin(), profiles_.end(),
                                  [&](const LoadedProfile& loaded) { return loaded.profile.name == name; });
  return found != profiles_.end() ? &*found : nullptr;
}

std::vector<std::string> ProfileStore::problems() const {
  std::vector<std::string> out = refused_;
  if (!refused_.empty()) {
    out.push_back("in force: what was good before, generation " + std::to_string(generation_) + " of the index");
  }
  for (const std::string& warning : warnings_) out.push_back("warning: " + warning);
  return out;
}

std::uint64_t ProfileStore::next_version(const std::string& profile) const {
  std::uint64_t highest = 0;
  if (seen_) {
    if (const auto found = seen_->find(profile); found != seen_->end()) highest = found->second.version;
  }
  if (const LoadedProfile* loaded = find(profile)) highest = std::max(highest, loaded->profile.version);
  return highest + 1;
}

}  // namespace ward::enforcer
