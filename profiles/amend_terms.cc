// SPDX-License-Identifier: Apache-2.0
#include "profiles/amend_terms.h"

#include <algorithm>

#include "profiles/enforce_after.h"
#include "profiles/words.h"

namespace ward::profiles {

std::string why_no_amend(const PolicyRule& rule) {
  if (rule.mode != Mode::kSupervise && rule.mode != Mode::kEnforce)
    return "mode " + std::string(mode_name(rule.mode)) +
           " uses no profile that could be amended: remove amend, or set mode: enforce";
  if (rule.amend->containers < kFewestAmendContainers)
    return "amend.containers is at least " + std::to_string(kFewestAmendContainers) +
           ": what one container does says nothing about the others";
  if (rule.amend->over < kShortestAmendTime) return "amend.over is at least 1s";
  return "";
}

bool is_weak(const Amend& amend) {
  return amend.containers < Amend().containers || amend.over < Amend().over;
}

std::vector<AmendRule> amend_rules(const std::vector<Policy>& policies) {
  std::vector<AmendRule> out;
  for (const Policy& policy : policies)
    for (const PolicyRule& rule : policy.rules)
      if (!rule.profile.empty()) out.push_back({rule.profile, rule.amend});
  // Nothing is asked of rules where none amends.
  const bool any =
      std::any_of(out.begin(), out.end(), [](const AmendRule& rule) { return bool(rule.amend); });
  if (!any) out.clear();
  return out;
}

AmendTerms amend_terms(const std::vector<AmendRule>& rules, const std::string& profile) {
  AmendTerms out;
  bool without = false;
  for (const AmendRule& rule : rules) {
    if (!may_name(rule.profile, profile)) continue;
    if (!rule.amend) {
      without = true;
      continue;
    }
    if (!out.amend) out.amend = rule.amend;
    out.amend->containers = std::max(out.amend->containers, rule.amend->containers);
    out.amend->over = std::max(out.amend->over, rule.amend->over);
  }
  out.other = without && out.amend;
  if (without) out.amend.reset();
  return out;
}

}  // namespace ward::profiles
