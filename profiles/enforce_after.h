// SPDX-License-Identifier: Apache-2.0
// The gate of a policy before mode enforce: how much must have been recorded. It reads what
// generate() wrote into a profile's provenance; a person who edits that, insists.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "profiles/profile.h"
#include "ward/node/v1/compiled.pb.h"

namespace ward::profiles {

// Keys of a provenance that the gate reads.
inline constexpr const char* kRunsKey = "runs";
inline constexpr const char* kRecordedKey = "recordedSeconds";
inline constexpr const char* kNewInARunKey = "newInARunAtMostPercent";

// What the profile's recordings fall short of, a phrase each: "2 runs (5 are asked for)". Empty:
// the gate is open. A profile without these figures falls short of all that is asked for.
std::vector<std::string> shortfalls(const EnforceAfter& asked, const Profile& profile);

std::string describe(const std::vector<std::string>& lacking);  // joined, for people

// Whether the rule's profile, a name or a template, may be the one of that name.
bool may_name(const PolicyRule& rule, const std::string& profile);
bool may_name(std::string_view name_or_template, const std::string& profile);

// Of all rules in mode enforce that may put the profile in force: "policy web, rule 2 asks for more
// before it enforces profile web: 2 runs (5 are asked for)".
std::vector<std::string> closed_gates(const std::vector<Policy>& policies, const Profile& profile);

// For the index, and back: the gates that are in force although their files cannot be read.
node::v1::EnforceAfter to_proto(const EnforceAfter& gate);
std::vector<Policy> gates_in_force(const node::v1::CompiledIndex& index);

}  // namespace ward::profiles
