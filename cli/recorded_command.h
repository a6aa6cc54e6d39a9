// SPDX-License-Identifier: Apache-2.0
// The command of `ward record -- COMMAND`: a child with our streams, which gets the signals that we
// get.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "cli/stop_signals.h"
#include "lib/base/result.h"

namespace ward::cli {

class RecordedCommand {
 public:
  static Result<RecordedCommand> start(const std::vector<std::string>& words,
                                       const StopSignals& signals);

  // Hands on a signal that was for us; one of the terminal's keys it has got by itself. It is asked
  // once: a second signal kills it.
  void pass_on(int signal);
  // Its exit status, 128 and the number of a signal that ended it included; absent while it runs.
  std::optional<int> ended();

 private:
  explicit RecordedCommand(pid_t pid) : pid_(pid) {}

  pid_t pid_;
  bool asked_ = false;
  std::optional<int> status_;
};

}  // namespace ward::cli
