// SPDX-License-Identifier: Apache-2.0
// A text file that others own: written whole, with the mode and the owner that it had.
#pragma once

#include <filesystem>
#include <string_view>

#include "lib/base/result.h"

namespace ward::cli::node {

// Nothing happens where it says so already. A new one is 0644, with the folders above it.
Result<void> write_text_file(const std::filesystem::path& path, std::string_view text);
// Gone, or never there.
Result<void> remove_text_file(const std::filesystem::path& path);
// Stays where it does not begin with `head`: somebody else has written it since.
Result<void> remove_made_file(const std::filesystem::path& path, std::string_view head);

}  // namespace ward::cli::node
