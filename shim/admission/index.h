// SPDX-License-Identifier: Apache-2.0
// The compiled files of <state>/compiled as the shim reads them: bounded, magic and digest verified on every read.
#pragma once

#include <optional>
#include <string>

#include "compiled/index_reader.h"
#include "lib/base/places.h"
#include "lib/base/result.h"
#include "ward/node/v1/compiled.pb.h"

namespace ward::shim::admission {

// Absent where the node has no index: whether that means anything, compiled/governed.h knows. kInvalidArgument where
// the file is damaged; damage of a part that is not read yet is an error of what reads it.
Result<std::optional<compiled::IndexReader>> read_index(const Places& places);

// kNotFound where there is no such file, kInvalidArgument where its bytes are not those its name promises.
Result<node::v1::CompiledProfile> read_compiled_profile(const Places& places, const std::string& sha256);

}  // namespace ward::shim::admission
