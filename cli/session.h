// SPDX-License-Identifier: Apache-2.0
// What every verb shares: the global options and the connection to wardd, made when a verb first
// needs it. A verb returns its exit code; errors it meets are printed by fail(), to standard error,
// with what to do about them: as text, or with --output json as one object {"error", "exit_code"}
// on a line.
#pragma once

#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "cli/present/output.h"
#include "cli/present/style.h"
#include "lib/base/places.h"
#include "lib/base/result.h"
#include "ward/v1/api.grpc.pb.h"

namespace grpc {
class Status;
}

namespace ward::cli {

// Documented in `ward --help` and docs/operations.md.
enum ExitCode : int {
  kExitOk = 0,
  kExitFailed = 1,       // refused, not found, or the operation failed
  kExitUsage = 2,        // wrong command line
  kExitUnreachable = 3,  // wardd does not answer
  kExitInvalid = 4,      // a file is not a valid profile or policy
  kExitDifferent = 5,    // `profile diff` found differences
  kExitProblems = 6,     // `status` or `node` shows a problem, or something is left to do
  kExitUngoverned = 7,   // `policy test`: no rule selects the container
};

struct Session {
  Places places = places_from_environment();
  bool json = false;
  Style out{1};
  Style err{2};
  Output output{1};
  std::size_t behind_dashes = 0;  // words of the command line that stand behind the first `--`

  // The answer, to standard output.
  void print(std::string_view text) { output.print(text); }
  // What is said beside the answer, a line of standard error each; the same warning once.
  void say(std::string_view line) const;
  void warn(const std::string& warning);
  template <typename Warnings>  // any list of strings
  void warn_all(const Warnings& warnings) {
    for (const auto& warning : warnings) warn(warning);
  }

  // The connection; never fails by itself, the first call does.
  ward::v1::Ward::Stub& api();
  void connect_again() { stub_.reset(); }  // gRPC itself would wait longer and longer

  // Prints the error of a call and gives the exit code it means.
  [[nodiscard]] int fail(std::string_view doing, const grpc::Status& status) const;
  [[nodiscard]] int fail(const Error& error) const;
  [[nodiscard]] int refuse(const std::string& message, ExitCode exit_code) const;

 private:
  std::unique_ptr<ward::v1::Ward::Stub> stub_;
  std::set<std::string> warned_;
};

// For a call that begins now: a wardd that stands still would keep its caller for ever.
inline std::chrono::system_clock::time_point deadline(
    std::chrono::seconds patience = std::chrono::seconds(10)) {
  return std::chrono::system_clock::now() + patience;
}
// wardd reads and compiles every file of the node for an `apply`.
inline constexpr std::chrono::seconds kPatienceToCompile{120};

}  // namespace ward::cli
