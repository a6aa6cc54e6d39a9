// SPDX-License-Identifier: Apache-2.0
// The command line of `ward` as one tree: verbs, their options, what each takes, an example.
// Parsing, help and the shells' completion all come from it.
#pragma once

#include <CLI/App.hpp>
#include <memory>

#include "cli/session.h"

namespace ward::cli {

// What parsing runs writes its exit code to `exit_code`. Both outlive the tree.
std::unique_ptr<CLI::App> make_app(Session& session, int& exit_code);

// What a value names, where it is no text: its type in the help, and what a shell offers for it.
inline constexpr const char* kContainerValue = "CONTAINER";
inline constexpr const char* kWorkloadValue = "WORKLOAD";
inline constexpr const char* kProfileValue = "PROFILE";
inline constexpr const char* kFileValue = "FILE";
inline constexpr const char* kVerbValue = "VERB";

// Before the examples in a verb's help.
inline constexpr const char* kExamples = "Examples:";
// "  ward ps" a line, for CLI::App::footer().
std::string examples(std::initializer_list<const char*> lines);

}  // namespace ward::cli
