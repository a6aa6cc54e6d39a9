// SPDX-License-Identifier: Apache-2.0
#include "enforcer/calls_outside.h"

#include <algorithm>

#include "profiles/filter/terms.h"

namespace ward::enforcer {
namespace {

constexpr std::uint32_t kAtOnce = 1000;

// What the own filter refuses would be refused under any profile; what is let run because a number
// is the caller's own no profile could list.
bool is_of(const JournalRecord& record, const std::string& profile) {
  const node::v1::Violation& body = record.entry.body;
  return body.phase() != node::v1::PHASE_RUNTIME &&
         (record.entry.kind == EventKind::kViolation ||
          record.entry.kind == EventKind::kTolerated) &&
         body.profile_name() == profile && body.syscall_nr() >= 0 && !body.own_filter_denies() &&
         !body.own_number();
}

profiles::CallOutside to_call(const JournalRecord& record) {
  const node::v1::Violation& body = record.entry.body;
  profiles::CallOutside call;
  call.container = body.identity().containerd_namespace() + "/" + body.identity().container_id();
  const bool exec = body.origin() == node::v1::ORIGIN_EXEC;
  call.origin = exec ? profiles::Origin::kExec : profiles::Origin::kWorkload;
  call.phase = std::string(filter::phase_name(body.phase()));
  call.nr = body.syscall_nr();
  for (int i = 0; i < std::min<int>(body.args_size(), 6); ++i)
    call.args.at(static_cast<std::size_t>(i)) = body.args(i);
  call.count = 1 + body.repeats();
  call.wall_ns = body.wall_ns();
  call.tolerated = body.tolerated();
  return call;
}

bool is_capability_of(const JournalRecord& record, const std::string& profile) {
  const node::v1::Violation& body = record.entry.body;
  return !body.capability().empty() && body.profile_name() == profile;
}

profiles::CapabilityOutside to_capability(const node::v1::Violation& body) {
  return {body.capability(),
          body.identity().containerd_namespace() + "/" + body.identity().container_id(),
          body.origin() == node::v1::ORIGIN_EXEC ? profiles::Origin::kExec
                                                 : profiles::Origin::kWorkload};
}

}  // namespace

Result<CallsOutside> read_calls_outside(Journal& journal, const std::string& profile) {
  CallsOutside out;
  const auto from = journal.sequence_before_newest(kMostEvents, "");
  if (!from) return tl::unexpected<Error>(from.error());
  out.all = *from == 0;
  for (std::uint64_t after = *from;;) {
    const auto records = journal.read(after, "", kAtOnce);
    if (!records) return tl::unexpected<Error>(records.error());
    if (records->empty()) return out;
    for (const JournalRecord& record : *records) {
      if (is_of(record, profile)) out.calls.push_back(to_call(record));
      if (is_capability_of(record, profile))
        out.capabilities.push_back(to_capability(record.entry.body));
    }
    after = records->back().sequence;
  }
}

}  // namespace ward::enforcer
