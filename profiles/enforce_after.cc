// SPDX-License-Identifier: Apache-2.0
#include "profiles/enforce_after.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "profiles/filter/selector.h"
#include "profiles/filter/terms.h"
#include "profiles/yaml/yaml_fields.h"

namespace ward::profiles {
namespace {

std::optional<std::uint64_t> figure(const Profile& profile, const char* key) {
  const auto found = profile.provenance.find(key);
  if (found == profile.provenance.end()) return std::nullopt;
  std::uint64_t value = 0;
  const char* const end = found->second.data() + found->second.size();
  const auto [rest, error] = std::from_chars(found->second.data(), end, value);
  if (error != std::errc() || rest != end) return std::nullopt;
  return value;
}

// A template's places stand for any text: only what is around them has to fit. Behind the last
// place nothing is compared, for a long name ends in a digest.
bool fits(std::string_view pattern, std::string_view text) {
  const std::size_t last = pattern.rfind('}');
  if (last == std::string_view::npos) return pattern == text;
  std::string glob;
  for (std::size_t at = 0; at <= last;) {
    const std::size_t open = std::min(pattern.find('{', at), last);
    glob += std::string(pattern.substr(at, open - at)) + "*";
    at = std::min(pattern.find('}', open), last) + 1;
  }
  return filter::glob_matches(glob, text);
}

}  // namespace

std::vector<std::string> shortfalls(const EnforceAfter& asked, const Profile& profile) {
  std::vector<std::string> out;
  const auto runs = figure(profile, kRunsKey);
  if (asked.runs > 0 && runs.value_or(0) < asked.runs) {
    out.push_back(std::to_string(runs.value_or(0)) + " runs (" + std::to_string(asked.runs) +
                  " are asked for)");
  }
  const std::chrono::seconds recorded(figure(profile, kRecordedKey).value_or(0));
  if (recorded < asked.recorded) {
    out.push_back(format_duration(recorded) + " of recorded time (" +
                  format_duration(asked.recorded) + " are asked for)");
  }
  if (asked.new_in_a_run_at_most) {
    const auto percent = figure(profile, kNewInARunKey);
    if (percent.value_or(100) > *asked.new_in_a_run_at_most) {
      out.push_back("up to " + std::to_string(percent.value_or(100)) +
                    " % of further runs may show a new call (at most " +
                    std::to_string(*asked.new_in_a_run_at_most) + " % are asked for)");
    }
  }
  return out;
}

std::string describe(const std::vector<std::string>& lacking) {
  std::string out;
  for (const std::string& one : lacking) out += (out.empty() ? "" : ", ") + one;
  return out;
}

bool may_name(const PolicyRule& rule, const std::string& profile) {
  return may_name(rule.profile, profile);
}

bool may_name(std::string_view name_or_template, const std::string& profile) {
  return !name_or_template.empty() && fits(name_or_template, profile);
}

std::vector<std::string> closed_gates(const std::vector<Policy>& policies, const Profile& profile) {
  std::vector<std::string> out;
  for (const Policy& policy : policies) {
    for (std::size_t i = 0; i < policy.rules.size(); ++i) {
      const PolicyRule& rule = policy.rules[i];
      if (rule.mode != Mode::kEnforce || !rule.enforce_after || !may_name(rule, profile.name))
        continue;
      const std::string lacking = describe(shortfalls(*rule.enforce_after, profile));
      if (lacking.empty()) continue;
      out.push_back("policy " + policy.name + ", rule " + std::to_string(i + 1) +
                    " asks for more before it enforces profile " + profile.name + ": " + lacking);
    }
  }
  return out;
}

node::v1::EnforceAfter to_proto(const EnforceAfter& gate) {
  node::v1::EnforceAfter out;
  out.set_runs(gate.runs);
  out.set_recorded_s(gate.recorded.count());
  if (gate.new_in_a_run_at_most) out.set_new_in_a_run_below(*gate.new_in_a_run_at_most + 1);
  return out;
}

std::vector<Policy> gates_in_force(const node::v1::CompiledIndex& index) {
  std::vector<Policy> out;
  for (const node::v1::Rule& compiled : index.rules()) {
    if (out.empty() || out.back().name != compiled.policy()) out.push_back({compiled.policy(), {}});
    PolicyRule& rule = out.back().rules.emplace_back();
    if (compiled.mode() != node::v1::MODE_ENFORCE || !compiled.has_enforce_after()) continue;
    const node::v1::EnforceAfter& asked = compiled.enforce_after();
    rule.mode = Mode::kEnforce;
    rule.profile = compiled.profile_name();
    rule.enforce_after = EnforceAfter{asked.runs(), std::chrono::seconds(asked.recorded_s()), {}};
    if (asked.new_in_a_run_below() > 0)
      rule.enforce_after->new_in_a_run_at_most = asked.new_in_a_run_below() - 1;
  }
  return out;
}

}  // namespace ward::profiles
