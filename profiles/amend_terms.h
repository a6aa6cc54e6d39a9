// SPDX-License-Identifier: Apache-2.0
// What policies ask for before a node lets run more of itself (`amend: auto`), profile by profile.
// Values in, values out; what is then let run is learn/amend.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "profiles/profile.h"

namespace ward::profiles {

inline constexpr std::uint32_t kFewestAmendContainers = 2;
inline constexpr std::chrono::seconds kShortestAmendTime{1};

// Empty where the rule may ask for that.
std::string why_no_amend(const PolicyRule& rule);
// Less than the defaults: said, and taken.
bool is_weak(const Amend& amend);

// Of a rule that has a profile: its name or template, and whether it amends.
struct AmendRule {
  std::string profile;
  std::optional<Amend> amend;
};
std::vector<AmendRule> amend_rules(const std::vector<Policy>& policies);

// For one profile: the most that any rule asks for. Absent where a rule that may name it does not
// amend, for its containers run under the same profile; then, and only then, `other` says so.
struct AmendTerms {
  std::optional<Amend> amend;
  bool other = false;  // one rule amends, and another that may name the profile does not
};
AmendTerms amend_terms(const std::vector<AmendRule>& rules, const std::string& profile);

}  // namespace ward::profiles
