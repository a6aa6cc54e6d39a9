// SPDX-License-Identifier: Apache-2.0
#include "profiles/filter/watch_pins.h"

#include "lib/base/digest.h"

namespace ward::filter {

std::filesystem::path watch_pins(const Places& places) {
  return std::filesystem::path("/sys/fs/bpf") /
         ("ward-" + sha256_hex(places.state.string()).substr(0, 12) + "-watch");
}

}  // namespace ward::filter
