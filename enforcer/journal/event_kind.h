// SPDX-License-Identifier: Apache-2.0
// What an event of the journal tells: the words that the database keeps and `ward events` prints
// (docs/json.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "ward/node/v1/types.pb.h"

namespace ward::enforcer {

enum class EventKind : std::uint8_t {
  kUnknown,  // of a database that another version wrote; never written
  kViolation,
  kTolerated,
  kSessionRefused,
  kNewerProgram,
  kQuarantined,
  kReleased,
  kKilled,
  kModeChanged,
  kWidened,
  kStormGuard,
  kCapabilityUsed,
  kCapabilityDenied,
  kEndedByFilter,
  kPrivilegesGained,
  kSeenLost,
  kViolationsLost,
  kSpoolDamaged,
  kDatabaseRepaired,
  kEvidenceRemoved,
  kProfileApplied,
  kAmended,
  kAmendmentDropped,
  kPoliciesRemoved,
  kCompiledAgain,
  kRejected,
  kRecordingStarted,
  kRecordingEnded,
  kRecordingForgotten,
};

// Of what a shim reports.
EventKind kind_of(const node::v1::Violation& reported);

std::string_view event_kind_name(EventKind kind);
EventKind parse_event_kind(std::string_view name);
std::vector<EventKind> event_kinds();  // all that are written

}  // namespace ward::enforcer
