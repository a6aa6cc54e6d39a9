// SPDX-License-Identifier: Apache-2.0
#include "enforcer/store/profile_store.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <sstream>

#include "lib/base/log.h"

namespace ward::enforcer {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
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
  if (in_force_) {
    *candidate.resolved.index.mutable_records() = in_force_->index.records();
    *candidate.resolved.index.mutable_calmed() = in_force_->index.calmed();
  }
  if (auto laid = profiles::change_overlays(candidate.resolved, {}, overlays_); !laid)
    return fail_with("amendments of this node", laid.error());
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
  amend_rules_ = profiles::amend_rules(candidate.policies);
  find_amendable();
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
