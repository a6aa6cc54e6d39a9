// SPDX-License-Identifier: Apache-2.0
// The highest version of each profile that was ever in force here: a lower one is refused unless a
// person rolls back.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "enforcer/database/writer.h"
#include "lib/base/result.h"

namespace ward::enforcer {

struct SeenVersion {
  std::uint64_t version = 0;
  std::string digest;
  bool operator==(const SeenVersion&) const = default;
};
using SeenVersions = std::map<std::string, SeenVersion>;  // by profile name

Result<SeenVersions> read_seen_versions(const std::filesystem::path& database);
void store_seen_versions(Writer& writer, SeenVersions versions,
                         std::function<void(Result<void>)> done);

}  // namespace ward::enforcer
