// SPDX-License-Identifier: Apache-2.0
// JSON that a verb puts together itself, written as to_json() writes messages.
#pragma once

#include <string>

#include "cli/present/json.h"
#include "lib/json/json.h"

namespace ward::cli {

std::string json_text(const nlohmann::ordered_json& document, JsonForm form = JsonForm::kPretty);

}  // namespace ward::cli
