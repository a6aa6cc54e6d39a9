// SPDX-License-Identifier: Apache-2.0
#include "enforcer/amend.h"

#include <set>
#include <string>

#include "enforcer/node.h"
#include "enforcer/overlay/amend_events.h"
#include "lib/base/escape.h"
#include "lib/base/log.h"
#include "lib/oci/seccomp.h"

namespace ward::enforcer {
namespace {

profiles::Living living(const Node& node) {
  if (!node.shims_are_back()) return std::nullopt;
  std::set<std::string> out;
  for (const ContainerEntry& entry : node.containers.list())
    out.insert(amend_source(entry.status.identity()));
  return out;
}

// What cannot be written is tried again by the next look.
Result<void> put_in_force(Node& node) {
  auto done = node.store.set_overlays(node.amendments.overlays());
  if (!done) log::warn("amendments not in force yet", {{"error", done.error().message}});
  return done;
}

v1::Amendment to_api(const std::string& profile, const std::string& digest,
                     const profiles::AmendCall& call) {
  v1::Amendment out;
  out.set_profile(profile);
  out.set_profile_digest(digest);
  const auto part = profiles::held_part(call.nr, call.arguments);
  out.set_syscall(oci::find_syscall_name(call.nr).value_or("call " + std::to_string(call.nr)));
  out.set_arguments(part ? part->shown : "");
  out.set_kind(call.state == profiles::AmendState::kHot ? "hot" : "amended");
  out.set_since_wall_ns(call.since_wall_ns);
  out.set_containers(static_cast<std::uint32_t>(call.sources.size()));
  out.set_first_wall_ns(call.first_wall_ns);
  out.set_count(call.count);
  return out;
}

}  // namespace

void remember_amendments(Node& node) {
  if (node.amendments.is_loaded()) return;
  if (!node.amendments.load()) return;  // the store says what is wrong with the database
  // Files that were read without them are to get them; else they have them already.
  if (!node.store.amendable()) node.store.expect_overlays(node.amendments.overlays());
}

void amend(Node& node) {
  remember_amendments(node);
  if (!node.amendments.is_loaded()) return;
  // While no policy can be read, what was let run stays, and nothing comes to it.
  if (const auto& amendable = node.store.amendable()) {
    std::set<std::string> in_force;
    for (const auto& [name, version] : node.store.versions()) in_force.insert(version.digest);
    const auto looked = node.amendments.look(*amendable, in_force, living(node));
    if (!looked) log::warn("amend: events not read", {{"error", looked.error().message}});
  }
  (void)put_in_force(node);
}

Result<v1::ListAmendmentsResponse> list_amendments(const Node& node,
                                                   const v1::ListAmendmentsRequest& request) {
  v1::ListAmendmentsResponse out;
  for (const auto& [digest, profile] : node.amendments.book().profiles) {
    if (!request.profile().empty() && profile.name != request.profile()) continue;
    for (const profiles::AmendCall& call : profile.calls)
      if (profiles::is_in_force(call)) *out.add_amendments() = to_api(profile.name, digest, call);
  }
  const bool unknown = !request.profile().empty() && node.store.find(request.profile()) == nullptr;
  if (unknown && out.amendments().empty())
    return fail(Code::kNotFound, "there is no profile '" + escape(request.profile(), 80) +
                                     "': `ward profile list` shows them");
  return out;
}

Result<v1::DropAmendmentsResponse> drop_amendments(Node& node,
                                                   const v1::DropAmendmentsRequest& request) {
  v1::DropAmendmentsResponse out;
  std::set<std::string> digests;
  for (const auto& [digest, profile] : node.amendments.book().profiles)
    if (profile.name == request.profile()) digests.insert(digest);
  for (const std::string& digest : digests) {
    for (const auto& call : node.amendments.drop(digest, request.profile(), request.syscall()))
      *out.add_dropped() = to_api(request.profile(), digest, call);
  }
  if (out.dropped().empty()) {
    return fail(Code::kNotFound,
                "nothing of profile '" + escape(request.profile(), 80) + "' is amended" +
                    (request.syscall().empty() ? "" : " as " + escape(request.syscall(), 80)) +
                    ": `ward amend list` shows what is");
  }
  if (auto done = put_in_force(node); !done) return tl::unexpected<Error>(done.error());
  return out;
}

}  // namespace ward::enforcer
