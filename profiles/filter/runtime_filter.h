// SPDX-License-Identifier: Apache-2.0
// The program that a runtime makes of linux.seccomp: libseccomp, rule by rule as runc does it, and
// runc's stub before it. Other architectures are in the program where they are listed, for what
// they make libseccomp refuse; their calls are no part of what Ward says of a filter.
// Source: https://github.com/opencontainers/runc/tree/v1.5.1/libcontainer/seccomp (and patchbpf in it), v1.1.5 beside.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"
#include "lib/oci/seccomp.h"
#include "profiles/filter/filter_program.h"

namespace ward::filter {

// How runtimes differ.
struct RuntimeHabits {
  // The stub (ENOSYS for numbers above the highest one named) is there although the document does
  // not list the native architecture: runc from 1.1.15 on.
  bool stub_where_unlisted = true;
};

// Of a runtime's answer to `--version`; what is no runc is taken for a new one.
RuntimeHabits habits_of_version(std::string_view text);

bool lists_native_arch(const oci::Seccomp& seccomp);

// What a filter in the place of this one lists too: the native architecture, and those that not
// every runc knows: it is the runtime's to refuse them. Nothing here runs their programs, so they
// open nothing.
std::vector<std::string> carried_architectures(const oci::Seccomp& seccomp);

// A rule that notifies, whether or not its call is known: the runtime then wants a listener's path.
bool notifies(const oci::Seccomp& seccomp);

// Where the two habits give one filter two meanings.
bool depends_on_habits(const oci::Seccomp& seccomp);

// kInvalidArgument with the rule for what the runtime or libseccomp refuses. libseccomp does not
// come back from some sets of rules, and others cost seconds: for a document that somebody else
// wrote, run it where it can be ended.
Result<FilterProgram> make_runtime_filter(const oci::Seccomp& seccomp, const RuntimeHabits& habits);

}  // namespace ward::filter
