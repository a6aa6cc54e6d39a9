// SPDX-License-Identifier: Apache-2.0
#include "profiles/merge.h"

#include <algorithm>
#include <iterator>
#include <tuple>

#include "profiles/canonical.h"

namespace ward::profiles {
namespace {

template <typename T>
std::vector<T> unite(const std::vector<T>& a, const std::vector<T>& b) {
  std::vector<T> both = a;
  both.insert(both.end(), b.begin(), b.end());
  std::sort(both.begin(), both.end());
  both.erase(std::unique(both.begin(), both.end()), both.end());
  return both;
}

// Every value of `narrow`, seen through the mask of `wide`, is one of its values.
bool covers(const ArgFilter& wide, const ArgFilter& narrow) {
  if (wide.index != narrow.index) return false;
  const std::uint64_t wide_mask = wide.mask.value_or(~std::uint64_t{0});
  const std::uint64_t narrow_mask = narrow.mask.value_or(~std::uint64_t{0});
  if ((wide_mask & ~narrow_mask) != 0) return false;  // bits that wide looks at and narrow leaves open
  return std::all_of(narrow.one_of.begin(), narrow.one_of.end(), [&](std::uint64_t value) {
    return std::find(wide.one_of.begin(), wide.one_of.end(), value & wide_mask) != wide.one_of.end();
  });
}

// The filter that admits what either admits. Where the masks differ, only the bits both look at are compared: that is
// wider than the union, and the narrowest that the form can say.
ArgFilter unite(const ArgFilter& a, const ArgFilter& b) {
  ArgFilter both;
  both.index = a.index;
  const std::uint64_t mask = a.mask.value_or(~std::uint64_t{0}) & b.mask.value_or(~std::uint64_t{0});
  if (a.mask || b.mask) both.mask = mask;
  for (const ArgFilter* filter : {&a, &b}) {
    for (const std::uint64_t value : filter->one_of) both.one_of.push_back(value & mask);
  }
  both.one_of = unite(both.one_of, {});
  return both;
}

Reaction milder(const Reaction& a, const Reaction& b) {
  const auto rank = [](const Reaction& r) {
    return std::make_tuple(r.action, r.escalate_to.has_value(), r.escalate_to.value_or(Action::kLog),
                           -static_cast<std::int64_t>(r.escalate_after), r.escalate_window);
  };
  return rank(b) < rank(a) ? b : a;
}

// One signature for each (call, reason); arguments united, none means all.
std::vector<Accept> unite_accepts(const std::vector<Accept>& a, const std::vector<Accept>& b) {
  std::map<std::pair<std::string, std::string>, SyscallEntry> by_reason;
  for (const auto* list : {&a, &b}) {
    for (const Accept& accept : *list) {
      const SyscallEntry entry{accept.syscall, accept.args};
      const auto [place, added] = by_reason.emplace(std::make_pair(accept.syscall, accept.reason), entry);
      if (!added) place->second = merge(place->second, entry);
    }
  }
  std::vector<Accept> accepts;
  accepts.reserve(by_reason.size());
  for (const auto& [key, entry] : by_reason) accepts.push_back({key.first, key.second, entry.args});
  return accepts;
}

}  // namespace

bool covers(const std::vector<ArgFilter>& wide, const std::vector<ArgFilter>& narrow) {
  return std::all_of(wide.begin(), wide.end(), [&](const ArgFilter& filter) {
    return std::any_of(narrow.begin(), narrow.end(), [&](const ArgFilter& other) { return covers(filter, other); });
  });
}

SyscallEntry merge(const SyscallEntry& a, const SyscallEntry& b) {
  SyscallEntry both;
  both.name = a.name;
  // An index that only one side filters is free on the other side, so it is free in the union.
  for (const ArgFilter& filter : a.args) {
    const auto other =
        std::find_if(b.args.begin(), b.args.end(), [&](const ArgFilter& f) { return f.index == filter.index; });
    if (other == b.args.end()) continue;
    ArgFilter united = unite(filter, *other);
    if (united.mask != std::uint64_t{0}) both.args.push_back(std::move(united));  // a mask of nothing is no filter
  }
  return both;
}

SyscallSet merge(const SyscallSet& a, const SyscallSet& b) {
  SyscallSet both = a;
  for (const auto& [name, entry] : b) {
    const auto [place, added] = both.emplace(name, entry);
    if (!added) place->second = merge(place->second, entry);
  }
  return both;
}

Profile merge(const Profile& left, const Profile& right) {
  const Profile a = normalize(left), b = normalize(right);
  Profile both;
  both.name = std::min(a.name, b.name);
  both.version = std::max(a.version, b.version);
  both.extends = unite(a.extends, b.extends);
  both.architectures = unite(a.architectures, b.architectures);
  both.no_new_privileges = a.no_new_privileges && b.no_new_privileges;
  both.boundary = {std::max(a.boundary.quiet, b.boundary.quiet), std::max(a.boundary.latest, b.boundary.latest)};
  both.syscalls = a.syscalls;
  for (const auto& [layer, entries] : b.syscalls) both.syscalls[layer] = merge(both.syscalls[layer], entries);
  both.accept = unite_accepts(a.accept, b.accept);
  both.capabilities = unite(a.capabilities, b.capabilities);
  both.on_workload = milder(a.on_workload, b.on_workload);
  both.on_exec = milder(a.on_exec, b.on_exec);
  return normalize(both);
}

}  // namespace ward::profiles
