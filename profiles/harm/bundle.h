// SPDX-License-Identifier: Apache-2.0
// Signatures by name: the calls of the danger set that a well-known function of the C library
// makes, and what it needs besides, as one. A person signs for the name; what it opens is written
// here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "profiles/profile.h"

namespace ward::profiles {

struct Bundle {
  std::string_view name;      // "getaddrinfo"
  std::string_view too_much;  // a capability with which it would open more; empty: none
  std::string_view why_not;   // what that would be
  std::vector<SyscallEntry> calls;
};

const std::vector<Bundle>& bundles();  // sorted by name
const Bundle* find_bundle(std::string_view name);
std::string bundle_names();  // "getaddrinfo, ..."

// The bundle of which this is a part of the danger set, or null.
const Bundle* bundle_of(std::string_view syscall, const ArgFilters& args);

// A list of signatures in which each name stands for its calls.
std::vector<Accept> without_bundles(const std::vector<Accept>& accept);

}  // namespace ward::profiles
