// SPDX-License-Identifier: Apache-2.0
// What wardd tells the service manager that started it (sd_notify(3)): that it serves, how it is,
// that it still turns, that it stops. Says nothing where no NOTIFY_SOCKET asks for it. Lives on the
// core loop, so that a loop that hangs sends no WATCHDOG=1.
#pragma once

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <string>

namespace ward::enforcer {

class ServiceManager {
 public:
  // `status` gives the line that `systemctl status` shows; it is asked again every few seconds.
  ServiceManager(asio::io_context& core, std::function<std::string()> status,
                 std::chrono::milliseconds status_interval = std::chrono::seconds(5));

  void ready();  // the sockets are served
  void stopping();

 private:
  void tell_status();
  void beat();

  std::function<std::string()> status_;
  std::chrono::milliseconds status_interval_;
  std::chrono::microseconds beat_interval_{0};  // 0: nobody asked
  std::string told_;
  asio::steady_timer status_timer_;
  asio::steady_timer beat_timer_;
};

}  // namespace ward::enforcer
