// SPDX-License-Identifier: Apache-2.0
#include "profiles/effective.h"

#include <algorithm>

#include "profiles/baselines/baselines.h"
#include "profiles/harm/bundle.h"
#include "profiles/harm/danger.h"
#include "profiles/merge.h"

namespace ward::profiles {
namespace {

// A namespace flag that a person signed for, written as the same value under the same mask.
bool is_signed(const std::vector<Accept>& accept, const ArgFilter& filter, std::uint64_t value) {
  return std::any_of(accept.begin(), accept.end(), [&](const Accept& a) {
    return a.syscall == "clone" &&
           std::any_of(a.args.begin(), a.args.end(), [&](const ArgFilter& f) {
             return f.index == filter.index && f.mask == filter.mask &&
                    std::find(f.one_of.begin(), f.one_of.end(), value) != f.one_of.end();
           });
  });
}

// Only one condition on one index: two would be OR'ed by the runtime (K3).
void clear_namespace_flags(SyscallEntry& clone, const std::vector<Accept>& accept) {
  if (std::any_of(accept.begin(), accept.end(),
                  [](const Accept& a) { return a.syscall == "clone" && a.args.empty(); }))
    return;
  const auto found = std::find_if(clone.args.begin(), clone.args.end(),
                                  [](const ArgFilter& f) { return f.index == 0; });
  if (found == clone.args.end()) {
    clone.args.insert(clone.args.begin(), ArgFilter{0, kNamespaceFlags, {0}});
    return;
  }
  std::erase_if(found->one_of, [&](std::uint64_t value) {
    return (value & kNamespaceFlags) != 0 && !is_signed(accept, *found, value);
  });
  if (found->mask) found->mask = *found->mask | kNamespaceFlags;
}

// As alternatives: joined index by index with the profile's own, they would open mixtures.
void add_bundles(SyscallSet& set, const std::vector<Accept>& accept) {
  for (const Accept& one : accept) {
    const Bundle* bundle = one.bundle.empty() ? nullptr : find_bundle(one.bundle);
    if (bundle == nullptr) continue;
    for (const SyscallEntry& call : bundle->calls) {
      const auto [place, added] = set.emplace(call.name, call);
      if (added) continue;
      auto alternatives = alternatives_of(place->second);
      alternatives.push_back(call.args);
      place->second = unite_alternatives(call.name, alternatives);
    }
  }
}

}  // namespace

SyscallSet effective_layer(const Profile& profile, Layer layer) {
  SyscallSet set;
  if (layer == Layer::kServing) {
    set = *find_baseline("ward-baseline");
    for (const std::string& name : profile.extends) {
      if (const SyscallSet* baseline = find_baseline(name)) set = merge(set, *baseline);
    }
  }
  const auto own = profile.syscalls.find(layer);
  if (own != profile.syscalls.end()) set = merge(set, own->second);
  if (layer == Layer::kServing) add_bundles(set, profile.accept);
  set.erase("clone3");
  const auto clone = set.find("clone");
  if (clone == set.end()) return set;
  clear_namespace_flags(clone->second, profile.accept);
  // A filter that named only namespace flags has nothing left.
  const auto is_empty = [](const ArgFilter& f) { return f.one_of.empty(); };
  if (std::any_of(clone->second.args.begin(), clone->second.args.end(), is_empty)) set.erase(clone);
  return set;
}

SyscallSet effective_union(const Profile& profile) {
  SyscallSet set;
  for (const Layer layer : {Layer::kServing, Layer::kBoot, Layer::kExec})
    set = merge(set, effective_layer(profile, layer));
  return set;
}

std::size_t count_allowed(const Profile& profile) { return effective_union(profile).size(); }

}  // namespace ward::profiles
