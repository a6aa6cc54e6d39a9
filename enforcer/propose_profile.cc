// SPDX-License-Identifier: Apache-2.0
#include "enforcer/propose_profile.h"

#include <algorithm>
#include <string>
#include <vector>

#include "enforcer/api/translate.h"
#include "enforcer/node.h"
#include "lib/base/escape.h"
#include "profiles/learn/propose.h"
#include "profiles/words.h"

namespace ward::enforcer {
namespace {

constexpr std::uint32_t kMostEvents =
    20'000;  // the newest of all containers: the core loop reads them
constexpr std::uint32_t kAtOnce = 1000;

// What the own filter refuses would be refused under any profile.
bool is_of(const JournalRecord& record, const std::string& profile) {
  const node::v1::Violation& body = record.entry.body;
  return body.phase() != node::v1::PHASE_RUNTIME &&
         (record.entry.kind == EventKind::kViolation ||
          record.entry.kind == EventKind::kTolerated) &&
         body.profile_name() == profile && body.syscall_nr() >= 0 && !body.own_filter_denies();
}

profiles::CallOutside to_call(const JournalRecord& record) {
  const node::v1::Violation& body = record.entry.body;
  profiles::CallOutside call;
  call.container = body.identity().containerd_namespace() + "/" + body.identity().container_id();
  const bool exec = body.origin() == node::v1::ORIGIN_EXEC;
  call.origin = exec ? profiles::Origin::kExec : profiles::Origin::kWorkload;
  call.phase = to_api(record).phase();
  call.nr = body.syscall_nr();
  for (int i = 0; i < std::min<int>(body.args_size(), 6); ++i)
    call.args.at(static_cast<std::size_t>(i)) = body.args(i);
  call.count = 1 + body.repeats();
  call.wall_ns = body.wall_ns();
  call.tolerated = body.tolerated();
  return call;
}

struct Read {
  std::vector<profiles::CallOutside> calls;
  bool all = true;  // else there are older events, which were not looked at
};

Result<Read> read_calls(Journal& journal, const std::string& profile) {
  Read out;
  const auto from = journal.sequence_before_newest(kMostEvents, "");
  if (!from) return tl::unexpected<Error>(from.error());
  out.all = *from == 0;
  for (std::uint64_t after = *from;;) {
    const auto records = journal.read(after, "", kAtOnce);
    if (!records) return tl::unexpected<Error>(records.error());
    if (records->empty()) return out;
    for (const JournalRecord& record : *records)
      if (is_of(record, profile)) out.calls.push_back(to_call(record));
    after = records->back().sequence;
  }
}

v1::ProposedCall to_api(const profiles::ProposedCall& call) {
  v1::ProposedCall out;
  out.set_syscall(call.syscall);
  out.set_origin(call.origin == profiles::Origin::kExec ? "exec" : "workload");
  out.set_harm(std::string(profiles::harm_class_name(call.harm)));
  out.set_stopped(call.stopped);
  out.set_count(call.count);
  for (const std::string& container : call.containers) out.add_containers(container);
  for (const std::string& phase : call.phases) out.add_phases(phase);
  out.set_first_wall_ns(call.first_wall_ns);
  out.set_last_wall_ns(call.last_wall_ns);
  return out;
}

}  // namespace

Result<v1::ProposeProfileResponse> propose_profile(Node& node,
                                                   const v1::ProposeProfileRequest& request) {
  const LoadedProfile* loaded = node.store.find(request.profile());
  if (loaded == nullptr)
    return fail(Code::kNotFound, "there is no profile '" + escape(request.profile(), 80) +
                                     "': `ward profile list` shows them");
  const auto read = read_calls(node.journal, request.profile());
  if (!read) return tl::unexpected<Error>(read.error());
  const std::string looked_at =
      "only the newest " + std::to_string(kMostEvents) + " events of the node were looked at";
  const auto proposal =
      profiles::propose(loaded->profile, node.store.next_version(request.profile()), read->calls);
  if (!proposal) {
    Error error = proposal.error();
    if (!read->all) error.message += "; " + looked_at;
    return tl::unexpected<Error>(error);
  }
  v1::ProposeProfileResponse out;
  out.set_yaml(profiles::write_generated(proposal->generated));
  out.set_version(proposal->generated.profile.version);
  for (const auto& call : proposal->calls) *out.add_calls() = to_api(call);
  for (const auto& left_out : proposal->generated.left_out)
    out.add_left_out(profiles::describe(left_out));
  for (const std::string& warning : proposal->generated.warnings) out.add_warnings(warning);
  if (!read->all) out.add_warnings(looked_at);
  return out;
}

}  // namespace ward::enforcer
