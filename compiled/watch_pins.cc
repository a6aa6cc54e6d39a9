// SPDX-License-Identifier: Apache-2.0
#include "compiled/watch_pins.h"

#include "lib/base/digest.h"

namespace ward::compiled {

std::filesystem::path watch_pins(const Places& places) {
  return std::filesystem::path("/sys/fs/bpf") / ("ward-" + sha256_hex(places.state.string()).substr(0, 12) + "-watch");
}

}  // namespace ward::compiled
