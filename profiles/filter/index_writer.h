// SPDX-License-Identifier: Apache-2.0
// The bytes of the file <state>/compiled/index.2. index_reader.h reads them; wardd is the only one
// who writes.
#pragma once

#include <string>

#include "lib/base/result.h"
#include "ward/node/v1/compiled.pb.h"

namespace ward::filter {

// kResourceExhausted where no shim would read it (limits.h). The profiles are sorted by name, as
// resolve() makes them.
Result<std::string> write_index(const node::v1::CompiledIndex& index);

}  // namespace ward::filter
