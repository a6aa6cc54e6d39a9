// SPDX-License-Identifier: Apache-2.0
// Any bytes as a policy: refused with a position, or a policy that is written and read back as
// itself.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "profiles/yaml/read_yaml.h"
#include "profiles/yaml/write_yaml.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ward::profiles;
  const auto policy = read_policy({reinterpret_cast<const char*>(data), size}, "fuzz.yaml");
  if (!policy) {
    if (policy.error().message.rfind("fuzz.yaml:", 0) != 0) std::abort();
    return 0;
  }
  const auto again = read_policy(write_yaml(*policy), "again.yaml");
  if (!again || !(*again == *policy)) std::abort();
  return 0;
}
