// SPDX-License-Identifier: Apache-2.0
// The name of this machine. Source: gethostname(2).
#pragma once

#include <string>

namespace ward {

std::string host_name();  // empty where the kernel does not tell it

}  // namespace ward
