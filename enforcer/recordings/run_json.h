// SPDX-License-Identifier: Apache-2.0
// One run as JSON, the form it is kept in. Reading it back gives the same value; what is damaged is
// an error, never a guess.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/result.h"
#include "profiles/learn/observation.h"

namespace ward::enforcer {

std::string write_run_json(const profiles::Run& run);
Result<profiles::Run> read_run_json(std::string_view text);

}  // namespace ward::enforcer
