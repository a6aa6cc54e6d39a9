// SPDX-License-Identifier: Apache-2.0
#include "enforcer/node_link/container_commands.h"

#include "enforcer/node_link/container_name.h"

namespace ward::enforcer {
namespace {

Result<void> check(ContainerCommandKind kind, const ContainerEntry& entry) {
  if (entry.status.state() == node::v1::CONTAINER_STATE_QUARANTINED) return {};
  const bool kill = kind == ContainerCommandKind::kKill;
  const bool stopped = entry.status.state() == node::v1::CONTAINER_STATE_STOPPED;
  return fail(Code::kFailedPrecondition,
              "container " + full_name(entry.status.identity()) +
                  (stopped ? " has stopped already" : " is not quarantined, and nothing was done") +
                  (kill && !stopped ? ": `kubectl delete pod` or `ctr task kill` end one that is healthy" : ""));
}

JournalEntry journal_entry(const ContainerCommandRequest& request, const ContainerEntry& entry) {
  JournalEntry out{request.kind == ContainerCommandKind::kRelease ? EventKind::kReleased : EventKind::kKilled, {}};
  *out.body.mutable_identity() = entry.status.identity();
  out.body.set_mode(entry.status.mode());
  out.body.set_profile_name(entry.status.profile_name());
  out.body.set_profile_digest(entry.status.profile_digest());
  out.body.set_outcome(std::string(event_kind_name(out.kind)));
  out.body.set_reason(request.reason.empty() ? "by a person" : request.reason);
  return out;
}

}  // namespace

void command_container(const ContainerCommandRequest& request, ContainerTable& containers, ShimLinks& shims,
                       Journal& journal, std::function<void(Result<ContainerEntry>)> done) {
  auto entry = containers.find(request.containerd_namespace, request.container);
  if (!entry) return done(std::move(entry));
  if (auto allowed = check(request.kind, *entry); !allowed) return done(tl::unexpected<Error>(allowed.error()));
  node::v1::ContainerCommand command;
  command.set_containerd_namespace(entry->status.identity().containerd_namespace());
  command.set_container_id(entry->status.identity().container_id());
  command.set_reason(request.reason);
  const bool release = request.kind == ContainerCommandKind::kRelease;
  shims.call(entry->shim_address, release ? "Release" : "Kill", command.SerializeAsString(),
             [request, before = *entry, &containers, &journal, release,
              done = std::move(done)](const Result<std::string>& answer) {
               if (!answer) {
                 return done(
                     fail_with((release ? "release " : "kill ") + full_name(before.status.identity()), answer.error()));
               }
               journal.note(journal_entry(request, before));
               // A kill may have ended the container altogether by now: then what it was is the best answer.
               auto now = containers.find(before.status.identity().containerd_namespace(),
                                          before.status.identity().container_id());
               if (!now) now = before;
               done(std::move(now));
             });
}

}  // namespace ward::enforcer
