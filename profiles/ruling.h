// SPDX-License-Identifier: Apache-2.0
// What a profile rules about one call at one moment: the layer and the rule that decide, where the
// rule stands, and, where the call is not allowed, the nearest rule that allows something like it.
// For `ward why` and the page of an incident; the shim decides by itself, from compiled tables.
#pragma once

#include <string>

#include "profiles/harm/harm_table.h"
#include "profiles/profile.h"
#include "profiles/yaml/profile_places.h"

namespace ward::profiles {

struct AskedCall {
  std::string syscall;
  KnownArguments arguments;       // absent: not known
  Layer phase = Layer::kServing;  // boot, serving, or exec: an exec session
  Sessions sessions = Sessions::kLayer;
};

// A rule of a profile, or of what it brings along.
struct RuleFound {
  std::string layer;  // "serving"; empty where it is no rule of a layer
  std::string text;   // "socket: argument 0 is AF_UNIX", "posture: balanced", "accept getaddrinfo"
  std::string from;   // "listed in serving", "baseline ward-baseline", "bundle getaddrinfo"
  std::string place;  // "web.yaml:14:9"; empty: it stands in no line of this text
};

struct Ruling {
  enum class Kind {
    kAllowed,    // in the filter, or by the supervisor
    kLetRun,     // by the posture: it runs and is recorded
    kActedUpon,  // a violation
    kNewer,      // ENOSYS, because the profile's maker could not know of it
    kDepends     // on arguments that are not known
  };
  Kind kind = Kind::kActedUpon;
  std::string verdict;  // one sentence
  RuleFound rule;       // that decides
  std::string harm;     // class of this call, with these arguments
  bool danger = false;
  std::string signature;  // the reason of the accept that covers it, where it is in the danger set
  std::string refused;    // where `refused` lists it: what that means
  RuleFound nearest;      // all empty where there is none, and where the call is allowed
  std::string nearest_why;  // "the same call with other arguments"
};

// `file` is for the places. The call is one that this machine knows.
Ruling rule_on(const Profile& profile, const Places& places, const std::string& file,
               const AskedCall& call);

std::string_view ruling_name(Ruling::Kind kind);  // "allowed", "let-run", "acted-upon", ...

}  // namespace ward::profiles
