// SPDX-License-Identifier: Apache-2.0
// Notices that the kernel killed a process of a container because its memory limit was reached. One
// descriptor on the loop: an eventfd that the v1 memory controller signals, or memory.events of
// cgroup2 itself, polled. Costs nothing while nothing happens.
// Source: Documentation/admin-guide/cgroup-v1/memory.rst "OOM Control", cgroup-v2.rst "memory.events"
#pragma once

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "lib/base/result.h"
#include "lib/base/unique_fd.h"

namespace ward::shim::task {

class OomWatch : public std::enable_shared_from_this<OomWatch> {
 public:
  enum class Mode { kV1, kUnified };

  // `killed` is called also for kills before this call; from the loop, or from inside check(). v1:
  // once for each kill. Unified: once for each time something was killed, which with
  // memory.oom.group is the whole cgroup. kNotFound where the cgroup has no memory controller.
  static Result<std::shared_ptr<OomWatch>> open(asio::io_context& loop, Mode mode,
                                                std::filesystem::path cgroup,
                                                std::function<void()> killed);
  ~OomWatch();
  OomWatch(const OomWatch&) = delete;
  OomWatch& operator=(const OomWatch&) = delete;

  // Looks now: before an end is told, so that its reason is known first.
  void check();
  void stop();  // `killed` is not called any more

 private:
  OomWatch(asio::io_context& loop, Mode mode, std::filesystem::path cgroup,
           std::function<void()> killed);
  Result<void> listen_v1();
  Result<void> listen_unified();
  void wait();
  bool take_notification();  // v1: the eventfd was signalled
  void report(bool notified);
  void report_v1(bool notified);
  void look_again(std::chrono::milliseconds after);
  [[nodiscard]] std::string read_counters() const;

  UniqueFd counters_;         // cgroup2: memory.events
  asio::steady_timer later_;  // v1: a kill that was announced and is not counted yet
  asio::posix::stream_descriptor events_;
  Mode mode_;
  std::filesystem::path cgroup_;
  std::function<void()> killed_;
  std::uint64_t reported_ = 0;  // of the kernel's counter
};

}  // namespace ward::shim::task
