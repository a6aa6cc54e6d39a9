// SPDX-License-Identifier: Apache-2.0
// The program that a runtime makes of linux.seccomp: libseccomp, rule by rule as runc does it, and runc's stub before
// it. Knows the native architecture only; calls of others are no part of what Ward says of a filter.
// Source: https://github.com/opencontainers/runc/tree/v1.5.1/libcontainer/seccomp (and patchbpf in it), v1.1.5 beside.
#pragma once

#include "lib/base/result.h"
#include "lib/oci/filter_program.h"
#include "lib/oci/seccomp.h"

namespace ward::oci {

// How runtimes differ.
struct RuntimeHabits {
  // The stub (ENOSYS for numbers above the highest one named) is there although the document does not list the native
  // architecture: runc from 1.1.15 on.
  bool stub_where_unlisted = true;
};

bool lists_native_arch(const Seccomp& seccomp);

// Where the two habits give one filter two meanings.
bool depends_on_habits(const Seccomp& seccomp);

// kInvalidArgument with the rule for what the runtime or libseccomp refuses. libseccomp does not come back from some
// sets of rules, and others cost seconds: for a document that somebody else wrote, run it where it can be ended.
Result<FilterProgram> make_runtime_filter(const Seccomp& seccomp, const RuntimeHabits& habits);

}  // namespace ward::oci
