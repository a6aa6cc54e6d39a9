// SPDX-License-Identifier: Apache-2.0
#include "profiles/nearest_rule.h"

#include <algorithm>

#include "profiles/baselines/baselines.h"
#include "profiles/diff.h"
#include "profiles/effective.h"
#include "profiles/harm/bundle.h"
#include "profiles/words.h"

namespace ward::profiles {
namespace {

constexpr Layer kLayers[] = {Layer::kServing, Layer::kBoot, Layer::kExec};

bool found_in(const RuleFinder& finder, Layer layer, const std::string& syscall,
              const std::string& why, Ruling& ruling) {
  const SyscallSet set = effective_layer(finder.profile, layer);
  const auto found = set.find(syscall);
  if (found == set.end()) return false;
  ruling.nearest = finder.in_layer(layer, syscall, found->second);
  ruling.nearest_why = why;
  return true;
}

}  // namespace

std::string RuleFinder::place(const std::string& subject) const {
  const auto found = places.find(subject);
  return found == places.end() ? "" : format_position(file, found->second);
}

RuleFound RuleFinder::in_layer(Layer layer, const std::string& syscall,
                               const SyscallEntry& entry) const {
  const std::string name(layer_name(layer));
  RuleFound rule{name, syscall + ": " + describe_arguments(entry), "", ""};
  const auto own = profile.syscalls.find(layer);
  if (own != profile.syscalls.end() && own->second.contains(syscall)) {
    rule.from = "listed in " + name;
    rule.place = place("syscalls." + name + "." + syscall);
    return rule;
  }
  for (std::size_t i = 0; i < profile.accept.size(); ++i) {
    const Bundle* bundle = find_bundle(profile.accept[i].bundle);
    const auto is_it = [&](const SyscallEntry& call) { return call.name == syscall; };
    if (bundle == nullptr || std::none_of(bundle->calls.begin(), bundle->calls.end(), is_it))
      continue;
    rule.from = "bundle " + profile.accept[i].bundle;
    rule.place = place("accept." + std::to_string(i));
    return rule;
  }
  for (const std::string& extended : profile.extends) {
    const SyscallSet* baseline = find_baseline(extended);
    if (baseline == nullptr || !baseline->contains(syscall)) continue;
    rule.from = "baseline " + extended;
    rule.place = place("extends");
    return rule;
  }
  rule.from = "baseline ward-baseline, which every profile has";
  return rule;
}

void find_nearest(const RuleFinder& finder, const AskedCall& call, Ruling& ruling) {
  for (const Layer layer : kLayers) {
    const bool asked = layer == Layer::kServing || layer == call.phase;
    const std::string why = asked                   ? "the same call with other arguments"
                            : layer == Layer::kBoot ? "the same call, until the workload serves"
                                                    : "the same call, to exec sessions";
    if (found_in(finder, layer, call.syscall, why, ruling)) return;
  }
  for (const std::string& relative : family_of(call.syscall)) {
    for (const Layer layer : kLayers)
      if (relative != call.syscall &&
          found_in(finder, layer, relative, "a call that C libraries use in its place", ruling))
        return;
  }
}

}  // namespace ward::profiles
