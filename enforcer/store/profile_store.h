// SPDX-License-Identifier: Apache-2.0
// Which profiles and policies are in force on this node: follows the files in <config>, and keeps
// <state>/compiled equal to the last set of files that was good as a whole (I9). Core loop only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "enforcer/journal/journal.h"
#include "enforcer/store/candidate.h"
#include "enforcer/store/compiled_directory.h"
#include "enforcer/store/profile_version.h"
#include "lib/base/places.h"
#include "profiles/amend_terms.h"
#include "profiles/learn/amend.h"
#include "profiles/overlay.h"
#include "ward/node/v1/node.pb.h"

namespace ward::enforcer {

struct Applied {
  LoadedProfile profile;
  bool unchanged = false;
  std::vector<std::string> warnings;
};

struct ApplyRequest {
  std::string yaml;
  std::string file_name;  // as the person named it
  bool rollback = false;
  bool dry_run = false;
  bool insist = false;  // although a policy asks for more before it enforces
};

class ProfileStore {
 public:
  ProfileStore(Places places, Writer& writer, Journal& journal);

  // Reads everything again and puts it in force if all of it is good; cheap where nothing changed.
  void reload();
  // A person asks: the next reload() checks what it wrote even where no file has changed, and what
  // was told is told. The files were good, or could not be read, and something else failed: the
  // next reload() may succeed.
  [[nodiscard]] bool must_try_again() const { return tried_.empty() && !refused_.empty(); }
  void look_again() {
    tried_.clear();
    notices_.clear();
  }
  // Takes effect with the next reload(). Until it is called, the settings are those in force
  // before.
  void set_settings(node::v1::NodeSettings settings);

  // Checks, writes <config>/profiles/<name>.yaml (or the file that has the profile already) and
  // recompiles; `done` when a container started from now on is governed by it. Nothing is changed
  // on an error.
  void apply(const ApplyRequest& request, std::function<void(Result<Applied>)> done);

  [[nodiscard]] const std::vector<LoadedProfile>& profiles() const { return profiles_; }
  [[nodiscard]] const LoadedProfile* find(const std::string& name) const;
  [[nodiscard]] std::size_t profiles_in_force() const;
  // Of every profile that shims read now, by its name.
  [[nodiscard]] std::map<std::string, ProfileVersion> versions() const;
  [[nodiscard]] std::size_t policies() const { return policies_; }
  [[nodiscard]] std::uint64_t generation()
      const;  // of the index as a shim reads it now; 0: it reads none
  [[nodiscard]] std::vector<std::string> problems() const;
  [[nodiscard]] std::uint64_t next_version(const std::string& profile) const;

  // Compares what shims would read with what is in force, and writes again what is gone or damaged.
  // To be called every moment: where nothing was touched it is a few stats. `thorough` reads every
  // file.
  void look_after_files(bool thorough);

  // What of a policy reaches this container now, for people; empty where it is governed, or nothing
  // would govern it. `index` is that of open_index(): one for many containers.
  [[nodiscard]] Result<filter::IndexReader> open_index() const { return compiled_.open_index(); }
  static std::string ungoverned(filter::IndexReader& index,
                                const node::v1::ContainerStatus& container);

  [[nodiscard]] bool governed() const { return in_force_ && in_force_->index.rules_size() > 0; }

  // A person asks for recordings until a time, or for longer: in the index when it returns, behind
  // all that policies say. kResourceExhausted beyond filter::kMaxRecordRules, kFailedPrecondition
  // where nothing is in force yet. False: the index said so already.
  Result<bool> put_record(const node::v1::RecordRule& rule);
  Result<void> drop_record(const std::string& id);
  void end_records(std::int64_t now_wall_ns);  // those whose time has passed

  // A storm guard is in force for a workload until a time, or for longer: in the index when it
  // returns. kResourceExhausted beyond kMaxCalmed. end_calmed() names those whose time has passed.
  static constexpr std::size_t kMaxCalmed = 64;  // every start reads all of them
  Result<void> put_calmed(const node::v1::Calmed& calmed);
  std::vector<std::string> end_calmed(std::int64_t now_wall_ns);
  [[nodiscard]] std::vector<node::v1::Calmed> calmed() const;  // also those that are over
  // What this node lets run besides its profiles. At start, before anything is read: what the files
  // in force have already.
  void expect_overlays(profiles::Overlays overlays) { overlays_ = std::move(overlays); }
  // In force when it returns, for containers that start from now on; nothing where it is already.
  // What it cannot do now is tried again by the caller.
  Result<void> set_overlays(profiles::Overlays overlays);
  // What policies amend, of the profiles in force. Absent: no policy could be read since the start.
  [[nodiscard]] const std::optional<profiles::Amendables>& amendable() const { return amendable_; }

  void collect_garbage(const std::set<std::string>& digests_in_use) {
    compiled_.collect_garbage(digests_in_use);
  }

 private:
  bool take_over();
  void remember();
  Result<const SeenVersions*> seen();
  Result<void> put_in_force(Candidate candidate, const std::string& rollback,
                            std::function<void(Result<void>)> stored);

  // The steps of apply().
  struct Attempt;
  Result<Attempt> attempt(const ApplyRequest& request, const std::string& file_name);
  [[nodiscard]] std::filesystem::path file_of(const std::string& profile,
                                              const Sources& sources) const;
  [[nodiscard]] Applied describe(const Attempt& attempt, const SeenVersion& before,
                                 const std::string& text) const;
  [[nodiscard]] std::vector<profiles::Policy> policies_beside(const Attempt& attempt) const;
  void write_down(Attempt attempt, Applied applied, std::function<void(Result<Applied>)> done);
  Result<void> put_one_in_force(Candidate candidate, const std::string& rollback,
                                std::function<void(Result<void>)> stored);

  // Those that differ from what was seen, each with its event.
  SeenVersions raise_versions(const std::vector<LoadedProfile>& profiles,
                              const std::string& rollback);
  void refuse(const Error& error);
  void find_amendable();
  Result<void> check_directories(const Sources& sources) const;
  // What policies do not say: the same files, and a head of the index that says something else.
  Result<void> rewrite_index(const std::function<void(node::v1::CompiledIndex&)>& change);
  void tell_written(const std::vector<std::string>& written);
  [[nodiscard]] std::string read_back()
      const;  // why shims do not read what is in force; empty: they do

  const Places places_;
  Writer& writer_;
  Journal& journal_;
  CompiledDirectory compiled_;
  std::optional<InForce>
      in_force_;  // the last good one, also over a restart; none: there was none, or it is damaged
  node::v1::NodeSettings settings_;
  std::optional<SeenVersions> seen_;
  std::string tried_;  // fingerprint of the files and settings of the last attempt
  PoliciesRead policies_read_;
  bool had_profiles_ = false;
  bool had_policies_ = false;
  std::vector<LoadedProfile> profiles_;
  std::size_t policies_ = 0;
  profiles::Overlays overlays_;
  std::vector<profiles::AmendRule> amend_rules_;  // of the last good policies
  std::optional<profiles::Amendables> amendable_;
  std::string stamp_;                 // of the compiled files when they were as they should be
  std::string trouble_;               // why they are not
  std::vector<std::string> refused_;  // lines
  std::vector<std::string> warnings_;
  std::vector<std::string>
      notices_;  // what happened to the files, until a person has asked (look_again)
};

}  // namespace ward::enforcer
