// SPDX-License-Identifier: Apache-2.0
// What the journal has of each shim's violations, as rows of `counters`: a violation event counts
// for itself, its repeats and those dropped before it, one of a tolerated call for the latter only.
// An account is closed by the event that says what was lost; what comes after that is not taken,
// because it is counted as lost. Called inside of the writer's jobs.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "enforcer/database/connection.h"
#include "lib/base/result.h"
#include "ward/node/v1/types.pb.h"

namespace ward::enforcer {

std::string shim_of(const std::string& event_id);  // "a1b2-17" -> "a1b2"; empty: it does not say

std::uint64_t weight_of(const node::v1::Violation& violation);

std::string lost_event_id(const std::string& shim);
std::string account_row(const std::string& shim);  // its name in `counters`

Result<void> add_to_counter(Connection& connection, const std::string& name, std::uint64_t by);
Result<void> add_to_account(Connection& connection, const std::string& shim, std::uint64_t weight);
Result<std::uint64_t> read_account(Connection& connection,
                                   const std::string& shim);  // 0 where there is none
Result<bool> is_account_closed(Connection& connection, const std::string& shim);
Result<void> forget_account(Connection& connection, const std::string& shim);
Result<void> forget_accounts_but(Connection& connection, const std::set<std::string>& shims);

}  // namespace ward::enforcer
