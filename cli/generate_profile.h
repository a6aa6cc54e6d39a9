// SPDX-License-Identifier: Apache-2.0
// The profile of a recorded workload, asked of wardd, written where a person wants it, and told of.
// Used by `profile generate` and `record`, which `doing` names in errors.
#pragma once

#include <string>

#include "cli/session.h"

namespace ward::cli {

// A device, a pipe or an empty file has nothing to lose.
bool is_in_the_way(const std::string& output);
int refuse_to_overwrite(Session& session, const std::string& doing, const std::string& output);

// To standard output where `output` is empty. Gives the exit code.
int generate_profile(Session& session, const std::string& doing,
                     const ward::v1::GenerateProfileRequest& request, const std::string& output);

}  // namespace ward::cli
