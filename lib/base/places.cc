// SPDX-License-Identifier: Apache-2.0
#include "lib/base/places.h"

#include <cstdlib>

namespace ward {
namespace {

std::filesystem::path directory(const char* variable, const char* fallback) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0' ? value : fallback;
}

}  // namespace

Places places_from_environment() {
  return Places{directory("WARD_CONFIG_DIR", "/etc/ward"),
                directory("WARD_STATE_DIR", "/var/lib/ward"),
                directory("WARD_RUN_DIR", "/run/ward")};
}

}  // namespace ward
