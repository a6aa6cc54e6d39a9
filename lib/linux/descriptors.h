// SPDX-License-Identifier: Apache-2.0
// How near this process is to its limit of open files. A server that takes every connection it can
// have has none left for the file, the database or the person that matters more: so it keeps some
// back.
#pragma once

#include <cstddef>

namespace ward {

std::size_t
descriptor_limit();  // RLIMIT_NOFILE, as it is now: prlimit(1) may change it at any time

// What to keep back of that limit: 32, but no more than a quarter.
std::size_t descriptor_reserve();

// Whether the next descriptor would be one of those kept back, or there is none at all. The kernel
// gives the lowest number that is free.
bool descriptors_run_short();
bool is_of_reserve(int descriptor);  // one that was just given

// Raises the limit as far as this process may: to the hard limit, and beyond it (to `wanted`) with
// CAP_SYS_RESOURCE.
void raise_descriptor_limit(std::size_t wanted);

}  // namespace ward
