// SPDX-License-Identifier: Apache-2.0
#include "enforcer/systemd/service_manager.h"

#include <systemd/sd-daemon.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "lib/base/log.h"

namespace ward::enforcer {
namespace {

void tell(const std::string& state) {
  const int told = ::sd_notify(0, state.c_str());
  if (told < 0) log::debug("service manager not told", {{"error", std::strerror(-told)}});
}

bool is_there() { return std::getenv("NOTIFY_SOCKET") != nullptr; }

// A newline would begin another assignment.
std::string one_line(std::string text) {
  for (char& c : text) {
    if (c == '\n') c = ' ';
  }
  return text;
}

}  // namespace

ServiceManager::ServiceManager(asio::io_context& core, std::function<std::string()> status,
                               std::chrono::milliseconds status_interval)
    : status_(std::move(status)),
      status_interval_(status_interval),
      status_timer_(core),
      beat_timer_(core) {
  std::uint64_t within_us = 0;
  if (::sd_watchdog_enabled(0, &within_us) > 0)
    beat_interval_ = std::chrono::microseconds(within_us / 2);
}

void ServiceManager::ready() {
  if (!is_there()) return;
  told_ = one_line(status_());
  tell("READY=1\nSTATUS=" + told_);
  status_timer_.expires_after(status_interval_);
  status_timer_.async_wait([this](const asio::error_code& error) {
    if (!error) tell_status();
  });
  if (beat_interval_.count() > 0) beat();
}

// The beat goes on: wardd may hang while it stops, too.
void ServiceManager::stopping() {
  if (!is_there()) return;
  status_timer_.cancel();
  tell("STOPPING=1\nSTATUS=stopping");
}

void ServiceManager::tell_status() {
  if (std::string now = one_line(status_()); now != told_) {
    told_ = std::move(now);
    tell("STATUS=" + told_);
  }
  status_timer_.expires_after(status_interval_);
  status_timer_.async_wait([this](const asio::error_code& error) {
    if (!error) tell_status();
  });
}

void ServiceManager::beat() {
  tell("WATCHDOG=1");
  beat_timer_.expires_after(beat_interval_);
  beat_timer_.async_wait([this](const asio::error_code& error) {
    if (!error) beat();
  });
}

}  // namespace ward::enforcer
