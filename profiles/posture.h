// SPDX-License-Identifier: Apache-2.0
// What a posture does about calls that a profile does not list, by their harm class
// (docs/harm-classes.md): strict acts on all of them; balanced allows what touches only the caller
// (self), lets run and records what acts on things held already (held), and acts on the rest;
// lenient lets run and records new reach as well, and acts on the danger set alone.
#pragma once

#include <string_view>

#include "lib/base/result.h"
#include "profiles/harm/harm_class.h"
#include "profiles/profile.h"

namespace ward::profiles {

// Allowed in the filter, in every phase and for exec sessions: class self, and of class held what
// may come so often that asking for each would be too dear. Without what takes many conditions: a
// filter has room for 320, and where they are more the dearest call loses its own.
SyscallSet allowed_by(Posture posture);

// Allowed to exec sessions besides: what shells, coreutils, curl and probes need to start programs
// and to ask a server. It is new reach, and the workload gets at it where it overwrites what a
// session runs (docs/threat-model.md).
SyscallSet allowed_to_exec_by(Posture posture);

// The strictest class of what the supervisor lets run. Nothing is let run by strict.
HarmClass tolerated_at_most(Posture posture);

// Let run by the supervisor and recorded: what is left of those classes where all of `in_filter` is
// allowed. An entry may hold values of the danger set, for these are looked for first
// (Law::danger).
SyscallSet tolerated_by(Posture posture, const SyscallSet& in_filter);

Result<Posture> parse_posture(std::string_view word);  // kInvalidArgument names the words there are

}  // namespace ward::profiles
