// SPDX-License-Identifier: Apache-2.0
// What the JSON formats share. Included by their .cc files only.
#pragma once

#include <string>

#include "enforcer/sinks/event.h"
#include "lib/json/json.h"

namespace ward::enforcer::sinks {

using Json = nlohmann::ordered_json;

// ASCII on one line; bytes that are no UTF-8 become U+FFFD.
inline std::string write(const Json& json) {
  return json.dump(-1, ' ', true, Json::error_handler_t::replace);
}

}  // namespace ward::enforcer::sinks
