// SPDX-License-Identifier: Apache-2.0
// What wardd is started with, and its manual page, which is made of the same tree.
#pragma once

#include <CLI/App.hpp>
#include <memory>
#include <string>

#include "lib/base/places.h"

namespace ward::enforcer {

inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitSecondInstance = 3;

struct CommandLine {
  Places places = places_from_environment();
  int ready_fd = -1;
  bool verbose = false;
  bool man = false;  // print the page and end
};

// Parsing writes to `to`, which outlives the tree.
std::unique_ptr<CLI::App> make_app(CommandLine& to);

std::string man_page_of(const CLI::App& app, const std::string& date);

}  // namespace ward::enforcer
