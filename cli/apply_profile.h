// SPDX-License-Identifier: Apache-2.0
// Putting a profile in force, for the verbs that do.
#pragma once

#include <optional>
#include <string>

#include "cli/session.h"
#include "ward/v1/api.pb.h"

namespace ward::cli {

// Nothing: it was refused, the session has been told for `verb`, and `exit_code` is set.
std::optional<ward::v1::ApplyProfileResponse> apply_profile(
    Session& session, const ward::v1::ApplyProfileRequest& request, const std::string& verb,
    int& exit_code);

// "profile web version 2 is in force for new containers: 93 syscalls, ..."
std::string applied_text(const ward::v1::ApplyProfileResponse& response, bool dry_run);

// What it means for containers that run under another version; empty where there are none.
std::string running_text(const ward::v1::ApplyProfileResponse& response);

}  // namespace ward::cli
