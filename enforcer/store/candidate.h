// SPDX-License-Identifier: Apache-2.0
// What the files would put in force, if all of them are good: the step between text and the
// compiled directory. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "enforcer/store/seen_versions.h"
#include "enforcer/store/sources.h"
#include "profiles/profile.h"
#include "profiles/resolve.h"

namespace ward::enforcer {

struct LoadedProfile {
  profiles::Profile profile;
  std::string digest;
  std::filesystem::path path;
  std::string text;
};

struct Candidate {
  std::vector<LoadedProfile> profiles;
  std::vector<profiles::Policy> policies;
  profiles::Resolved resolved;
};

// What was read from which file and text: a change of one file does not read the others again,
// which takes two seconds for forty files of a thousand rules.
using PoliciesRead = std::map<std::string, profiles::Policy>;

// All or nothing (I9): the error has every complaint, one a line, each as file:line:column: what.
// `rollback` names the one profile that may have a lower version than was seen.
Result<Candidate> make_candidate(const Sources& sources, const SeenVersions& seen,
                                 const node::v1::NodeSettings& settings,
                                 PoliciesRead& policies_read, const std::string& rollback = {});

}  // namespace ward::enforcer
