// SPDX-License-Identifier: Apache-2.0
#include "enforcer/store/profile_store.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <sstream>

#include "enforcer/store/kept_file.h"
#include "enforcer/store/one_profile.h"
#include "lib/base/digest.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "profiles/canonical.h"
#include "profiles/enforce_after.h"
#include "profiles/filter/record_rule.h"
#include "profiles/validate.h"
#include "profiles/yaml/read_yaml.h"

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
  for (const std::string& line : lines_of(message)) {
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

ProfileStore::ProfileStore(Places places, Writer& writer, Journal& journal)
    : places_(std::move(places)),
      writer_(writer),
      journal_(journal),
      compiled_(places_),
      in_force_(compiled_.read()) {
  // What was in force before a restart is what the files are held against: a directory that is gone
  // meanwhile is missing, not empty.
  if (!in_force_ && !take_over()) {
    remember();
    return;
  }
  had_policies_ = governed();
  // What shims obey, until a wardd.yaml that is good says something else.
  settings_ = in_force_->index.settings();
  had_profiles_ = in_force_->index.profiles_size() > 0;
  std::set<std::string> names;
  for (const auto& rule : in_force_->index.rules()) names.insert(rule.policy());
  policies_ = names.size();
}

// From an older wardd, whose index no shim of this version reads.
bool ProfileStore::take_over() {
  in_force_ = compiled_.read_of_before();
  if (!in_force_) return false;
  log::info("taken over from an older version of wardd",
            {{"generation", std::to_string(in_force_->index.generation())}});
  // At once, whatever the files say: until then nothing starts. look_after_files() tries again.
  const auto written = compiled_.write(*in_force_, nullptr);
  if (!written) trouble_ = written.error().message;
  if (written) stamp_ = compiled_.stamp();
  return true;
}

// Where there is no index that can be read, what else says what there was.
void ProfileStore::remember() {
  had_policies_ = filter::read_governed(places_) != filter::Governed::kNever;
  const auto mark = filter::read_mark(places_);
  // Without a mark: an index of an older version that is damaged, or never a profile.
  had_profiles_ = mark ? mark->had_profiles : had_policies_;
  if (!mark) return;
  settings_.set_runtime_binary(mark->runtime_binary);
  settings_.set_open_when_ungoverned(mark->how == filter::Governed::kOpen);
}

void ProfileStore::set_settings(node::v1::NodeSettings settings) {
  settings_ = std::move(settings);
}

Result<const SeenVersions*> ProfileStore::seen() {
  if (!seen_) {
    // Without it a rollback could not be told: what is in force stays, rather than guessing.
    auto versions = read_seen_versions(places_.database());
    if (!versions) {
      return fail(Code::kFailedPrecondition,
                  "profiles are not read again while the versions seen are not known: " +
                      versions.error().message);
    }
    seen_ = std::move(*versions);
  }
  return &*seen_;
}

// A directory that was there and is gone is a checkout in the middle of being replaced, or a
// mistake.
Result<void> ProfileStore::check_directories(const Sources& sources) const {
  const auto missing = [](const std::filesystem::path& path) {
    return fail(
        Code::kInvalidArgument,
        path.string() +
            ":1:1: the directory is gone: bring it back, or make an empty one to remove all of it");
  };
  // A profile whose version was seen was in force, also where neither index nor mark is left to say
  // so.
  const bool had_profiles = had_profiles_ || (!in_force_ && seen_ && !seen_->empty());
  if (had_profiles && !sources.profiles_exist) return missing(places_.profiles());
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
  auto candidate = make_candidate(*sources, **versions, settings_, policies_read_);
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
  JournalEntry event{EventKind::kRejected, {}};
  event.body.set_reason(error.message);
  journal_.note(std::move(event));
}

Result<void> ProfileStore::put_in_force(Candidate candidate, const std::string& rollback,
                                        std::function<void(Result<void>)> stored) {
  const std::uint64_t generation = in_force_ ? in_force_->index.generation() : 0;
  candidate.resolved.index.set_generation(generation);
  if (in_force_) *candidate.resolved.index.mutable_records() = in_force_->index.records();
  const bool same = in_force_ && candidate.resolved.index.SerializeAsString() ==
                                     in_force_->index.SerializeAsString();
  std::vector<std::string> warnings = std::move(candidate.resolved.warnings);
  auto next = make_in_force(std::move(candidate.resolved), generation + (same ? 0 : 1));
  if (!next)
    return fail_with("compiled profiles not written, what was in force stays", next.error());
  auto written = compiled_.write(*next, in_force_ ? &*in_force_ : nullptr);
  if (!written)
    return fail_with("compiled profiles not written, what was in force stays", written.error());
  if (governed() && next->index.rules_size() == 0) {
    notices_.push_back(
        "no policy is in force any more: there is none in " + places_.policies().string() +
        ", and " + std::to_string(in_force_->index.rules_size()) + " rules were in force before");
    log::warn("policies", {{"note", notices_.back()}});
    JournalEntry event{EventKind::kPoliciesRemoved, {}};
    event.body.set_reason(notices_.back());
    journal_.note(std::move(event));
  }
  in_force_ = std::move(*next);
  if (same && !written->empty()) tell_written(*written);
  stamp_ = compiled_.stamp();
  trouble_.clear();
  SeenVersions raised = raise_versions(candidate.profiles, rollback);
  profiles_ = std::move(candidate.profiles);
  policies_ = candidate.policies.size();
  warnings_ = std::move(warnings);
  if (!refused_.empty()) log::info("configuration is good again");
  refused_.clear();
  if (!same) {
    log::info("in force", {{"generation", std::to_string(in_force_->index.generation())},
                           {"profiles", std::to_string(profiles_.size())},
                           {"policies", std::to_string(policies_)}});
  }
  store_seen_versions(writer_, std::move(raised), std::move(stored));
  return {};
}

SeenVersions ProfileStore::raise_versions(const std::vector<LoadedProfile>& profiles,
                                          const std::string& rollback) {
  SeenVersions raised;
  for (const LoadedProfile& loaded : profiles) {
    const std::string& name = loaded.profile.name;
    const SeenVersion now{loaded.profile.version, loaded.digest};
    const SeenVersion before = (*seen_)[name];
    if (now == before) continue;
    (*seen_)[name] = now;
    raised[name] = now;
    JournalEntry event{EventKind::kProfileApplied, {}};
    event.body.set_profile_name(name);
    event.body.set_profile_digest(loaded.digest);
    event.body.set_outcome(name == rollback      ? "rolled back"
                           : before.version == 0 ? "new"
                                                 : "replaced");
    event.body.set_reason("version " + std::to_string(now.version) + " from " +
                          loaded.path.string());
    journal_.note(std::move(event));
  }
  return raised;
}

// Other files are bad, and what they say stays out; this one is good, and what is in force takes
// it.
Result<void> ProfileStore::put_one_in_force(Candidate candidate, const std::string& rollback,
                                            std::function<void(Result<void>)> stored) {
  LoadedProfile& loaded = candidate.profiles.front();
  auto resolved = in_force_ ? with_profile(*in_force_, candidate.resolved, loaded.profile.name)
                            : Result<profiles::Resolved>(std::move(candidate.resolved));
  if (!resolved) return tl::unexpected<Error>(resolved.error());
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
  return {};
}

void ProfileStore::apply(const ApplyRequest& request, std::function<void(Result<Applied>)> done) {
  const auto refuse_with = [&done](const Error& error) { done(tl::unexpected<Error>(error)); };
  const std::string file_name = request.file_name.empty() ? "profile" : request.file_name;
  auto profile = profiles::read_profile(request.yaml, file_name);
  if (!profile) return refuse_with(profile.error());
  if (!is_file_name(profile->name))
    return refuse_with(
        {Code::kInvalidArgument, file_name + ":1:1: the name cannot be a file's name", 0});
  const auto versions = seen();
  if (!versions) return refuse_with(versions.error());
  if (const auto trouble = writer_.problem())
    return refuse_with({Code::kFailedPrecondition, *trouble, 0});
  auto sources = read_sources(places_);
  const bool unread = !sources;  // one of the other files, or too many of them
  if (unread) sources = Sources{{}, {}, true, true};
  // Before ours is among them: it does not stand for those that are gone with their directory.
  if (auto there = check_directories(*sources); !there) return refuse_with(there.error());

  // The file that has this profile already, under whatever name, else a new one.
  std::filesystem::path target = places_.profiles() / (profile->name + ".yaml");
  if (const LoadedProfile* there = find(profile->name)) {
    target = there->path;
  } else if (const Sources same = sources_of_profile(*sources, {}, profile->name);
             !same.profiles.empty()) {
    target = same.profiles.front().path;
  }
  const auto at = std::find_if(sources->profiles.begin(), sources->profiles.end(),
                               [&](const SourceFile& file) { return file.path == target; });
  const bool same_text = at != sources->profiles.end() && at->text == request.yaml;
  if (at != sources->profiles.end()) {
    at->text = request.yaml;
  } else {
    sources->profiles.push_back({target, request.yaml});
    sources->profiles_exist = true;
  }
  const std::string rollback = request.rollback ? profile->name : "";
  auto candidate = make_candidate(*sources, **versions, settings_, policies_read_, rollback);
  // A change is judged by what it changes: where others are bad, by itself.
  const bool alone = unread || (!candidate && !refused_.empty());
  if (alone) {
    PoliciesRead none;
    candidate = make_candidate(sources_of_profile(*sources, target, profile->name), **versions,
                               settings_, none, rollback);
    if (candidate && in_force_) {
      const auto fits = with_profile(*in_force_, candidate->resolved, profile->name);
      if (!fits)
        return refuse_with(
            {Code::kFailedPrecondition, file_name + ":1:1: " + fits.error().message, 0});
    }
  }
  if (!candidate) {
    return refuse_with(
        {Code::kFailedPrecondition, as_given(candidate.error().message, target, file_name), 0});
  }

  Applied applied;
  applied.profile = {*profile, profiles::digest(*profile), target, request.yaml};
  applied.warnings = candidate->resolved.warnings;
  for (const profiles::Finding& finding : profiles::validate(*profile)) {
    if (finding.severity == profiles::Finding::Severity::kWarning)
      applied.warnings.push_back(finding.subject + ": " + finding.message);
  }
  const SeenVersion before = (*seen_)[profile->name];
  applied.unchanged = same_text &&
                      before == SeenVersion{profile->version, applied.profile.digest} &&
                      refused_.empty();
  if (before.version == profile->version && !before.digest.empty() &&
      before.digest != applied.profile.digest) {
    applied.warnings.push_back(
        "version " + std::to_string(profile->version) + " of '" + profile->name +
        "' had another content before: a higher version makes it clear which one is meant");
  }
  if (alone) {
    applied.warnings.push_back(
        "other files of this node are bad, and what they say stays out of force: see `ward "
        "status`");
  }
  // A way back is for an emergency. Where a file is bad, what was good before is in force, and so
  // are its gates.
  const bool goes_back = request.rollback && profile->version < before.version;
  if (!applied.unchanged && !request.insist && !goes_back) {
    const auto closed =
        describe_closed_gates(!alone      ? candidate->policies
                              : in_force_ ? profiles::gates_in_force(in_force_->index)
                                          : std::vector<profiles::Policy>(),
                              *profile);
    if (!closed.empty()) return refuse_with({Code::kFailedPrecondition, closed, 0});
  }
  if (request.dry_run || applied.unchanged) return done(std::move(applied));

  std::error_code error;
  std::filesystem::create_directories(places_.profiles(), error);
  KeptFile kept(target);
  if (!same_text) {
    if (auto written = write_file_atomically(target, request.yaml, 0644); !written)
      return refuse_with(written.error());
  }
  had_profiles_ = true;
  if (!alone) tried_ = sources->fingerprint() + settings_.SerializeAsString();
  const auto stored = [done, applied = std::move(applied)](const Result<void>& result) {
    if (!result)
      return done(
          fail_with("the profile is in force, but its version was not stored", result.error()));
    done(applied);
  };
  const auto in_force = alone ? put_one_in_force(std::move(*candidate), rollback, stored)
                              : put_in_force(std::move(*candidate), rollback, stored);
  if (!in_force) {
    if (!same_text) kept.bring_back();
    tried_.clear();
    refuse_with(in_force.error());
  }
}

// Not through the files: what policies say stays as it is.
Result<void> ProfileStore::rewrite_records(
    google::protobuf::RepeatedPtrField<node::v1::RecordRule> records) {
  profiles::Resolved same;
  same.index = in_force_->index;
  same.files = in_force_->files;
  *same.index.mutable_records() = std::move(records);
  auto next = make_in_force(std::move(same), in_force_->index.generation() + 1);
  if (!next) return tl::unexpected<Error>(next.error());
  if (auto written = compiled_.write(*next, nullptr); !written)
    return fail_with("compiled index", written.error());
  in_force_ = std::move(*next);
  stamp_ = compiled_.stamp();
  return {};
}

Result<bool> ProfileStore::put_record(const node::v1::RecordRule& rule) {
  if (!in_force_)
    return fail(Code::kFailedPrecondition,
                "nothing is in force on this node, so no container would be told: `ward status` "
                "says why");
  auto records = in_force_->index.records();
  const auto there = std::find_if(records.begin(), records.end(),
                                  [&](const auto& record) { return record.id() == rule.id(); });
  if (there == records.end() && static_cast<std::size_t>(records.size()) >= filter::kMaxRecordRules)
    return fail(Code::kResourceExhausted,
                std::to_string(records.size()) + " recordings are asked for already");
  if (there != records.end() && there->SerializeAsString() == rule.SerializeAsString())
    return false;
  (there == records.end() ? *records.Add() : *there) = rule;
  if (auto written = rewrite_records(std::move(records)); !written)
    return tl::unexpected<Error>(written.error());
  return true;
}

Result<void> ProfileStore::drop_record(const std::string& id) {
  if (!in_force_) return {};
  auto records = in_force_->index.records();
  const auto gone = std::remove_if(records.begin(), records.end(),
                                   [&](const auto& record) { return record.id() == id; });
  if (gone == records.end()) return {};
  records.erase(gone, records.end());
  return rewrite_records(std::move(records));
}

void ProfileStore::end_records(std::int64_t now_wall_ns) {
  if (!in_force_) return;
  std::vector<std::string> over;
  for (const auto& record : in_force_->index.records())
    if (record.until_wall_ns() <= now_wall_ns) over.push_back(record.id());
  for (const std::string& id : over) {
    // No shim obeys it any more. What is not written now is tried again.
    if (auto dropped = drop_record(id); !dropped)
      return log::warn("a recording that is over stays in the index",
                       {{"error", dropped.error().message}});
  }
}

const LoadedProfile* ProfileStore::find(const std::string& name) const {
  const auto found =
      std::find_if(profiles_.begin(), profiles_.end(),
                   [&](const LoadedProfile& loaded) { return loaded.profile.name == name; });
  return found != profiles_.end() ? &*found : nullptr;
}

// What is there after all is not looked at again before somebody touches it; what cannot be written
// is tried again.
void ProfileStore::look_after_files(bool thorough) {
  if (!in_force_) return;
  if (!thorough && trouble_.empty() && compiled_.stamp() == stamp_) return;
  const auto written = compiled_.write(*in_force_, nullptr);
  if (!written) {
    if (trouble_ != written.error().message) {
      log::error("compiled files cannot be written again", {{"error", written.error().message}});
    }
    trouble_ = written.error().message;
    return;
  }
  trouble_.clear();
  stamp_ = compiled_.stamp();
  if (!written->empty()) tell_written(*written);
}

void ProfileStore::tell_written(const std::vector<std::string>& written) {
  std::string what;
  for (const std::string& part : written) what += (what.empty() ? "" : ", ") + part;
  const std::string said = "was gone or damaged and is written again: " + what;
  log::warn("compiled files", {{"note", said}});
  JournalEntry event{EventKind::kCompiledAgain, {}};
  event.body.set_reason(said);
  journal_.note(std::move(event));
  if (std::find(notices_.begin(), notices_.end(), said) == notices_.end()) notices_.push_back(said);
}

std::uint64_t ProfileStore::generation() const {
  const auto index = compiled_.open_index();
  return index ? index->generation() : 0;
}

std::map<std::string, ProfileVersion> ProfileStore::versions() const {
  std::map<std::string, ProfileVersion> out;
  if (!in_force_) return out;
  for (const auto& ref : in_force_->index.profiles())
    out[ref.name()] = {ref.digest(), ref.compiled_sha256(), 0};
  for (const LoadedProfile& loaded : profiles_) {
    const auto found = out.find(loaded.profile.name);
    if (found != out.end()) found->second.number = loaded.profile.version;
  }
  return out;
}

std::size_t ProfileStore::profiles_in_force() const {
  return in_force_ ? static_cast<std::size_t>(in_force_->index.profiles_size()) : 0;
}

std::string ProfileStore::read_back() const {
  const auto index = compiled_.open_index();
  if (index && in_force_ && index->generation() != in_force_->index.generation()) {
    return "the index on disk is of generation " + std::to_string(index->generation()) + ", not " +
           std::to_string(in_force_->index.generation());
  }
  if (index) return "";
  const int number = index.error().sys_errno;
  if (number == EMFILE || number == ENFILE) return "";  // ours; a shim has descriptors of its own
  if (index.error().code != Code::kNotFound)
    return index.error().message + ": new containers are refused";
  const auto governed = filter::read_governed(places_);
  if (governed == filter::Governed::kNever) return in_force_ ? "the compiled index is gone" : "";
  return std::string("the compiled index is gone: new containers ") +
         (governed == filter::Governed::kOpen ? "run without a policy (whenUngoverned: open)"
                                              : "are refused");
}

std::vector<std::string> ProfileStore::problems() const {
  std::vector<std::string> out = refused_;
  if (!trouble_.empty()) out.push_back("compiled files cannot be written: " + trouble_);
  const std::string unread = read_back();
  if (!unread.empty()) {
    out.push_back("not in force: " + unread);
  } else if (!refused_.empty()) {
    out.push_back(in_force_ ? "in force: what was good before, generation " +
                                  std::to_string(in_force_->index.generation()) + " of the index"
                            : "in force: nothing, because nothing was good so far: containers run "
                              "without a policy");
  }
  for (const auto* list : {&warnings_, &notices_}) {
    for (const std::string& warning : *list) out.push_back("warning: " + warning);
  }
  return out;
}

std::string ProfileStore::ungoverned(filter::IndexReader& index,
                                     const node::v1::ContainerStatus& container) {
  if (container.mode() != node::v1::MODE_OFF || !container.policy().empty() || index.rules() == 0)
    return "";
  // The shim did not even ask who it is where the node had no policy.
  if (container.identity().container_name().empty()) {
    return "ungoverned: started where no policy could be read, or before there was one; start it "
           "again";
  }
  const auto governing = index.find_governing(container.identity());
  if (!governing || !governing->rule || governing->rule->mode() <= node::v1::MODE_OFF) return "";
  return "ungoverned: policy '" + governing->rule->policy() +
         "' selects it now, and it started without";
}

std::uint64_t ProfileStore::next_version(const std::string& profile) const {
  std::uint64_t highest = 0;
  if (seen_) {
    if (const auto found = seen_->find(profile); found != seen_->end())
      highest = found->second.version;
  }
  if (const LoadedProfile* loaded = find(profile))
    highest = std::max(highest, loaded->profile.version);
  return highest + 1;
}

}  // namespace ward::enforcer
