// SPDX-License-Identifier: Apache-2.0
// How much is seen of the calls that profiles let run without asking, for a person.
#pragma once

#include <cstdint>
#include <string>

#include "cli/present/style.h"
#include "ward/v1/api.pb.h"

namespace ward::cli {

// "watched 0.33 % of the last hour, newest window 12s ago, 14 containers", or since when nothing
// is, and why.
std::string sampling_text(const ward::v1::Sampling& sampling, std::int64_t now_wall_ns,
                          const Style& style);

}  // namespace ward::cli
