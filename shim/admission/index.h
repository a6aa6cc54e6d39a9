// SPDX-License-Identifier: Apache-2.0
// The compiled files of <state>/compiled as the shim reads them: bounded, magic and digest verified
// on every read.
#pragma once

#include <optional>
#include <string>

#include "lib/base/places.h"
#include "lib/base/result.h"
#include "profiles/filter/index_reader.h"
#include "ward/node/v1/compiled.pb.h"

namespace ward::shim::admission {

// The node's index as one create finds it: opened once, so that all it decides is decided by the
// same one. Absent where the node has none: whether that means anything, profiles/filter/governed.h
// knows. kInvalidArgument where the file is damaged; damage of a part that is not read yet is an
// error of what reads it.
struct NodeIndex {
  Result<std::optional<filter::IndexReader>> reader;
};
NodeIndex open_index(const Places& places);

// The runtime that the node chose (wardd.yaml), also while the index cannot be read: then `seen`,
// of the last index that this process has read, or the mark says it. Empty: the client's choice
// holds.
std::string read_node_runtime(const Places& places, const NodeIndex& index,
                              const std::optional<node::v1::NodeSettings>& seen);

// kNotFound where there is no such file, kInvalidArgument where its bytes are not those its name
// promises.
Result<node::v1::CompiledProfile> read_compiled_profile(const Places& places,
                                                        const std::string& sha256);

}  // namespace ward::shim::admission
