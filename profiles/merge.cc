// SPDX-License-Identifier: Apache-2.0
#include "profiles/merge.h"

#include <algorithm>
#include <iterator>
#include <tuple>

#include "profiles/canonical.h"

namespace ward::profiles {
namespace {

constexpr std::uint64_t kLowerHalf = 0xFFFFFFFF;  // what noneOf compares

template <typename T>
std::vector<T> unite(const std::vector<T>& a, const std::vector<T>& b) {
  std::vector<T> both = a;
  both.insert(both.end(), b.begin(), b.end());
  std::sort(both.begin(), both.end());
  both.erase(std::unique(both.begin(), both.end()), both.end());
  return both;
}

// Is there an argument that a filter with `one_of` admits and whose lower half is `value`?
bool may_admit(const ArgFilter& filter, std::uint64_t value) {
  const std::uint64_t compared = filter.mask.value_or(~std::uint64_t{0}) & kLowerHalf;
  return std::any_of(filter.one_of.begin(), filter.one_of.end(),
                     [&](std::uint64_t admitted) { return ((admitted ^ value) & compared) == 0; });
}

// Every value of `narrow`, seen through the mask of `wide`, is one of its values.
bool covers(const ArgFilter& wide, const ArgFilter& narrow) {
  if (wide.index != narrow.index) return false;
  if (!wide.none_of.empty()) {
    return std::all_of(wide.none_of.begin(), wide.none_of.end(), [&](std::uint64_t value) {
      return narrow.none_of.empty() ? !may_admit(narrow, value)
                                    : std::find(narrow.none_of.begin(), narrow.none_of.end(),
                                                value) != narrow.none_of.end();
    });
  }
  if (!narrow.none_of.empty()) return false;
  const std::uint64_t wide_mask = wide.mask.value_or(~std::uint64_t{0});
  const std::uint64_t narrow_mask = narrow.mask.value_or(~std::uint64_t{0});
  if ((wide_mask & ~narrow_mask) != 0)
    return false;  // bits that wide looks at and narrow leaves open
  return std::all_of(narrow.one_of.begin(), narrow.one_of.end(), [&](std::uint64_t value) {
    return std::find(wide.one_of.begin(), wide.one_of.end(), value & wide_mask) !=
           wide.one_of.end();
  });
}

// What neither admits stays excluded.
ArgFilter unite_exclusions(const ArgFilter& a, const ArgFilter& b) {
  const ArgFilter& excluding = a.none_of.empty() ? b : a;
  const ArgFilter& other = a.none_of.empty() ? a : b;
  ArgFilter both{a.index, std::nullopt, {}, {}};
  for (const std::uint64_t value : excluding.none_of) {
    const bool admitted =
        other.none_of.empty()
            ? may_admit(other, value)
            : std::find(other.none_of.begin(), other.none_of.end(), value) == other.none_of.end();
    if (!admitted) both.none_of.push_back(value);
  }
  if (both.none_of.empty()) both.mask = 0;
  return both;
}

// The filter that admits what either admits; one with a mask of 0 admits everything. Where the
// masks differ, only the bits both look at are compared: that is wider than the union, and the
// narrowest that the form can say.
ArgFilter unite(const ArgFilter& a, const ArgFilter& b) {
  if (!a.none_of.empty() || !b.none_of.empty()) return unite_exclusions(a, b);
  ArgFilter both;
  both.index = a.index;
  const std::uint64_t mask =
      a.mask.value_or(~std::uint64_t{0}) & b.mask.value_or(~std::uint64_t{0});
  if (a.mask || b.mask) both.mask = mask;
  for (const ArgFilter* filter : {&a, &b}) {
    for (const std::uint64_t value : filter->one_of) both.one_of.push_back(value & mask);
  }
  both.one_of = unite(both.one_of, {});
  return both;
}

Reaction milder(const Reaction& a, const Reaction& b) {
  const auto rank = [](const Reaction& r) {
    return std::make_tuple(r.action, r.escalate_to.has_value(),
                           r.escalate_to.value_or(Action::kLog),
                           -static_cast<std::int64_t>(r.escalate_after), r.escalate_window);
  };
  return rank(b) < rank(a) ? b : a;
}

// Absent knows everything. What one of them did not know, the union does not know either.
std::optional<NewestKnown> older(const std::optional<NewestKnown>& a,
                                 const std::optional<NewestKnown>& b) {
  if (!a || !b) return a ? a : b;
  return std::tie(a->number, a->name) < std::tie(b->number, b->name) ? a : b;
}

// One signature for each (call or capability, reason); arguments united, none means all.
std::vector<Accept> unite_accepts(const std::vector<Accept>& a, const std::vector<Accept>& b) {
  std::map<std::tuple<std::string, std::string, std::string, std::string>, SyscallEntry> by_reason;
  for (const auto* list : {&a, &b}) {
    for (const Accept& accept : *list) {
      const SyscallEntry entry{accept.syscall, accept.args};
      const auto [place, added] = by_reason.emplace(
          std::make_tuple(accept.syscall, accept.capability, accept.bundle, accept.reason), entry);
      if (!added) place->second = merge(place->second, entry);
    }
  }
  std::vector<Accept> accepts;
  accepts.reserve(by_reason.size());
  for (const auto& [key, entry] : by_reason) {
    const auto& [syscall, capability, bundle, reason] = key;
    accepts.push_back({syscall, reason, entry.args, capability, bundle});
  }
  return accepts;
}

}  // namespace

bool covers(const ArgFilters& wide, const ArgFilters& narrow) {
  return std::all_of(wide.begin(), wide.end(), [&](const ArgFilter& filter) {
    return std::any_of(narrow.begin(), narrow.end(),
                       [&](const ArgFilter& other) { return covers(filter, other); });
  });
}

bool covers_entry(const SyscallEntry& wide, const SyscallEntry& narrow) {
  const auto wider = alternatives_of(wide), narrower = alternatives_of(narrow);
  return std::all_of(narrower.begin(), narrower.end(), [&](const ArgFilters& one) {
    return std::any_of(wider.begin(), wider.end(),
                       [&](const ArgFilters& other) { return covers(other, one); });
  });
}

SyscallEntry unite_alternatives(const std::string& name,
                                const std::vector<ArgFilters>& alternatives) {
  std::vector<ArgFilters> kept;
  for (std::size_t i = 0; i < alternatives.size(); ++i) {
    bool needed = true;
    for (std::size_t j = 0; j < alternatives.size() && needed; ++j) {
      const bool covered = j != i && covers(alternatives[j], alternatives[i]);
      // Where two cover each other, the first stays.
      needed = !covered || (i < j && covers(alternatives[i], alternatives[j]));
    }
    if (needed) kept.push_back(alternatives[i]);
  }
  const auto key = [](const ArgFilter& f) {
    return std::tie(f.index, f.mask, f.one_of, f.none_of);
  };
  std::sort(kept.begin(), kept.end(), [&](const ArgFilters& a, const ArgFilters& b) {
    return std::lexicographical_compare(
        a.begin(), a.end(), b.begin(), b.end(),
        [&](const ArgFilter& x, const ArgFilter& y) { return key(x) < key(y); });
  });
  SyscallEntry entry{name, {}};
  if (kept.empty()) return entry;
  entry.args = std::move(kept.front());
  entry.more.assign(std::make_move_iterator(kept.begin() + 1), std::make_move_iterator(kept.end()));
  return entry;
}

SyscallEntry merge(const SyscallEntry& a, const SyscallEntry& b) {
  if (!a.more.empty() || !b.more.empty()) {
    // Joined index by index they would open pairs that neither has.
    std::vector<ArgFilters> all = alternatives_of(a), others = alternatives_of(b);
    all.insert(all.end(), others.begin(), others.end());
    return unite_alternatives(a.name, all);
  }
  SyscallEntry both;
  both.name = a.name;
  // An index that only one side filters is free on the other side, so it is free in the union.
  for (const ArgFilter& filter : a.args) {
    const auto other = std::find_if(b.args.begin(), b.args.end(),
                                    [&](const ArgFilter& f) { return f.index == filter.index; });
    if (other == b.args.end()) continue;
    ArgFilter united = unite(filter, *other);
    if (united.mask != std::uint64_t{0})
      both.args.push_back(std::move(united));  // a mask of nothing is no filter
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
  both.knows = older(a.knows, b.knows);
  both.no_new_privileges = a.no_new_privileges && b.no_new_privileges;
  both.posture = std::max(a.posture, b.posture);
  both.rehearsal = a.rehearsal && b.rehearsal;  // one of them has seen a start
  both.boundary = {std::max(a.boundary.quiet, b.boundary.quiet),
                   std::max(a.boundary.latest, b.boundary.latest)};
  both.syscalls = a.syscalls;
  for (const auto& [layer, entries] : b.syscalls)
    both.syscalls[layer] = merge(both.syscalls[layer], entries);
  both.accept = unite_accepts(a.accept, b.accept);
  both.capabilities = unite(a.capabilities, b.capabilities);
  both.on_workload = milder(a.on_workload, b.on_workload);
  both.on_exec = milder(a.on_exec, b.on_exec);
  both.refused = merge(a.refused, b.refused);
  both.on_refused = std::min(a.on_refused, b.on_refused);
  return normalize(both);
}

}  // namespace ward::profiles
