// SPDX-License-Identifier: Apache-2.0
// For a verb that goes on until somebody ends it, and then has something left to do: INT, TERM and
// the end of children come as something to wait for, not as an end. To be made before the
// connection to wardd, whose threads would take the signals otherwise. While it lives a second
// signal is for the verb too; afterwards it ends the program as usual.
#pragma once

#include <signal.h>

#include <chrono>
#include <optional>

#include "lib/base/result.h"
#include "lib/base/unique_fd.h"

namespace ward::cli {

class StopSignals {
 public:
  static Result<StopSignals> block();
  ~StopSignals();
  StopSignals(StopSignals&& other) noexcept = default;
  StopSignals& operator=(StopSignals&&) = delete;

  // The number of the next one; absent where none came in time. One call takes one signal.
  [[nodiscard]] std::optional<int> wait(std::chrono::milliseconds longest) const;
  [[nodiscard]] const sigset_t& mask_before() const { return before_; }  // for a child

 private:
  StopSignals(UniqueFd fd, sigset_t before) : fd_(std::move(fd)), before_(before) {}

  UniqueFd fd_;
  sigset_t before_;
};

}  // namespace ward::cli
