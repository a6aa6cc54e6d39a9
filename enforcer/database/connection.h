// SPDX-License-Identifier: Apache-2.0
// SQLite, thinly: a connection and its statements, with Result instead of return codes. Used by
// wardd's journal, recordings and store; knows no table but through the statements it is given. One
// thread per connection.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

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
  Statement(sqlite3_stmt* statement, std::shared_ptr<std::uint64_t> bytes_bound)
      : statement_(statement), bytes_bound_(std::move(bytes_bound)) {}
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  std::shared_ptr<std::uint64_t> bytes_bound_;  // its connection's
  int next_ = 1;
  int bind_error_ = 0;
};

enum class Access { kReadWrite, kReadOnly };

class Connection {
 public:
  // kReadWrite creates the file and sets WAL with synchronous=FULL: what is committed survives a
  // power cut.
  static Result<Connection> open(const std::filesystem::path& path, Access access);

  Result<Statement> prepare(std::string_view sql);
  Result<void> execute(const std::string& sql);
  [[nodiscard]] std::int64_t changes() const;  // rows changed by the last statement

  void leave_log_alone();  // closing moves nothing from the log into the database

  // Counts the bytes of values bound to statements since then: about what was to be written.
  void count_bytes_from_now() { *bytes_bound_ = 0; }
  [[nodiscard]] std::uint64_t bytes_bound() const { return *bytes_bound_; }

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  explicit Connection(sqlite3* database) : database_(database) {}
  std::unique_ptr<sqlite3, Close> database_;
  std::shared_ptr<std::uint64_t> bytes_bound_ = std::make_shared<std::uint64_t>(0);
};

}  // namespace ward::enforcer
