// SPDX-License-Identifier: Apache-2.0
// The harm classes as the program has them: constants that the build makes of classes.yaml, so that
// a look-up reads no YAML and cannot fail. Used for the danger set, by `ward syscalls`, and by
// whatever compiles a posture into a profile.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "profiles/filter/own_numbers.h"
#include "profiles/harm/harm_class.h"
#include "profiles/profile.h"

namespace ward::profiles {

struct HarmReason {
  std::string_view why;
  std::string_view opens;  // the hole that is known of it; empty: none is
  std::span<const std::string_view> cves;
  std::string_view gate;     // the capability that the kernel asks for, in words
  std::string_view docker;   // what Docker's default does: "allow", "deny", "values", or the
                             // capabilities it asks for
  std::string_view systemd;  // the groups of systemd that hold it
  std::span<const std::string_view> sources;
};

// One argument: (argument & mask) is one of `values`. `any` instead: it has a bit of the mask.
// `own` besides: or it is the caller's own number, which only user space can tell.
struct HarmCondition {
  std::uint32_t index;
  std::uint64_t mask;
  std::span<const std::uint64_t> values;
  bool any;
  bool own;
};

struct HarmValue {
  std::string_view shown;                     // "argument 0 is AF_ALG"
  std::span<const HarmCondition> conditions;  // all must hold
  HarmClass harm;
  HarmReason reason;
};

struct HarmCall {
  std::string_view name;
  std::uint32_t nr;
  HarmClass harm;  // of what no value names; never below reach where there are values
  HarmReason reason;
  std::span<const HarmValue> values;
  bool hot;  // a program may live on it: asking a supervisor for each would be too dear
};

std::span<const HarmCall> harm_calls();  // x86_64, sorted by name
const HarmCall* find_harm_call(std::string_view name);
const HarmCall* find_harm_call(std::uint32_t nr);

using KnownArguments = std::array<std::optional<std::uint64_t>, 6>;  // absent: not known

using filter::OwnNumbers;

// The class of a call with these arguments; of what is not known, the strictest that may be. A call
// without a class is reach. A value below reach is compared in full, a stricter one in the lower
// half, too: a stray upper half never makes a call milder. Decide nothing by arguments behind
// pointers: they are not here.
HarmClass class_of(const HarmCall& call, const KnownArguments& arguments,
                   const OwnNumbers& caller = {});
HarmClass class_of(std::string_view name, const KnownArguments& arguments = {},
                   const OwnNumbers& caller = {});

// The same for what a notification says. Calls of another architecture are danger: no filter of
// ours sees them.
HarmClass class_of(std::uint32_t audit_arch, std::uint32_t nr, const KnownArguments& arguments,
                   const OwnNumbers& caller = {});

// The value that decides, or null where the call's own class does.
const HarmValue* deciding_value(const HarmCall& call, const KnownArguments& arguments,
                                const OwnNumbers& caller = {});

// What of the call is no stricter than `most`, in the form of a profile's entries: each list of
// filters is one alternative, an empty list is the whole call, no alternative is nothing. What only
// user space can tell (`own`) is left out, and so is the rest of a call that has stricter values.
// For a filter in the kernel: never wider than class_of().
std::vector<std::vector<ArgFilter>> alternatives_at_most(const HarmCall& call, HarmClass most);

// The part of that which is left out because only user space can tell: the arguments of `own` must
// be the caller's numbers, and `filters` must hold of the others.
struct OwnAlternative {
  std::vector<std::uint32_t> own;  // never empty
  std::vector<ArgFilter> filters;
};
std::vector<OwnAlternative> own_alternatives_at_most(const HarmCall& call, HarmClass most);

// The one of these that a call with these arguments falls under: empty where no value decides.
// Absent where a filter cannot say it.
std::optional<std::vector<ArgFilter>> alternative_of(const HarmCall& call,
                                                     const KnownArguments& arguments);

}  // namespace ward::profiles
