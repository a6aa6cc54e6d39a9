// SPDX-License-Identifier: Apache-2.0
// A line on a terminal's standard error for whatever takes longer than two seconds: what is waited
// for, and for how long by now. It is gone when the object goes. Has a thread of its own; without a
// terminal it does nothing.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace ward::cli {

class Progress {
 public:
  explicit Progress(std::string doing);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

 private:
  void tell();

  const std::string doing_;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool over_ = false;
  std::thread thread_;
};

}  // namespace ward::cli
