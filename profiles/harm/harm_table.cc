// SPDX-License-Identifier: Apache-2.0
#include "profiles/harm/harm_table.h"

#include <linux/audit.h>

#include <algorithm>
#include <iterator>

namespace ward::profiles {
namespace {

enum class Match { kNo, kMaybe, kYes };

bool holds(const HarmCondition& condition, std::uint64_t argument) {
  const std::uint64_t masked = argument & condition.mask;
  if (condition.any) return masked != 0;
  return std::find(condition.values.begin(), condition.values.end(), masked) !=
         condition.values.end();
}

Match match(const HarmValue& value, const KnownArguments& arguments, const OwnNumbers& caller) {
  Match result = Match::kYes;
  for (const HarmCondition& condition : value.conditions) {
    const auto& argument = arguments[condition.index];
    if (!argument) {
      result = Match::kMaybe;
      continue;
    }
    bool met = holds(condition, *argument) || (condition.own && caller.include(*argument));
    // Most arguments are ints: the kernel drops the upper half, and a stray one must not hide a
    // strict value.
    if (value.harm >= HarmClass::kReach)
      met = met || holds(condition, static_cast<std::uint32_t>(*argument));
    if (!met) return Match::kNo;
  }
  return result;
}

const std::vector<const HarmCall*>& by_number() {
  static const std::vector<const HarmCall*> calls = [] {
    std::vector<const HarmCall*> sorted;
    for (const HarmCall& call : harm_calls()) sorted.push_back(&call);
    std::sort(sorted.begin(), sorted.end(),
              [](const HarmCall* a, const HarmCall* b) { return a->nr < b->nr; });
    return sorted;
  }();
  return calls;
}

// Absent where a filter cannot say it.
std::optional<ArgFilter> filter_of(const HarmCondition& condition) {
  if (condition.any || condition.values.empty()) return std::nullopt;
  ArgFilter filter{
      condition.index, std::nullopt, {condition.values.begin(), condition.values.end()}};
  if (condition.mask != ~std::uint64_t{0}) filter.mask = condition.mask;
  return filter;
}

std::optional<std::vector<ArgFilter>> filters_of(const HarmValue& value) {
  std::vector<ArgFilter> filters;
  for (const HarmCondition& condition : value.conditions) {
    auto filter = filter_of(condition);
    if (!filter) return std::nullopt;
    filters.push_back(std::move(*filter));
  }
  return filters;
}

// Each way in which at least one argument is the caller's own: the others that may be are one of
// their values instead.
void add_own_alternatives(const HarmValue& value, std::vector<OwnAlternative>& out) {
  std::vector<OwnAlternative> ways{{}};
  for (const HarmCondition& condition : value.conditions) {
    const auto filter = filter_of(condition);
    if (!filter && !condition.own) return;
    std::vector<OwnAlternative> longer;
    for (const OwnAlternative& way : ways) {
      if (condition.own) longer.emplace_back(way).own.push_back(condition.index);
      if (filter) longer.emplace_back(way).filters.push_back(*filter);
    }
    ways = std::move(longer);
  }
  std::copy_if(ways.begin(), ways.end(), std::back_inserter(out),
               [](const OwnAlternative& way) { return !way.own.empty(); });
}

}  // namespace

const HarmCall* find_harm_call(std::string_view name) {
  const auto calls = harm_calls();
  const auto found = std::lower_bound(
      calls.begin(), calls.end(), name,
      [](const HarmCall& call, std::string_view wanted) { return call.name < wanted; });
  return found != calls.end() && found->name == name ? &*found : nullptr;
}

const HarmCall* find_harm_call(std::uint32_t nr) {
  const auto& calls = by_number();
  const auto found = std::lower_bound(
      calls.begin(), calls.end(), nr,
      [](const HarmCall* call, std::uint32_t wanted) { return call->nr < wanted; });
  return found != calls.end() && (*found)->nr == nr ? *found : nullptr;
}

const HarmValue* deciding_value(const HarmCall& call, const KnownArguments& arguments,
                                const OwnNumbers& caller) {
  const HarmValue* certain = nullptr;
  const HarmValue* possible = nullptr;
  for (const HarmValue& value : call.values) {
    const Match matched = match(value, arguments, caller);
    if (matched == Match::kYes && (certain == nullptr || value.harm > certain->harm))
      certain = &value;
    if (matched == Match::kMaybe && (possible == nullptr || value.harm > possible->harm))
      possible = &value;
  }
  // What is certain cannot be made milder by what is not known, only stricter.
  const HarmClass floor = certain != nullptr ? certain->harm : call.harm;
  return possible != nullptr && possible->harm > floor ? possible : certain;
}

HarmClass class_of(const HarmCall& call, const KnownArguments& arguments,
                   const OwnNumbers& caller) {
  const HarmValue* value = deciding_value(call, arguments, caller);
  return value != nullptr ? value->harm : call.harm;
}

HarmClass class_of(std::string_view name, const KnownArguments& arguments,
                   const OwnNumbers& caller) {
  const HarmCall* call = find_harm_call(name);
  return call != nullptr ? class_of(*call, arguments, caller) : HarmClass::kReach;
}

HarmClass class_of(std::uint32_t audit_arch, std::uint32_t nr, const KnownArguments& arguments,
                   const OwnNumbers& caller) {
  constexpr std::uint32_t kX32 = 0x40000000;
  if (audit_arch != AUDIT_ARCH_X86_64 || (nr & kX32) != 0) return HarmClass::kDanger;
  const HarmCall* call = find_harm_call(nr);
  return call != nullptr ? class_of(*call, arguments, caller) : HarmClass::kReach;
}

std::optional<std::vector<ArgFilter>> alternative_of(const HarmCall& call,
                                                     const KnownArguments& arguments) {
  const HarmValue* value = deciding_value(call, arguments);
  return value == nullptr ? std::vector<ArgFilter>() : filters_of(*value);
}

std::vector<std::vector<ArgFilter>> alternatives_at_most(const HarmCall& call, HarmClass most) {
  const bool stricter = std::any_of(call.values.begin(), call.values.end(),
                                    [&](const HarmValue& value) { return value.harm > most; });
  if (call.harm <= most && !stricter) return {{}};
  std::vector<std::vector<ArgFilter>> alternatives;
  for (const HarmValue& value : call.values) {
    if (value.harm > most) continue;
    if (auto filters = filters_of(value)) alternatives.push_back(std::move(*filters));
  }
  return alternatives;
}

std::vector<OwnAlternative> own_alternatives_at_most(const HarmCall& call, HarmClass most) {
  std::vector<OwnAlternative> alternatives;
  for (const HarmValue& value : call.values)
    if (value.harm <= most) add_own_alternatives(value, alternatives);
  return alternatives;
}

}  // namespace ward::profiles
