// SPDX-License-Identifier: Apache-2.0
// What tests on an Asio loop share: the loop, run until something holds, and a directory for
// sockets.
#pragma once

#include <gtest/gtest.h>

#include <asio/io_context.hpp>
#include <chrono>
#include <filesystem>
#include <functional>

#include "lib/base/digest.h"

namespace ward::test {

class LoopTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(std::filesystem::create_directory(directory_)); }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  // A bound, not a pace: the loop is woken by what happens on its sockets.
  bool run_until(const std::function<bool()>& holds,
                 std::chrono::seconds bound = std::chrono::seconds(20)) {
    const auto deadline = std::chrono::steady_clock::now() + bound;
    while (!holds()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      loop_.restart();
      loop_.run_one_for(std::chrono::milliseconds(5));
    }
    return true;
  }
  void run_for(std::chrono::milliseconds time) {
    const auto deadline = std::chrono::steady_clock::now() + time;
    run_until([&] { return std::chrono::steady_clock::now() >= deadline; });
  }

  asio::io_context loop_{1};
  std::filesystem::path directory_ =
      std::filesystem::temp_directory_path() / ("ward-loop-" + random_hex(6));
  std::filesystem::path path_ = directory_ / "s";
};

}  // namespace ward::test
