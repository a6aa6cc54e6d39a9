// SPDX-License-Identifier: Apache-2.0
// Runs an Asio loop until something is true, with a deadline that only a broken test meets.
#pragma once

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <chrono>
#include <functional>

namespace ward::test {

inline bool run_until(asio::io_context& loop, const std::function<bool()>& reached,
                      std::chrono::seconds limit = std::chrono::seconds(20)) {
  const auto keep = asio::make_work_guard(loop);
  const auto deadline = std::chrono::steady_clock::now() + limit;
  loop.restart();
  while (!reached()) {
    if (loop.run_one_until(deadline) == 0) return reached();
  }
  return true;
}

}  // namespace ward::test
