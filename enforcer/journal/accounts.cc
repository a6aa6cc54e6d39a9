// SPDX-License-Identifier: Apache-2.0
#include "enforcer/journal/accounts.h"

#include <vector>

namespace ward::enforcer {
namespace {

constexpr std::string_view kRow = "shim ";  // in front of the id

}  // namespace

std::string shim_of(const std::string& event_id) {
  const std::size_t dash = event_id.find_last_of('-');
  return dash == std::string::npos ? std::string() : event_id.substr(0, dash);
}

std::uint64_t weight_of(const node::v1::Violation& violation) {
  return (violation.tolerated() ? 0 : 1 + violation.repeats()) + violation.dropped_before();
}

std::string lost_event_id(const std::string& shim) { return "violations-lost-" + shim; }

std::string account_row(const std::string& shim) { return std::string(kRow) + shim; }

Result<void> add_to_counter(Connection& connection, const std::string& name, std::uint64_t by) {
  if (by == 0) return {};
  auto statement = connection.prepare(
      "INSERT INTO counters (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = "
      "value + ?2");
  if (!statement) return tl::unexpected<Error>(statement.error());
  return statement->bind(name).bind(static_cast<std::int64_t>(by)).run();
}

Result<void> add_to_account(Connection& connection, const std::string& shim, std::uint64_t weight) {
  return add_to_counter(connection, account_row(shim), weight);
}

Result<std::uint64_t> read_account(Connection& connection, const std::string& shim) {
  auto statement = connection.prepare("SELECT value FROM counters WHERE name = ?");
  if (!statement) return tl::unexpected<Error>(statement.error());
  auto row = statement->bind(account_row(shim)).step();
  if (!row) return tl::unexpected<Error>(row.error());
  return *row ? static_cast<std::uint64_t>(statement->integer(0)) : 0;
}

Result<bool> is_account_closed(Connection& connection, const std::string& shim) {
  auto statement = connection.prepare("SELECT 1 FROM events WHERE event_id = ?");
  if (!statement) return tl::unexpected<Error>(statement.error());
  return statement->bind(lost_event_id(shim)).step();
}

Result<void> forget_account(Connection& connection, const std::string& shim) {
  auto statement = connection.prepare("DELETE FROM counters WHERE name = ?");
  if (!statement) return tl::unexpected<Error>(statement.error());
  return statement->bind(account_row(shim)).run();
}

Result<void> forget_accounts_but(Connection& connection, const std::set<std::string>& shims) {
  std::vector<std::string> strangers;
  {
    auto statement = connection.prepare("SELECT name FROM counters");
    if (!statement) return tl::unexpected<Error>(statement.error());
    auto row = statement->step();
    for (; row && *row; row = statement->step()) {
      const std::string name = statement->text(0);
      if (name.rfind(kRow, 0) == 0 && !shims.contains(name.substr(kRow.size()))) {
        strangers.push_back(name.substr(kRow.size()));
      }
    }
    if (!row) return tl::unexpected<Error>(row.error());
  }
  for (const std::string& shim : strangers) {
    if (auto done = forget_account(connection, shim); !done) return done;
  }
  return {};
}

}  // namespace ward::enforcer
