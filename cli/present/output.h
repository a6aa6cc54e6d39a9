// SPDX-License-Identifier: Apache-2.0
// Standard output of `ward`. It is written in large pieces, and every write counts: what a full
// disk cut short must not end with exit code 0.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/base/result.h"

namespace ward::cli {

class Output {
 public:
  explicit Output(int fd) : fd_(fd) {}
  void print(std::string_view text);
  // The error of the first write that failed, also of an earlier print(); after it nothing is
  // written any more.
  Result<void> flush();
  // The last one: some file systems report a full disk only when the file is closed.
  Result<void> close();

 private:
  int fd_;
  std::string pending_;
  std::optional<Error> failed_;
};

}  // namespace ward::cli
