// SPDX-License-Identifier: Apache-2.0
// What a compiled profile means, call by call: the one translation from the message that wardd writes to the tables
// by which filters are made and notifications are judged.
#pragma once

#include "lib/oci/seccomp_intersect.h"
#include "ward/node/v1/compiled.pb.h"

namespace ward::compiled {

// An operator of a newer wardd compares equal, the narrowest meaning.
oci::Conjunction to_conjunction(const node::v1::Alternative& alternative);

// What the profile allows, in which layers, and what it answers ENOSYS.
oci::CallTable to_table(const node::v1::CompiledProfile& compiled);
// The danger set, and what learning saw refused. In these the layer says nothing.
oci::CallTable to_danger(const node::v1::CompiledProfile& compiled);
oci::CallTable to_refused(const node::v1::CompiledProfile& compiled);

}  // namespace ward::compiled
