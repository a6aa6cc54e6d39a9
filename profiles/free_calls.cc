// SPDX-License-Identifier: Apache-2.0
#include "profiles/free_calls.h"

#include <algorithm>
#include <map>

#include "lib/oci/seccomp.h"
#include "profiles/compile.h"
#include "profiles/filter/call_tables.h"
#include "profiles/posture.h"

namespace ward::profiles {
namespace {

std::uint32_t layers_of(filter::Phase phase) {
  switch (phase) {
    case filter::Phase::kBoot: return filter::kAllowedInBoot;
    case filter::Phase::kExec: return filter::kAllowedInExec;
    case filter::Phase::kRuntime:
    case filter::Phase::kServing: break;
  }
  return filter::kAllowedInServing;
}

bool all_hold(const filter::Conjunction& conditions, const filter::CallArgs& args) {
  return std::all_of(conditions.begin(), conditions.end(), [&](const oci::SeccompArg& condition) {
    return oci::holds(condition, args.at(condition.index));
  });
}

bool before(const filter::CallRule& a, const filter::CallRule& b) { return a.nr < b.nr; }

// As the compiler does: where the profile has conditions of its own, its posture adds nothing.
bool leaves_room(const filter::CallTable& listed, int nr) {
  const auto rules = listed.rules_of(nr);
  return std::none_of(rules.begin(), rules.end(), [](const filter::CallRule& rule) {
    return (rule.layers & filter::kAllowedInBoot) != 0 && !rule.alternatives.empty();
  });
}

bool lists_all(const filter::CallTable& listed, int nr, std::uint32_t layers) {
  const auto rules = listed.rules_of(nr);
  return std::any_of(rules.begin(), rules.end(), [&](const filter::CallRule& rule) {
    return (rule.layers & layers) != 0 && rule.alternatives.empty();
  });
}

std::map<int, filter::CallArgs> make_bits() {
  std::map<int, filter::CallArgs> bits;
  for (const auto& [name, entry] : allowed_by(Posture::kBalanced)) {
    const auto nr = oci::find_syscall(name);
    if (!nr) continue;
    for (const ArgFilters& filters : alternatives_of(entry)) {
      for (const ArgFilter& filter : filters)
        bits[*nr].at(filter.index) |= filter.mask.value_or(~std::uint64_t{0});
    }
  }
  return bits;
}

}  // namespace

Result<FreeCalls> FreeCalls::of(const Profile& profile) {
  FreeCalls out;
  if (profile.posture == Posture::kStrict) return out;
  Profile strict = profile;
  strict.posture = Posture::kStrict;
  const auto compiled = compile_for_one_origin(profile);
  if (!compiled) return tl::unexpected<Error>(compiled.error());
  const auto listed = compile_for_one_origin(strict);
  if (!listed) return tl::unexpected<Error>(listed.error());
  const filter::CallTable all = filter::to_table(*compiled);
  out.listed_ = filter::to_table(*listed);
  for (const auto& [name, entry] : allowed_by(profile.posture)) {
    const auto nr = oci::find_syscall(name);
    if (!nr || !leaves_room(out.listed_, *nr)) continue;
    if (lists_all(out.listed_, *nr, filter::kAllowedInServing)) continue;
    for (const filter::CallRule& rule : all.rules_of(*nr)) {
      if ((rule.layers & filter::kLayerServing) != 0) out.added_.push_back(rule);
    }
  }
  std::sort(out.added_.begin(), out.added_.end(), before);
  return out;
}

std::vector<int> FreeCalls::numbers(filter::Phase phase) const {
  std::vector<int> out;
  for (const filter::CallRule& rule : added_) {
    const int nr = static_cast<int>(rule.nr);
    if (!lists_all(listed_, nr, layers_of(phase))) out.push_back(nr);
  }
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

std::span<const filter::CallRule> FreeCalls::rules_of(int nr) const {
  filter::CallRule wanted;
  wanted.nr = static_cast<std::uint32_t>(nr);
  const auto [begin, end] = std::equal_range(added_.begin(), added_.end(), wanted, before);
  return {begin, end};
}

std::size_t FreeCalls::ways(int nr) const {
  std::size_t ways = 0;
  for (const filter::CallRule& rule : rules_of(nr))
    ways += std::max<std::size_t>(1, rule.alternatives.size());
  return ways;
}

std::optional<std::size_t> FreeCalls::way_of(int nr, const filter::CallArgs& args,
                                             filter::Phase phase) const {
  if (nr < 0 || listed_.allows(nr, args, layers_of(phase))) return std::nullopt;
  std::size_t way = 0;
  for (const filter::CallRule& rule : rules_of(nr)) {
    if (rule.alternatives.empty()) return way;
    for (const filter::Conjunction& conditions : rule.alternatives) {
      if (all_hold(conditions, args)) return way;
      ++way;
    }
  }
  return std::nullopt;
}

filter::CallArgs told_apart_by(int nr) {
  static const std::map<int, filter::CallArgs> bits = make_bits();
  const auto found = bits.find(nr);
  return found == bits.end() ? filter::CallArgs{} : found->second;
}

}  // namespace ward::profiles
