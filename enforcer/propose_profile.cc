// SPDX-License-Identifier: Apache-2.0
#include "enforcer/propose_profile.h"

#include <string>
#include <vector>

#include "enforcer/calls_outside.h"
#include "enforcer/node.h"
#include "lib/base/escape.h"
#include "profiles/filter/terms.h"
#include "profiles/learn/propose.h"
#include "profiles/words.h"

namespace ward::enforcer {
namespace {

v1::ProposedCall to_api(const profiles::ProposedCall& call) {
  v1::ProposedCall out;
  out.set_syscall(call.syscall);
  out.set_origin(std::string(filter::origin_name(call.origin)));
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
  const auto read = read_calls_outside(node.journal, request.profile());
  if (!read) return tl::unexpected<Error>(read.error());
  const std::string looked_at =
      "only the newest " + std::to_string(kMostEvents) + " events of the node were looked at";
  const auto proposal = profiles::propose(
      loaded->profile, node.store.next_version(request.profile()), read->calls, read->capabilities);
  if (!proposal) {
    Error error = proposal.error();
    if (!read->all) error.message += "; " + looked_at;
    return tl::unexpected<Error>(error);
  }
  v1::ProposeProfileResponse out;
  out.set_yaml(profiles::write_generated(proposal->generated));
  out.set_version(proposal->generated.profile.version);
  for (const auto& call : proposal->calls) *out.add_calls() = to_api(call);
  for (const std::string& capability : proposal->capabilities) out.add_capabilities(capability);
  for (const auto& left_out : proposal->generated.left_out)
    out.add_left_out(profiles::describe(left_out));
  for (const std::string& warning : proposal->generated.warnings) out.add_warnings(warning);
  if (!read->all) out.add_warnings(looked_at);
  return out;
}

}  // namespace ward::enforcer
