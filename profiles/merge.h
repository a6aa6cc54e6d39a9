// SPDX-License-Identifier: Apache-2.0
// The union of two profiles: what either allows. Idempotent, commutative and associative in what is
// allowed, so that profiles of replicas merge in any order without coordination.
#pragma once

#include "profiles/profile.h"

namespace ward::profiles {

// Allowed calls, filters, capabilities, signatures and baselines are united; for what cannot be
// united (name, reactions, boundary, noNewPrivileges) the rule is one that gives the same answer in
// any order: the lesser name, the higher version, the milder action, the longer time,
// noNewPrivileges only where both have it, the more generous posture. Provenance is dropped: it
// would be a lie.
Profile merge(const Profile& a, const Profile& b);

// What either allows. A call without filters allows every argument.
SyscallSet merge(const SyscallSet& a, const SyscallSet& b);
SyscallEntry merge(const SyscallEntry& a, const SyscallEntry& b);

// The entry that allows what one of the lists does: without those that another covers, in one
// order.
SyscallEntry unite_alternatives(const std::string& name,
                                const std::vector<ArgFilters>& alternatives);

// Does `filter` set `wide` admit every argument that `narrow` admits?
bool covers(const ArgFilters& wide, const ArgFilters& narrow);
// Is each alternative of `narrow` covered by one of `wide`?
bool covers_entry(const SyscallEntry& wide, const SyscallEntry& narrow);

}  // namespace ward::profiles
