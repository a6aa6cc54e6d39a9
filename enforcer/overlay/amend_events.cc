// SPDX-License-Identifier: Apache-2.0
#include "enforcer/overlay/amend_events.h"

#include <algorithm>

#include "lib/base/digest.h"

namespace ward::enforcer {
namespace {

constexpr std::size_t kLongestSource = 400;

bool is_looked_at(const JournalEntry& entry) {
  return entry.kind == EventKind::kViolation || entry.kind == EventKind::kTolerated ||
         entry.kind == EventKind::kViolationsLost || entry.kind == EventKind::kEndedByFilter;
}

}  // namespace

std::string amend_source(const node::v1::Identity& identity) {
  std::string source;
  if (!identity.pod().empty()) {
    source = "pod " + identity.kubernetes_namespace() + "/" + identity.pod();
  } else if (!identity.container_id().empty()) {
    source = "container " + identity.containerd_namespace() + "/" + identity.container_id();
  }
  return source.size() <= kLongestSource ? source : "sha256 " + sha256_hex(source);
}

std::optional<profiles::AmendEvent> AmendEvents::take(const JournalRecord& record) {
  const node::v1::Violation& body = record.entry.body;
  if (!is_looked_at(record.entry)) return std::nullopt;
  // What only user space can tell is in no filter, and harms nobody.
  if (body.own_number()) return std::nullopt;
  profiles::AmendEvent event;
  event.source = amend_source(body.identity());
  // What the own filter denies would be denied under any profile, and what the runtime does says
  // nothing about the workload; worse than held counts all the same.
  const bool counts = !body.own_filter_denies() && (body.phase() == node::v1::PHASE_BOOT ||
                                                    body.phase() == node::v1::PHASE_SERVING);
  if (counts) event.digest = body.profile_digest();
  event.origin = body.origin() == node::v1::ORIGIN_EXEC ? profiles::Origin::kExec
                                                        : profiles::Origin::kWorkload;
  event.nr = body.syscall_nr();
  for (int i = 0; i < std::min<int>(body.args_size(), 6); ++i)
    event.arguments.at(static_cast<std::size_t>(i)) = body.args(i);
  event.count = 1 + body.repeats();
  event.tolerated = record.entry.kind == EventKind::kTolerated;
  event.several = body.pid() == 0 && body.tid() == 0;
  event.stops = record.entry.kind == EventKind::kViolationsLost ||
                record.entry.kind == EventKind::kEndedByFilter || body.dropped_before() > 0;
  if (event.tolerated && event.origin == profiles::Origin::kWorkload) event.per_second = rate(body);
  event.wall_ns = body.wall_ns();
  return event;
}

// Of calls that are let run the first has a record, and later ones stand for all since the one
// before. By the monotonic clock of one boot.
double AmendEvents::rate(const node::v1::Violation& body) {
  constexpr std::int64_t kShortest_ns = 1'000'000'000;
  const std::pair key{body.identity().containerd_namespace() + "/" + body.identity().container_id(),
                      body.syscall_nr()};
  const auto found = told_.find(key);
  double per_second = 0;
  if (found != told_.end() && found->second.first == body.boot_id()) {
    const std::int64_t between_ns = body.monotonic_ns() - found->second.second;
    if (between_ns >= kShortest_ns)
      per_second = static_cast<double>(1 + body.repeats()) * 1e9 / static_cast<double>(between_ns);
  }
  if (found == told_.end() && told_.size() >= kMostTold) told_.erase(told_.begin());
  told_[key] = {body.boot_id(), body.monotonic_ns()};
  return per_second;
}

}  // namespace ward::enforcer
