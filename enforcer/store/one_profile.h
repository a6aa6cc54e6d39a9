// SPDX-License-Identifier: Apache-2.0
// A profile that is applied while other files of the node are bad: a change is judged by what it
// changes. Values only.
#pragma once

#include <string>

#include "enforcer/store/compiled_directory.h"
#include "enforcer/store/sources.h"

namespace ward::enforcer {

// The files that have to do with this profile: `target`, and others that have it under the same
// name.
Sources sources_of_profile(const Sources& all, const std::filesystem::path& target,
                           const std::string& name);

// What is in force, with that profile in it; `alone` is what it resolves to without any policy.
// kFailedPrecondition where its reaction changes and a rule names it: which reactions are the
// policy's own, only the policy's file says.
Result<profiles::Resolved> with_profile(const InForce& in_force, const profiles::Resolved& alone,
                                        const std::string& name);

}  // namespace ward::enforcer
