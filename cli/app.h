// SPDX-License-Identifier: Apache-2.0
// The command line of `ward` as one tree: verbs, their options, what each takes, an example.
// Parsing, help and the shells' completion all come from it.
#pragma once

#include <CLI/App.hpp>
#include <array>
#include <memory>
#include <utility>

#include "cli/session.h"
#include "lib/man/man_page.h"

namespace ward::cli {

// What parsing runs writes its exit code to `exit_code`. Both outlive the tree.
std::unique_ptr<CLI::App> make_app(Session& session, int& exit_code);

// What a value names, where it is no text: its type in the help, and what a shell offers for it.
inline constexpr const char* kContainerValue = "CONTAINER";
inline constexpr const char* kWorkloadValue = "WORKLOAD";
inline constexpr const char* kProfileValue = "PROFILE";
inline constexpr const char* kFileValue = "FILE";
inline constexpr const char* kVerbValue = "VERB";

// What no option says, for the help and the manual pages.
inline constexpr const char* kAbout =
    "learn what a container does, enforce it, contain what breaks it";
inline constexpr std::array<std::pair<ExitCode, const char*>, 8> kExitCodes = {
    {{kExitOk, "done"},
     {kExitFailed, "refused or failed"},
     {kExitUsage, "wrong command line"},
     {kExitUnreachable, "wardd does not answer"},
     {kExitInvalid, "a file is not a valid profile or policy"},
     {kExitDifferent, "`profile diff` or `applied` found differences"},
     {kExitProblems, "`status` or `node` shows a problem"},
     {kExitUngoverned, "`policy test` found no rule"}}};
struct PlaceVariable {
  const char* name;
  const char* place;
  const char* what;
};
inline constexpr std::array<PlaceVariable, 3> kPlaceVariables = {
    {{"WARD_CONFIG_DIR", "/etc/ward", "profiles, policies and wardd.yaml"},
     {"WARD_STATE_DIR", "/var/lib/ward", "what wardd keeps"},
     {"WARD_RUN_DIR", "/run/ward", "where wardd's socket is"}}};

// "  ward ps" a line, for CLI::App::footer().
std::string examples(std::initializer_list<const char*> lines);

}  // namespace ward::cli
