// SPDX-License-Identifier: Apache-2.0
// One event of the journal as text for a person: a headline and indented details.
#pragma once

#include <string>

#include "cli/present/style.h"
#include "ward/v1/api.pb.h"

namespace ward::cli {

// "unshare(CLONE_NEWUSER|CLONE_NEWNS)", escaped: decoded arguments where there are any, else the
// raw scalars without trailing zeros.
std::string call_text(const ward::v1::Event& event);

std::string event_text(const ward::v1::Event& event, const Style& style);

}  // namespace ward::cli
