// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "lib/base/result.h"

namespace ward {

// To a descriptor that is waited for; `what` is for the error.
Result<void> write_all(int fd, std::string_view content, const std::string& what);

}  // namespace ward
