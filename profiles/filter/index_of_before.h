// SPDX-License-Identifier: Apache-2.0
// The index as Ward wrote it before it could be looked up: a SealedFile under its own name. Shims
// of that version read it as long as their pods live, so it stays as it is. Nobody writes it any
// more; wardd takes over from it what was in force when it was replaced by a newer one.
#pragma once

#include "lib/base/places.h"
#include "lib/base/result.h"
#include "ward/node/v1/compiled.pb.h"

namespace ward::filter {

// kNotFound where there is none, kInvalidArgument where it is damaged or something else.
Result<node::v1::CompiledIndex> read_index_of_before(const Places& places);

}  // namespace ward::filter
