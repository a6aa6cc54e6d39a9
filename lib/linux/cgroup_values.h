// SPDX-License-Identifier: Apache-2.0
// The few text formats in which cgroup files hold numbers. What is missing or malformed is absent:
// a controller that a kernel does not have is no error. Source:
// Documentation/admin-guide/cgroup-v2.rst "Interface Files"
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace ward {

inline constexpr std::uint64_t kNoCgroupLimit = ~std::uint64_t{0};

// Pure. "max" is kNoCgroupLimit; a negative number (v1 swap limits on some kernels) is absent.
std::optional<std::uint64_t> parse_cgroup_value(std::string_view text);

// The whole file, empty where it cannot be read; and the one value in it.
std::string read_cgroup_text(const std::filesystem::path& file);
std::optional<std::uint64_t> read_cgroup_value(const std::filesystem::path& file);

// Cuts the next line, or word of a line, off the front of `text`; empty when `text` is.
std::string_view take_line(std::string_view& text);
std::string_view take_word(std::string_view& line);

// Pure: the value of `key` in lines of "key value".
std::optional<std::uint64_t> find_cgroup_key(std::string_view text, std::string_view key);

}  // namespace ward
