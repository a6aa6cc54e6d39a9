// SPDX-License-Identifier: Apache-2.0
// Which profiles and policies are in force on this node: follows the files in <config>, and keeps <state>/compiled
// equal to the last set of files that was good as a whole (I9). Core loop only.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "enforcer/journal/journal.h"
#include "enforcer/store/candidate.h"
#include "enforcer/store/compiled_directory.h"
#include "lib/base/places.h"

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
};

class ProfileStore {
 public:
  ProfileStore(Places places, Writer& writer, Journal& journal);

  // Reads everything again and puts it in force if all of it is good; cheap where nothing changed.
  void reload();
  void look_again() { tried_.clear(); }  // the next reload() checks what it wrote even where no file has changed
  void set_settings(node::v1::NodeSettings settings);  // takes effect with the next reload()
  void keep_settings_in_force();                       // those of the index, where there is one

  // Checks, writes <config>/profiles/<name>.yaml (or the file that has the profile already) and recompiles; `done` when
  // a container started from now on is governed by it. Nothing is changed on an error.
  void apply(const ApplyRequest& request, std::function<void(Result<Applied>)> done);

  [[nodiscard]] const std::vector<LoadedProfile>& profiles() const { return profiles_; }
  [[nodiscard]] const LoadedProfile* find(const std::string& name) const;
  [[nodiscard]] std::size_t policies() const { return policies_; }
  [[nodiscard]] std::uint64_t generation() const { return generation_; }
  [[nodiscard]] std::vector<std::string> problems() const;
  [[nodiscard]] std::uint64_t next_version(const std::string& profile) const;

  void collect_garbage(const std::set<std::string>& digests_in_use) { compiled_.collect_garbage(digests_in_use); }

 private:
  Result<const SeenVersions*> seen();
  Result<void> put_in_force(Candidate candidate, const std::string& rollback, std::function<void(Result<void>)> stored);
  void refuse(const Error& error);
  Result<void> check_directories(const Sources& sources) const;

  const Places places_;
  Writer& writer_;
  Journal& journal_;
  CompiledDirectory compiled_;
  node::v1::NodeSettings settings_;
  std::optional<SeenVersions> seen_;
  std::string tried_;  // fingerprint of the files and settings of the last attempt
  bool had_profiles_ = false;
  bool had_policies_ = false;
  std::vector<LoadedProfile> profiles_;
  std::size_t policies_ = 0;
  std::uint64_t generation_ = 0;
  std::vector<std::string> refused_;  // lines
  std::vector<std::string> warnings_;
};

}  // namespace ward::enforcer
