// SPDX-License-Identifier: Apache-2.0
// A command line, from its words to the exit code.
#pragma once

namespace ward::cli {

// Writes to standard output and standard error; one of kExitCodes (cli/app.h).
int run(int argc, char** argv);

}  // namespace ward::cli
