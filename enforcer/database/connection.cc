// SPDX-License-Identifier: Apache-2.0
#include "enforcer/database/connection.h"

#include <sqlite3.h>

namespace ward::enforcer {
namespace {

tl::unexpected<Error> fail_sqlite(sqlite3* database, int status, std::string_view what) {
  Code code = Code::kInternal;
  switch (status & 0xff) {
    case SQLITE_FULL: code = Code::kResourceExhausted; break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_IOERR: code = Code::kUnavailable; break;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY: code = Code::kFailedPrecondition; break;
    case SQLITE_CONSTRAINT: code = Code::kAlreadyExists; break;
    default: break;
  }
  const char* detail = database != nullptr ? sqlite3_errmsg(database) : sqlite3_errstr(status);
  return fail(code, std::string(what) + ": " + detail);
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

Statement& Statement::bind(std::int64_t value) {
  bind_error_ |= sqlite3_bind_int64(statement_.get(), next_++, value);
  return *this;
}

Statement& Statement::bind(std::string_view text) {
  *bytes_bound_ += text.size();
  // A null pointer would bind NULL instead of the empty text.
  bind_error_ |=
      sqlite3_bind_text64(statement_.get(), next_++, text.data() != nullptr ? text.data() : "",
                          text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  return *this;
}

Statement& Statement::bind_blob(std::string_view bytes) {
  *bytes_bound_ += bytes.size();
  bind_error_ |=
      sqlite3_bind_blob64(statement_.get(), next_++, bytes.data() != nullptr ? bytes.data() : "",
                          bytes.size(), SQLITE_TRANSIENT);
  return *this;
}

Result<bool> Statement::step() {
  sqlite3* database = sqlite3_db_handle(statement_.get());
  if (bind_error_ != SQLITE_OK) return fail_sqlite(nullptr, bind_error_, "database: bind");
  const int status = sqlite3_step(statement_.get());
  if (status == SQLITE_ROW) return true;
  if (status == SQLITE_DONE) return false;
  return fail_sqlite(database, status, "database");
}

Result<void> Statement::run() {
  for (;;) {
    auto row = step();
    if (!row) return tl::unexpected<Error>(row.error());
    if (!*row) return {};
  }
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

std::string Statement::text(int column) const {
  const void* bytes = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return bytes != nullptr
             ? std::string(static_cast<const char*>(bytes), static_cast<std::size_t>(size))
             : std::string();
}

void Statement::reset() {
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
  next_ = 1;
  bind_error_ = 0;
}

void Connection::Close::operator()(sqlite3* database) const { sqlite3_close_v2(database); }

Result<Connection> Connection::open(const std::filesystem::path& path, Access access) {
  sqlite3* raw = nullptr;
  const int flags = (access == Access::kReadWrite ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
                                                  : SQLITE_OPEN_READONLY) |
                    SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int status = sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
  Connection connection(raw);  // closed even where opening failed
  if (status != SQLITE_OK) return fail_sqlite(raw, status, "database '" + path.string() + "'");
  sqlite3_busy_timeout(raw, 2000);
  std::string pragmas = "PRAGMA trusted_schema=OFF;";
  if (access == Access::kReadWrite) {
    pragmas += "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY;";
  }
  // The first statement is what really reads the file: a damaged one is found here.
  if (auto set = connection.execute(pragmas + "SELECT count(*) FROM sqlite_master;"); !set) {
    return fail_with("database '" + path.string() + "'", set.error());
  }
  return connection;
}

Result<Statement> Connection::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int status = sqlite3_prepare_v2(database_.get(), sql.data(), static_cast<int>(sql.size()),
                                        &statement, nullptr);
  if (status != SQLITE_OK) return fail_sqlite(database_.get(), status, "database");
  return Statement(statement, bytes_bound_);
}

Result<void> Connection::execute(const std::string& sql) {
  const int status = sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (status != SQLITE_OK) return fail_sqlite(database_.get(), status, "database");
  return {};
}

void Connection::leave_log_alone() {
  sqlite3_db_config(database_.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
}

std::int64_t Connection::changes() const { return sqlite3_changes64(database_.get()); }

}  // namespace ward::enforcer
