// SPDX-License-Identifier: Apache-2.0
// Any bytes as a profile: refused with a position, or a profile that is written and read back as
// itself and compiles.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "profiles/canonical.h"
#include "profiles/compile.h"
#include "profiles/yaml/read_yaml.h"
#include "profiles/yaml/write_yaml.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ward::profiles;
  const auto profile = read_profile({reinterpret_cast<const char*>(data), size}, "fuzz.yaml");
  if (!profile) {
    if (profile.error().message.rfind("fuzz.yaml:", 0) != 0) std::abort();
    return 0;
  }
  const auto again = read_profile(write_yaml(*profile), "again.yaml");
  if (!again || normalize(*again) != normalize(*profile)) std::abort();
  if (!compile(*profile)) std::abort();
  return 0;
}
