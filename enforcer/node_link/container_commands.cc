// SPDX-License-Identifier: Apache-2.0
#include "enforcer/node_link/container_commands.h"

#include "enforcer/node_link/container_name.h"
#include "profiles/filter/terms.h"

namespace ward::enforcer {
namespace {

Result<void> check(ContainerCommandKind kind, const ContainerEntry& entry) {
  const bool quarantined = entry.status.state() == node::v1::CONTAINER_STATE_QUARANTINED;
  if (kind == ContainerCommandKind::kQuarantine) {
    const std::string who = "container " + full_name(entry.status.identity());
    if (quarantined) return fail(Code::kAlreadyExists, who + " is quarantined already");
    if (entry.status.state() != node::v1::CONTAINER_STATE_STOPPED) return {};
    return fail(Code::kFailedPrecondition, who + " has stopped already");
  }
  if (quarantined) return {};
  const bool kill = kind == ContainerCommandKind::kKill;
  const bool stopped = entry.status.state() == node::v1::CONTAINER_STATE_STOPPED;
  return fail(
      Code::kFailedPrecondition,
      "container " + full_name(entry.status.identity()) +
          (stopped ? " has stopped already" : " is not quarantined, and nothing was done") +
          (kill && !stopped ? ": `kubectl delete pod` or `ctr task kill` end one that is healthy"
                            : ""));
}

struct Verb {
  const char* method;  // the shim's
  const char* word;    // for people
};
Verb verb_of(ContainerCommandKind kind) {
  switch (kind) {
    case ContainerCommandKind::kQuarantine: return {"Quarantine", "quarantine "};
    case ContainerCommandKind::kRelease: return {"Release", "release "};
    case ContainerCommandKind::kKill: break;
  }
  return {"Kill", "kill "};
}

std::string asked_by(const std::string& reason) { return reason.empty() ? "by a person" : reason; }

JournalEntry journal_entry(const ContainerCommandRequest& request, const ContainerEntry& entry) {
  JournalEntry out{
      request.kind == ContainerCommandKind::kRelease ? EventKind::kReleased : EventKind::kKilled,
      {}};
  *out.body.mutable_identity() = entry.status.identity();
  out.body.set_mode(entry.status.mode());
  out.body.set_profile_name(entry.status.profile_name());
  out.body.set_profile_digest(entry.status.profile_digest());
  out.body.set_outcome(std::string(event_kind_name(out.kind)));
  out.body.set_reason(asked_by(request.reason));
  return out;
}

bool has_filter(node::v1::Mode mode) {
  return mode == node::v1::MODE_SUPERVISE || mode == node::v1::MODE_ENFORCE;
}

Result<void> check_switch(const ModeRequest& request, const ContainerEntry& entry) {
  const std::string who = "container " + full_name(entry.status.identity());
  if (!has_filter(request.mode)) {
    return fail(Code::kInvalidArgument,
                "a running container is in mode supervise or enforce: say one of the two");
  }
  if (entry.status.state() == node::v1::CONTAINER_STATE_STOPPED) {
    return fail(Code::kFailedPrecondition, who + " has stopped already");
  }
  if (has_filter(entry.status.mode())) return {};
  return fail(Code::kFailedPrecondition,
              who + " is in mode " + std::string(filter::mode_name(entry.status.mode())) +
                  " and has no filter of Ward, which it can get only at its start: change "
                  "the policy, and start it anew");
}

}  // namespace

void command_container(const ContainerCommandRequest& request, ContainerTable& containers,
                       ShimLinks& shims, Journal& journal,
                       std::function<void(Result<ContainerEntry>)> done) {
  auto entry = containers.find(request.containerd_namespace, request.container);
  if (!entry) return done(std::move(entry));
  if (auto allowed = check(request.kind, *entry); !allowed)
    return done(tl::unexpected<Error>(allowed.error()));
  node::v1::ContainerCommand command;
  command.set_containerd_namespace(entry->status.identity().containerd_namespace());
  command.set_container_id(entry->status.identity().container_id());
  command.set_reason(request.reason);
  const Verb verb = verb_of(request.kind);
  shims.call(entry->shim_address, verb.method, command.SerializeAsString(),
             [request, word = verb.word, before = *entry, &containers, &journal,
              done = std::move(done)](const Result<std::string>& answer) {
               if (!answer)
                 return done(fail_with(word + full_name(before.status.identity()), answer.error()));
               // A quarantine is journalled with its state, whoever began it.
               if (request.kind != ContainerCommandKind::kQuarantine)
                 journal.note(journal_entry(request, before));
               // A kill may have ended the container altogether by now: then what it was is the
               // best answer.
               auto now = containers.find(before.status.identity().containerd_namespace(),
                                          before.status.identity().container_id());
               if (!now) now = before;
               done(std::move(now));
             });
}

void set_container_mode(const ModeRequest& request, ContainerTable& containers, ShimLinks& shims,
                        std::function<void(Result<ModeSet>)> done) {
  auto entry = containers.find(request.containerd_namespace, request.container);
  if (!entry) return done(tl::unexpected<Error>(entry.error()));
  if (auto allowed = check_switch(request, *entry); !allowed)
    return done(tl::unexpected<Error>(allowed.error()));
  const node::v1::Identity& who = entry->status.identity();
  const ContainerTable::Key key{who.containerd_namespace(), who.container_id()};
  if (entry->status.mode() == request.mode) return done(ModeSet{std::move(*entry), true});
  node::v1::SetModeRequest command;
  command.set_containerd_namespace(key.first);
  command.set_container_id(key.second);
  command.set_mode(request.mode);
  containers.expect_mode(key, asked_by(request.reason));
  shims.call(
      entry->shim_address, "SetMode", command.SerializeAsString(),
      [before = *entry, mode = request.mode, key, &containers,
       done = std::move(done)](const Result<std::string>& answer) {
        if (!answer) {
          containers.expect_mode(key, "");
          return done(
              fail_with("set the mode of " + full_name(before.status.identity()), answer.error()));
        }
        ContainerEntry now = before;
        now.status.set_mode(mode);
        if (node::v1::SetModeResponse said; said.ParseFromString(*answer) && said.has_container()) {
          now.status = said.container();
          // The shim tells this by itself, too, sooner or later.
          containers.update(before.shim_pid, before.shim_address, now.status);
        }
        done(ModeSet{std::move(now), false});
      });
}

}  // namespace ward::enforcer
