// SPDX-License-Identifier: Apache-2.0
// What the words of `ward record` mean. Pure.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "lib/base/result.h"

namespace ward::cli {

// "60s", "5m", "2h": a second to a day.
Result<std::chrono::seconds> parse_length(const std::string& text);

// The name that a recording of these containers is kept under: "web" of "web-*" and of
// "shop/web-*". Empty where they have no name in common: then each container is recorded under a
// name of its own.
std::string workload_of(const std::vector<std::string>& patterns);

// None of them has a '*': each names what it means, and nothing else can come.
bool are_literal(const std::vector<std::string>& patterns);

}  // namespace ward::cli
