// SPDX-License-Identifier: Apache-2.0
// Techniques of MITRE ATT&CK that a stopped call may be a step of: constants that the build makes
// of techniques.yaml. A hint for people; nothing decides by it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace ward::profiles {

struct Technique {
  std::string_view id;    // "T1611"
  std::string_view name;  // "Escape to Host"
  std::string_view why;   // what the call has to do with it
};

struct TechniqueRow {
  std::string_view call;
  int index;  // of the argument that decides; -1: none does
  std::uint64_t mask, value;
  bool any_bit;  // of the mask, whatever the value
  Technique technique;
  unsigned row;  // of the file: a call has the techniques of the first that fits
};

std::span<const TechniqueRow> technique_rows();
std::string_view technique_source();  // "MITRE ATT&CK Enterprise, 2025-11"

// Of the first row that fits; empty where none does. An argument that is not there fits no row that
// looks at it.
std::vector<Technique> techniques_of(std::string_view call, std::span<const std::uint64_t> args);

}  // namespace ward::profiles
