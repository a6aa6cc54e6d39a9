// SPDX-License-Identifier: Apache-2.0
// A recording as text for a person: what was seen, and what is probably still unseen.
#pragma once

#include <string>

#include "cli/present/style.h"
#include "ward/v1/api.pb.h"

namespace ward::cli {

std::string recording_text(const ward::v1::Recording& recording, const Style& style);

}  // namespace ward::cli
