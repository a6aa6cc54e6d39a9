// SPDX-License-Identifier: Apache-2.0
// What a runtime does, in small: a process that waits at a gate to be tagged, then calls something
// without a filter, loads an allow-all filter, calls something else, and becomes the program.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "lib/base/unique_fd.h"

namespace ward::recorder {

class RecordedProcess {
 public:
  explicit RecordedProcess(std::vector<std::string> words, std::string program = RECORDED_PROGRAM);
  ~RecordedProcess();
  RecordedProcess(const RecordedProcess&) = delete;
  RecordedProcess& operator=(const RecordedProcess&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  void open_gate();
  void await_byte();  // the program has done the word "byte"
  void end_input();   // ends the word "wait"
  int finish();       // ends the input too; the exit status

 private:
  pid_t pid_ = -1;
  UniqueFd gate_, input_, output_;
};

}  // namespace ward::recorder
