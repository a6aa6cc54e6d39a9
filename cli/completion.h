// SPDX-License-Identifier: Apache-2.0
// `ward completion SHELL` prints a script for a shell; that script asks `ward complete WORDS...`,
// so that what a shell offers is what this very program takes.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "cli/session.h"

namespace ward::cli {

inline constexpr const char* kCompleteVerb = "complete";

// One candidate a line, "text<tab>description"; the line ":files" asks the shell for its own. Says
// nothing of errors: a shell would print them into what is being typed.
void print_candidates(const CLI::App& app, const std::vector<std::string>& words, Session& session);

}  // namespace ward::cli
