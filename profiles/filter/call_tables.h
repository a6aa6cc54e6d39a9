// SPDX-License-Identifier: Apache-2.0
// What a compiled profile means, call by call: the one translation from the message that wardd
// writes to the tables by which filters are made and notifications are judged.
#pragma once

#include "profiles/filter/seccomp_intersect.h"
#include "ward/node/v1/compiled.pb.h"

namespace ward::filter {

// An operator of a newer wardd compares equal, the narrowest meaning.
Conjunction to_conjunction(const node::v1::Alternative& alternative);

CallRule to_rule(const node::v1::SyscallRule& syscall, std::uint32_t layers);

// What the profile allows, in which layers, and what it answers ENOSYS.
CallTable to_table(const node::v1::CompiledProfile& compiled);
// The danger set, what learning saw refused, and what the posture lets run. In these the layer says
// nothing.
CallTable to_danger(const node::v1::CompiledProfile& compiled);
CallTable to_refused(const node::v1::CompiledProfile& compiled);
CallTable to_tolerated(const node::v1::CompiledProfile& compiled);

}  // namespace ward::filter
