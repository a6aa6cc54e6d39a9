// SPDX-License-Identifier: Apache-2.0
// What tests of failures ask at their end: is anything of this container, or of any container of the node, still there?
#pragma once

#include <gmock/gmock.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/node.h"

namespace ward::test {

// Everything of containers: what belongs to containerd and wardd themselves is not counted.
inline std::vector<std::string> remains_of_containers(const Node& node) {
  std::vector<std::string> left = node.leftovers();
  std::erase_if(left, [](const std::string& what) {
    return what.find(" containerd -c ") != std::string::npos || what.find("/wardd ") != std::string::npos;
  });
  return left;
}

inline void expect_no_remains(const Node& node, const std::string& when) {
  await([&] { return remains_of_containers(node).empty(); }, std::chrono::seconds(10));
  EXPECT_THAT(remains_of_containers(node), testing::IsEmpty()) << when;
}

inline void expect_nothing_is_left_of(const Node& node, const std::string& id, const std::string& when) {
  node.remove(id);
  const auto bundle = node.bundle(id);
  await([&] { return remains_of_containers(node).empty() && !std::filesystem::exists(bundle); },
        std::chrono::seconds(10));
  expect_no_remains(node, when);
  EXPECT_FALSE(std::filesystem::exists(bundle)) << when;
  EXPECT_FALSE(std::filesystem::exists("/run/containerd/runc/" + node.name() + "/" + id)) << when;
}

}  // namespace ward::test
