// SPDX-License-Identifier: Apache-2.0
// One event of the journal as text for a person: a headline and indented details.
#pragma once

#include <string>

#include "cli/present/style.h"
#include "ward/v1/api.pb.h"

namespace ward::cli {

std::string event_text(const ward::v1::Event& event, const Style& style);

}  // namespace ward::cli
