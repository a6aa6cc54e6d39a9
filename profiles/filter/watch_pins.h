// SPDX-License-Identifier: Apache-2.0
// Where the maps of watch_maps.h are: pinned by wardd, opened by shims.
#pragma once

#include <filesystem>

#include "lib/base/places.h"

namespace ward::filter {

// A directory of the bpf file system. The state directory is what makes a node: several may be on
// one machine.
std::filesystem::path watch_pins(const Places& places);

}  // namespace ward::filter
