// SPDX-License-Identifier: Apache-2.0
// `ward`: the command line of a node's wardd, and of profiles as files (lint, diff and compile need
// no wardd).
#include <csignal>

#include "cli/command_line.h"
#include "lib/base/standard_streams.h"

int main(int argc, char** argv) {
  ward::open_standard_streams();
  // A reader that goes away (`ward events -f | head`) ends us silently, as it does any filter.
  std::signal(SIGPIPE, SIG_DFL);
  return ward::cli::run(argc, argv);
}
