// SPDX-License-Identifier: Apache-2.0
#include "enforcer/sinks/event.h"

#include <algorithm>

#include "lib/base/escape.h"
#include "lib/base/utf8.h"
#include "profiles/filter/syscall_arity.h"
#include "profiles/filter/terms.h"

namespace ward::enforcer::sinks {
namespace {

// Cut where a character begins: half of one would be no UTF-8.
std::string bounded(const std::string& text, std::size_t most = kMaxText) {
  if (text.size() <= most) return text;
  std::size_t end = most - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end) + "...";
}

std::string bundle_name(const std::string& directory) {
  return bounded(directory.substr(directory.rfind('/') + 1));
}

Severity of_violation(const node::v1::Violation& body) {
  const std::string& outcome = body.outcome();
  if (outcome.rfind("quarantined", 0) == 0 || outcome.rfind("killed", 0) == 0)
    return Severity::kCritical;
  if (body.action() == node::v1::ACTION_LOG || outcome.rfind("continued", 0) == 0)
    return Severity::kMedium;
  // A container that was to be contained and is not.
  const bool failed = outcome.find("failed") != std::string::npos;
  return failed ? Severity::kCritical : Severity::kHigh;
}

}  // namespace

Severity severity_of(const JournalEntry& entry) {
  switch (entry.kind) {
    case EventKind::kViolation: return of_violation(entry.body);
    case EventKind::kQuarantined: return Severity::kCritical;
    case EventKind::kKilled:
    case EventKind::kCapabilityUsed:
    case EventKind::kEndedByFilter:
    case EventKind::kPrivilegesGained:
    case EventKind::kPoliciesRemoved:
    case EventKind::kSeenLost:
    case EventKind::kViolationsLost:
    case EventKind::kSpoolDamaged:
    case EventKind::kDatabaseRepaired: return Severity::kHigh;
    case EventKind::kSessionRefused:
    case EventKind::kNewerProgram:
    case EventKind::kStormGuard:
    case EventKind::kRejected:
    case EventKind::kCompiledAgain:
    case EventKind::kUnknown: return Severity::kMedium;
    case EventKind::kTolerated:
    case EventKind::kCapabilityDenied:
    case EventKind::kReleased:
    case EventKind::kModeChanged:
    case EventKind::kAmended:
    case EventKind::kAmendmentDropped:
    case EventKind::kEvidenceRemoved:
    case EventKind::kRecordingForgotten: return Severity::kLow;
    case EventKind::kWidened:
    case EventKind::kProfileApplied:
    case EventKind::kRecordingStarted:
    case EventKind::kRecordingEnded: return Severity::kInfo;
  }
  return Severity::kMedium;
}

std::string digest_in(const std::string& image) {
  constexpr std::size_t kHex = 64;
  const std::size_t at = image.rfind("@sha256:");
  if (at == std::string::npos) return "";
  std::string digest = image.substr(at + 1);
  const bool whole = digest.size() == 7 + kHex &&
                     digest.find_first_not_of("0123456789abcdef", 7) == std::string::npos;
  return whole ? digest : "";
}

Event make_event(const JournalRecord& record, const Surroundings& around) {
  const node::v1::Violation& body = record.entry.body;
  const node::v1::Identity& identity = body.identity();
  Event out;
  out.id = bounded(body.event_id());
  out.sequence = record.sequence;
  out.wall_ns = body.wall_ns();
  out.node = bounded(around.node);
  out.kind = event_kind_name(record.entry.kind);
  out.severity = severity_of(record.entry);
  out.workload = bounded(around.workload.empty() ? workload_of(body) : around.workload);
  out.containerd_namespace = bounded(identity.containerd_namespace());
  out.container = bounded(identity.container_id());
  out.container_name = bounded(identity.container_name());
  out.kubernetes_namespace = bounded(identity.kubernetes_namespace());
  out.pod = bounded(identity.pod());
  out.image = bounded(identity.image());
  out.image_digest = digest_in(identity.image());
  out.policy = bounded(around.policy);
  out.profile = bounded(body.profile_name());
  out.profile_digest = bounded(body.profile_digest());
  out.overlay = bounded(body.overlay());
  out.mode = filter::mode_name(body.mode());
  out.action = filter::action_name(body.action());
  out.outcome = bounded(body.outcome());
  out.origin = filter::origin_name(body.origin());
  out.phase = filter::phase_name(body.phase());
  out.exec_id = bounded(body.exec_id());
  out.call = bounded(body.syscall(), kMaxArgument);
  const int most = filter::syscall_arity(body.syscall()).value_or(body.args_text_size());
  for (int i = 0; i < std::min({most, body.args_text_size(), 6}); ++i)
    out.args.push_back(bounded(body.args_text(i), kMaxArgument));
  out.capability = bounded(body.capability());
  out.pid = body.pid();
  out.tid = body.tid();
  out.comm = bounded(body.comm());
  out.exe = bounded(body.exe());
  out.newer_program = bounded(body.newer_program());
  out.repeats = body.repeats();
  out.dropped_before = body.dropped_before();
  out.evidence = bundle_name(body.evidence());
  out.reason = bounded(body.reason());
  const std::vector<std::uint64_t> args(body.args().begin(), body.args().end());
  out.references = references_of(out.kind, out.origin, body.syscall(), args);
  return out;
}

std::string summary(const Event& event) {
  const auto text = [](const std::string& of) { return escape(of, kMaxArgument); };
  std::string out = event.kind;
  if (!event.call.empty()) {
    out += " " + text(event.call) + "(";
    for (std::size_t i = 0; i < event.args.size(); ++i)
      out += (i == 0 ? "" : ", ") + text(event.args[i]);
    out += ")";
  }
  if (!event.capability.empty()) out += " " + text(event.capability);
  if (!event.pod.empty())
    out += " in pod " + text(event.kubernetes_namespace) + "/" + text(event.pod);
  if (!event.container.empty())
    out += " in container " + text(event.containerd_namespace) + "/" + text(event.container);
  if (!event.comm.empty()) out += " by " + text(event.comm) + " pid " + std::to_string(event.pid);
  if (!event.outcome.empty()) out += ": " + text(event.outcome);
  if (!event.reason.empty()) out += ": " + text(event.reason);
  if (event.repeats > 0) out += " (and " + std::to_string(event.repeats) + " more alike)";
  return out;
}

bool is_wanted(const Event& event, const profiles::SinkFilter& filter) {
  const auto names = [](const std::vector<std::string>& list, const std::string& word) {
    return list.empty() || std::find(list.begin(), list.end(), word) != list.end();
  };
  return event.severity >= filter.severity && names(filter.kinds, event.kind) &&
         names(filter.namespaces, event.kubernetes_namespace.empty() ? event.containerd_namespace
                                                                     : event.kubernetes_namespace);
}

}  // namespace ward::enforcer::sinks
