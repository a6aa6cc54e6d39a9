// SPDX-License-Identifier: Apache-2.0
// A program that is run to its end, with what it said. It does not outlive its time.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "lib/base/result.h"

namespace ward::cli::node {

struct Ran {
  int status = 0;  // 128 and the signal where one ended it
  std::string out, err;
};

// Of each stream the first 8 MiB are kept. kDeadlineExceeded where it had to be ended. `executed`:
// the file, where that is not what the program is told to be called.
Result<Ran> run_program(const std::vector<std::string>& command, std::chrono::milliseconds patience,
                        const std::string& executed = {});

// The last line that says something of what a program said, for an error.
std::string last_words(const Ran& ran);

}  // namespace ward::cli::node
