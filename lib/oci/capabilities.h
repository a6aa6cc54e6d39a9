// SPDX-License-Identifier: Apache-2.0
// Capability names and the five sets of process.capabilities in config.json.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ward::oci {

using CapabilitySet = std::vector<std::string>;  // "CAP_CHOWN", sorted, unique

struct Capabilities {
  CapabilitySet bounding, effective, inheritable, permitted, ambient;
  bool operator==(const Capabilities&) const = default;
};

std::optional<int> find_capability(std::string_view name);  // "CAP_CHOWN" -> 0
std::optional<std::string> find_capability_name(int number);
// " (did you mean 'CAP_CHOWN'?)", or what to write instead of it; empty where nothing is near.
std::string hint_for_capability(std::string_view misspelt);

// All five sets are cut down to `allowed` (I2); none ever grows.
Capabilities intersect(const Capabilities& asked, const CapabilitySet& allowed);

}  // namespace ward::oci
