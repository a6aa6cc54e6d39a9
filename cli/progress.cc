// SPDX-License-Identifier: Apache-2.0
#include "cli/progress.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>

namespace ward::cli {

Progress::Progress(std::string doing) : doing_(std::move(doing)) {
  if (::isatty(STDERR_FILENO) == 1) thread_ = std::thread([this] { tell(); });
}

Progress::~Progress() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  ended_.notify_one();
  thread_.join();
}

void Progress::tell() {
  constexpr int kSilent_s = 2;
  std::unique_lock lock(mutex_);
  const auto over = [this] { return over_; };
  if (ended_.wait_for(lock, std::chrono::seconds(kSilent_s), over)) return;
  for (int seconds = kSilent_s;; ++seconds) {
    std::fprintf(stderr, "\r%s: %d s ...\033[K", doing_.c_str(), seconds);
    if (ended_.wait_for(lock, std::chrono::seconds(1), over)) break;
  }
  std::fputs("\r\033[K", stderr);
}

}  // namespace ward::cli
