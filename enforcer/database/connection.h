// SPDX-License-Identifier: Apache-2.0
// SQLite, thinly: a connection and its statements, with Result instead of return codes. Used by wardd's journal,
// recordings and store; knows no table but through the statements it is given. One thread per connection.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "lib/base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace ward::enforcer {

class Statement {
 public:
  // Bound in order, first call is parameter 1. Text and blobs are copied.
  Statement& bind(std::int64_t value);
  Statement& bind(std::string_view text);
  Statement& bind_blob(std::string_view bytes);

  Result<bool> step();  // true: there is a row
  Result<void> run();   // steps to the end, ignoring rows

  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] std::string text(int column) const;  // text or blob
  void reset();                                      // ready to be bound and stepped again

 private:
  friend class Connection;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int next_ = 1;
  int bind_error_ = 0;
};

enum class Access { kReadWrite, kReadOnly };

class Connection {
 public:
  // kReadWrite creates the file and sets WAL with synchronous=FULL: what is committed survives a power cut.
  static Result<Connection> open(const std::filesystem::path& path, Access access);

  Result<Statement> prepare(std::string_view sql);
  Result<void> execute(const std::string& sql);
  [[nodiscard]] std::int64_t changes() const;  // rows changed by the last statement

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  explicit Connection(sqlite3* database) : database_(database) {}
  std::unique_ptr<sqlite3, Close> database_;
};

}  // namespace ward::enforcer
