// SPDX-License-Identifier: Apache-2.0
// What the tests of the shim's links share: a loop run until something holds, a directory, and a peer that can start
// late, die and come back.
#pragma once

#include <gtest/gtest.h>

#include <asio/io_context.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "lib/base/digest.h"
#include "lib/linux/unix_socket.h"
#include "lib/ttrpc/server.h"

namespace ward::shim {

class LinkTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(std::filesystem::create_directory(directory_)); }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  // A bound, not a pace: the loop is woken by what happens on its sockets.
  bool run_until(const std::function<bool()>& holds, std::chrono::seconds bound = std::chrono::seconds(20)) {
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
  std::filesystem::path directory_ = std::filesystem::temp_directory_path() / ("ward-link-" + random_hex(6));
};

}  // namespace ward::shim
