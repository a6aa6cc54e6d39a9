// SPDX-License-Identifier: Apache-2.0
// Which version of a profile shims read now.
#pragma once

#include <cstdint>
#include <string>

namespace ward::enforcer {

struct ProfileVersion {
  std::string digest;           // of the source profile: in the status of its containers
  std::string compiled_sha256;  // the name of its compiled file
  std::uint64_t number = 0;     // 0: its source cannot be read any more
};

}  // namespace ward::enforcer
