// SPDX-License-Identifier: Apache-2.0
// What tests of failures ask at their end: is anything of this container, or of any container of
// the node, still there?
#pragma once

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "tests/support/node.h"

namespace ward::test {

inline std::vector<std::string> remains_of_containers(const Node& node) {
  return node.leftovers(Daemons::kIgnore);
}

inline void expect_no_remains(const Node& node, const std::string& when) {
  await([&] { return remains_of_containers(node).empty(); },
        std::chrono::seconds(is_slow_host() ? 30 : 10));
  EXPECT_THAT(remains_of_containers(node), testing::IsEmpty()) << when;
}

inline void expect_nothing_is_left_of(const Node& node, const std::string& id,
                                      const std::string& when) {
  node.remove(id);
  expect_no_remains(node, when);
}

}  // namespace ward::test
