// SPDX-License-Identifier: Apache-2.0
#include "profiles/canonical.h"

#include <algorithm>
#include <tuple>

#include "lib/base/digest.h"
#include "profiles/merge.h"
#include "profiles/yaml/write_yaml.h"

namespace ward::profiles {
namespace {

template <typename T>
void sort_unique(std::vector<T>& list) {
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
}

void normalize_filters(std::vector<ArgFilter>& args) {
  for (ArgFilter& filter : args) {
    // All bits set is the same as no mask; two ways to write one thing would be two identities.
    if (filter.mask == ~std::uint64_t{0}) filter.mask.reset();
    sort_unique(filter.one_of);
    sort_unique(filter.none_of);
  }
  std::stable_sort(args.begin(), args.end(),
                   [](const ArgFilter& a, const ArgFilter& b) { return a.index < b.index; });
}

void normalize_entry(SyscallEntry& entry) {
  normalize_filters(entry.args);
  for (ArgFilters& filters : entry.more) normalize_filters(filters);
  if (!entry.more.empty()) entry = unite_alternatives(entry.name, alternatives_of(entry));
}

}  // namespace

Profile normalize(Profile profile) {
  sort_unique(profile.extends);
  sort_unique(profile.architectures);
  sort_unique(profile.capabilities);
  for (auto layer = profile.syscalls.begin(); layer != profile.syscalls.end();) {
    for (auto& [name, entry] : layer->second) normalize_entry(entry);
    layer = layer->second.empty() ? profile.syscalls.erase(layer) : std::next(layer);
  }
  for (auto& [name, entry] : profile.refused) normalize_entry(entry);
  for (Accept& accept : profile.accept) normalize_filters(accept.args);
  std::stable_sort(profile.accept.begin(), profile.accept.end(),
                   [](const Accept& a, const Accept& b) {
                     return std::tie(a.syscall, a.capability, a.bundle, a.reason) <
                            std::tie(b.syscall, b.capability, b.bundle, b.reason);
                   });
  return profile;
}

std::string canonical_bytes(const Profile& profile) {
  Profile bare = normalize(profile);
  bare.provenance.clear();
  return write_yaml(bare);
}

std::string digest(const Profile& profile) { return sha256_hex(canonical_bytes(profile)); }

}  // namespace ward::profiles
