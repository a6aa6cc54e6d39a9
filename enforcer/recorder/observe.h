// SPDX-License-Identifier: Apache-2.0
// From the tables of one run to a profiles::Run.
#pragma once

#include <cstdint>

#include "enforcer/recorder/kernel_side.h"
#include "lib/base/result.h"
#include "profiles/learn/observation.h"

namespace ward::recorder {

Result<profiles::Run> observe(const KernelSide& kernel, std::uint32_t slot);

}  // namespace ward::recorder
