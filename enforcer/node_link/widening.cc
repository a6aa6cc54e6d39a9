// SPDX-License-Identifier: Apache-2.0
#include "enforcer/node_link/widening.h"

#include <set>
#include <utility>

#include "ward/node/v1/node.pb.h"

namespace ward::enforcer {
namespace {

bool is_passing(const Error& error) {
  return error.code == Code::kDeadlineExceeded || error.code == Code::kUnavailable ||
         error.code == Code::kCanceled;
}

}  // namespace

bool runs_under_a_profile(const node::v1::ContainerStatus& status) {
  const bool judged =
      status.mode() == node::v1::MODE_SUPERVISE || status.mode() == node::v1::MODE_ENFORCE;
  return judged && status.state() != node::v1::CONTAINER_STATE_STOPPED &&
         !status.profile_digest().empty();
}

std::size_t Widening::look(const Find& find) {
  std::size_t asked = 0;
  std::map<ContainerTable::Key, std::string> there;
  for (const ContainerEntry& entry : containers_.list()) {
    const node::v1::ContainerStatus& status = entry.status;
    if (!runs_under_a_profile(status)) continue;
    const ProfileVersion* const version = find(status.profile_name());
    if (version == nullptr || version->digest == status.profile_digest()) continue;
    const ContainerTable::Key key{status.identity().containerd_namespace(),
                                  status.identity().container_id()};
    there[key] = version->digest;
    if (const auto before = asked_.find(key);
        before != asked_.end() && before->second == version->digest)
      continue;
    ++asked;
    node::v1::WidenRequest request;
    request.set_containerd_namespace(key.first);
    request.set_container_id(key.second);
    request.set_profile_name(status.profile_name());
    request.set_compiled_sha256(version->compiled_sha256);
    shims_.call(entry.shim_address, "Widen", request.SerializeAsString(),
                [this, weak = std::weak_ptr<bool>(alive_), key, before = entry,
                 version = *version](const Result<std::string>& answer) {
                  if (!weak.expired()) answered(key, before, version, answer);
                });
  }
  asked_ = std::move(there);
  std::erase_if(tried_again_, [this](const auto& tried) { return !asked_.contains(tried.first); });
  return asked;
}

void Widening::answered(const ContainerTable::Key& key, const ContainerEntry& before,
                        const ProfileVersion& version, const Result<std::string>& answer) {
  // One that ended meanwhile is under no version.
  if (!answer && !containers_.find(key.first, key.second)) return;
  // A shim that was busy is asked once more by the next look; what it cannot do it cannot do then.
  if (!answer && is_passing(answer.error()) && tried_again_.insert({key, version.digest}).second) {
    asked_.erase(key);
    return;
  }
  JournalEntry event{EventKind::kWidened, {}};
  *event.body.mutable_identity() = before.status.identity();
  event.body.set_mode(before.status.mode());
  event.body.set_profile_name(before.status.profile_name());
  event.body.set_profile_digest(answer ? version.digest : before.status.profile_digest());
  event.body.set_outcome(answer ? "widened" : "not widened");
  event.body.set_reason(
      answer ? "version " + std::to_string(version.number) +
                   " is in force: what it allows runs from now on, what it takes away and what it "
                   "says of capabilities waits for the next start"
             : "version " + std::to_string(version.number) +
                   " is in force, and its shim goes on with the one of its start: " +
                   answer.error().message);
  journal_.note(std::move(event));
  if (!answer) return;
  if (node::v1::WidenResponse said; said.ParseFromString(*answer) && said.has_container())
    containers_.update(before.shim_pid, before.shim_address, said.container());
}

}  // namespace ward::enforcer
