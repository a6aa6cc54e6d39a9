// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <csignal>
#include <cstdio>
#include <string>

#include "tests/support/node.h"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  std::signal(SIGPIPE, SIG_IGN);
  if (const std::string why = ward::test::isolate_mounts(); !why.empty()) {
    std::fprintf(stderr, "integration tests cannot run here: %s\n", why.c_str());
    return 1;
  }
  return RUN_ALL_TESTS();
}
