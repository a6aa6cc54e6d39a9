// SPDX-License-Identifier: Apache-2.0
// Reads <state>/ward.db on the core loop, beside the writer: a connection of its own, opened when
// it is first needed (the writer creates the file) and then kept.
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

#include "enforcer/database/connection.h"
#include "enforcer/database/writer.h"
#include "lib/base/result.h"

namespace ward::enforcer {

class Reader {
 public:
  Reader(Writer& writer, std::filesystem::path database);
  ~Reader();
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  // A file that cannot be opened is tried again by the next call. The statement must not outlive
  // the handler on the loop that asked for it.
  Result<Statement> prepare(std::string_view sql);
  void close();  // the next call opens it again

 private:
  Writer& writer_;
  std::filesystem::path database_;
  std::optional<Connection> connection_;
};

}  // namespace ward::enforcer
