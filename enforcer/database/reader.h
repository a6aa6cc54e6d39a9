// SPDX-License-Identifier: Apache-2.0
// Reads <state>/ward.db on the core loop, beside the writer: a connection of its own, opened when it is first needed
// (the writer creates the file) and then kept.
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

#include "enforcer/database/connection.h"
#include "lib/base/result.h"

namespace ward::enforcer {

class Reader {
 public:
  explicit Reader(std::filesystem::path database) : database_(std::move(database)) {}

  // A file that cannot be opened is tried again by the next call.
  Result<Statement> prepare(std::string_view sql);

 private:
  std::filesystem::path database_;
  std::optional<Connection> connection_;
};

}  // namespace ward::enforcer
