// SPDX-License-Identifier: Apache-2.0
// How much harm a call can do that nobody has learned: the four words that classes.yaml, postures
// and output share. docs/harm-classes.md says what each means.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace ward::profiles {

enum class HarmClass : std::uint8_t { kSelf, kHeld, kReach, kDanger };  // mild to strict

std::string_view harm_class_name(HarmClass harm);         // "held"
const std::vector<std::string_view>& harm_class_names();  // in the order of the enumeration

}  // namespace ward::profiles
