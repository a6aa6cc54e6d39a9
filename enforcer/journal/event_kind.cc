// SPDX-License-Identifier: Apache-2.0
#include "enforcer/journal/event_kind.h"

#include <algorithm>
#include <array>
#include <utility>

namespace ward::enforcer {
namespace {

constexpr std::array kWords = std::to_array<std::pair<EventKind, std::string_view>>({
    {EventKind::kViolation, "violation"},
    {EventKind::kTolerated, "tolerated"},
    {EventKind::kSessionRefused, "session-refused"},
    {EventKind::kNewerProgram, "newer-program"},
    {EventKind::kQuarantined, "quarantined"},
    {EventKind::kReleased, "released"},
    {EventKind::kKilled, "killed"},
    {EventKind::kModeChanged, "mode-changed"},
    {EventKind::kWidened, "widened"},
    {EventKind::kStormGuard, "storm-guard"},
    {EventKind::kCapabilityUsed, "capability-used"},
    {EventKind::kCapabilityDenied, "capability-denied"},
    {EventKind::kEndedByFilter, "ended-by-filter"},
    {EventKind::kPrivilegesGained, "privileges-gained"},
    {EventKind::kSeenLost, "seen-lost"},
    {EventKind::kViolationsLost, "violations-lost"},
    {EventKind::kSpoolDamaged, "spool-damaged"},
    {EventKind::kDatabaseRepaired, "database-repaired"},
    {EventKind::kEvidenceRemoved, "evidence-removed"},
    {EventKind::kProfileApplied, "profile-applied"},
    {EventKind::kAmended, "amended"},
    {EventKind::kAmendmentDropped, "amendment-dropped"},
    {EventKind::kPoliciesRemoved, "policies-removed"},
    {EventKind::kCompiledAgain, "compiled-again"},
    {EventKind::kRejected, "rejected"},
    {EventKind::kRecordingStarted, "recording-started"},
    {EventKind::kRecordingEnded, "recording-ended"},
    {EventKind::kRecordingForgotten, "recording-forgotten"},
});

}  // namespace

EventKind kind_of(const node::v1::Violation& reported) {
  if (reported.tolerated() && !reported.capability().empty()) return EventKind::kCapabilityDenied;
  if (reported.session() == node::v1::SESSION_NOTE_REFUSED) return EventKind::kSessionRefused;
  if (reported.session() == node::v1::SESSION_NOTE_NEWER_PROGRAM) return EventKind::kNewerProgram;
  return reported.tolerated() ? EventKind::kTolerated : EventKind::kViolation;
}

std::string_view event_kind_name(EventKind kind) {
  const auto found = std::find_if(kWords.begin(), kWords.end(),
                                  [&](const auto& word) { return word.first == kind; });
  return found == kWords.end() ? "unknown" : found->second;
}

EventKind parse_event_kind(std::string_view name) {
  const auto found = std::find_if(kWords.begin(), kWords.end(),
                                  [&](const auto& word) { return word.second == name; });
  return found == kWords.end() ? EventKind::kUnknown : found->first;
}

std::vector<EventKind> event_kinds() {
  std::vector<EventKind> kinds;
  kinds.reserve(kWords.size());
  for (const auto& [kind, word] : kWords) kinds.push_back(kind);
  return kinds;
}

}  // namespace ward::enforcer
