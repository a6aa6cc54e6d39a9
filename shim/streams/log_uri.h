// SPDX-License-Identifier: Apache-2.0
// Where a client wants a process's output: "" (nowhere), a bare path (a FIFO or a file),
// "file:///path", or "binary:///program?key=value" (a logger that the shim starts),
// "binary-v2:///..." (one that has to say that it is ready). Pure text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"

namespace ward::shim::streams {

struct LogUri {
  std::string scheme;  // "fifo" for a bare path
  std::string path;
  std::vector<std::string> arguments;  // key, value, key, value, ... of the query, in its order

  [[nodiscard]] bool is_logger() const { return scheme == "binary" || says_ready(); }
  [[nodiscard]] bool says_ready() const { return scheme == "binary-v2"; }
};

// kInvalidArgument with the reason: a path that is not absolute, a query that cannot be decoded.
Result<LogUri> parse_log_uri(std::string_view text);

}  // namespace ward::shim::streams
