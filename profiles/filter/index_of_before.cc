// SPDX-License-Identifier: Apache-2.0
#include "profiles/filter/index_of_before.h"

#include "lib/base/digest.h"
#include "lib/base/file.h"
#include "profiles/filter/limits.h"

namespace ward::filter {

Result<node::v1::CompiledIndex> read_index_of_before(const Places& places) {
  const auto path = places.compiled_index_of_before();
  const auto bytes = read_regular_file(path, kMaxIndexBytes);
  if (!bytes) return tl::unexpected<Error>(bytes.error());
  node::v1::SealedFile file;
  node::v1::CompiledIndex index;
  if (!file.ParseFromString(*bytes) || file.magic() != "ward-index-1" ||
      file.sha256() != sha256_hex(file.payload()) || !index.ParseFromString(file.payload()) ||
      index.format() != kFormat) {
    return fail(Code::kInvalidArgument,
                "'" + path.string() + "' is no index of an older version of Ward, or damaged");
  }
  return index;
}

}  // namespace ward::filter
