// SPDX-License-Identifier: Apache-2.0
#include "enforcer/seen_processes.h"

#include <fcntl.h>

#include <asio/post.hpp>
#include <string_view>
#include <utility>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/utf8.h"
#include "lib/oci/capabilities.h"

namespace ward::enforcer {
namespace {

constexpr std::size_t kMostWaiting = 4096;

std::string abi_name(std::uint32_t abi) {
  switch (abi) {
    case WARD_FOREIGN_32: return "i386";
    case WARD_FOREIGN_X32: return "x32";
    default: return "";
  }
}

std::string comm_of(const ward_seen& what) {
  const std::string_view field(static_cast<const char*>(what.comm), sizeof(what.comm));
  return to_utf8(field.substr(0, field.find('\0')));
}

std::string capability_of(const ward_seen& what) {
  if (what.kind != WARD_SEEN_CAPABILITY && what.kind != WARD_SEEN_DENIED) return "";
  return oci::find_capability_name(what.capability)
      .value_or("CAP_" + std::to_string(what.capability));
}

node::v1::Seen to_proto(const recorder::Seen& seen) {
  node::v1::Seen out;
  out.set_containerd_namespace(seen.containerd_namespace);
  out.set_container_id(seen.container_id);
  out.set_exec(seen.what.exec != 0);
  out.set_pid(static_cast<std::int32_t>(seen.what.pid));
  out.set_start_ticks(seen.start_ticks);
  out.set_comm(comm_of(seen.what));
  out.set_capability(capability_of(seen.what));
  out.set_abi(abi_name(seen.what.abi));
  out.set_syscall_nr(seen.what.nr);
  out.set_gained(seen.what.kind == WARD_SEEN_GAIN);
  out.set_denied(seen.what.kind == WARD_SEEN_DENIED);
  return out;
}

}  // namespace

SeenProcesses::SeenProcesses(asio::io_context& core, const std::filesystem::path& pins,
                             ContainerTable& containers, ShimLinks& shims, Journal& journal)
    : core_(core), watch_(pins), containers_(containers), shims_(shims), journal_(journal) {}

SeenProcesses::~SeenProcesses() = default;

void SeenProcesses::watch() {
  if (watch_.running()) return;
  watch_.start();
  if (!watch_.running()) return;
  const int readable = ::fcntl(watch_.descriptor(), F_DUPFD_CLOEXEC, 3);
  if (readable < 0)
    return log::warn("what the kernel sees of containers is looked at every few seconds only");
  arrivals_ = std::make_unique<asio::posix::stream_descriptor>(core_, readable);
  wait();
}

void SeenProcesses::wait() {
  arrivals_->async_wait(asio::posix::stream_descriptor::wait_read,
                        [this, weak = std::weak_ptr<bool>(alive_)](const asio::error_code& error) {
                          if (error || weak.expired() || !arrivals_) return;
                          take();
                          wait();
                        });
}

void SeenProcesses::take() {
  for (recorder::Seen& seen : watch_.drain()) {
    if (hand_over(seen)) continue;
    if (waiting_.size() < kMostWaiting) {
      waiting_.push_back(std::move(seen));
    } else {
      journal_it(seen);
    }
  }
}

bool SeenProcesses::hand_over(const recorder::Seen& seen) {
  const auto entry = containers_.find(seen.containerd_namespace, seen.container_id);
  if (seen.container_id.empty() || !entry) return false;
  shims_.call(entry->shim_address, "Tell", to_proto(seen).SerializeAsString(),
              [this, weak = std::weak_ptr<bool>(alive_), seen](const Result<std::string>& answer) {
                if (!answer && !weak.expired()) journal_it(seen);
              });
  return true;
}

// Nobody is there any more to judge it. No violation, for every one of those is some shim's and
// counted there.
void SeenProcesses::journal_it(const recorder::Seen& seen) {
  const node::v1::Seen what = to_proto(seen);
  JournalEntry event{EventKind::kEndedByFilter, {}};
  if (!what.capability().empty()) event.kind = EventKind::kCapabilityUsed;
  if (what.denied()) event.kind = EventKind::kCapabilityDenied;
  if (what.gained()) event.kind = EventKind::kPrivilegesGained;
  event.body.mutable_identity()->set_containerd_namespace(seen.containerd_namespace);
  event.body.mutable_identity()->set_container_id(seen.container_id);
  event.body.set_profile_name(seen.profile);
  event.body.set_profile_digest(seen.digest);
  event.body.set_origin(what.exec() ? node::v1::ORIGIN_EXEC : node::v1::ORIGIN_WORKLOAD);
  event.body.set_pid(what.pid());
  event.body.set_comm(what.comm());
  event.body.set_capability(what.capability());
  const std::string how =
      what.abi().empty() ? "" : " in " + what.abi() + " call " + std::to_string(what.syscall_nr());
  std::string said = "a process was ended by SIGSYS" + how;
  if (!what.capability().empty())
    said = what.capability() + " was used, and enforce would have cut it";
  if (what.denied()) said = what.capability() + " was asked for, and enforce has cut it";
  if (what.gained())
    said = "a program gave its process privileges, which enforce does not let one do";
  event.body.set_reason(said + "; its shim was gone before wardd could tell it");
  journal_.note(std::move(event));
}

void SeenProcesses::container_came() {
  if (waiting_.empty()) return;
  // Not from inside of the table's own change.
  asio::post(core_, [this, weak = std::weak_ptr<bool>(alive_)] {
    if (!weak.expired())
      std::erase_if(waiting_, [this](const recorder::Seen& seen) { return hand_over(seen); });
  });
}

void SeenProcesses::tend(bool shims_are_back) {
  take();
  std::erase_if(waiting_, [&](const recorder::Seen& seen) {
    if (hand_over(seen)) return true;
    if (shims_are_back) journal_it(seen);
    return shims_are_back;
  });
  for (const recorder::Missed& missed : watch_.take_missed()) {
    JournalEntry event{EventKind::kSeenLost, {}};
    event.body.mutable_identity()->set_containerd_namespace(missed.containerd_namespace);
    event.body.mutable_identity()->set_container_id(missed.container_id);
    event.body.set_reason(std::to_string(missed.count) +
                          " ends of processes by SIGSYS, or uses of capabilities, were counted by "
                          "the kernel and found "
                          "no room for more");
    journal_.note(std::move(event));
  }
  if (!shims_are_back) return;
  watch_.forget([this](const std::string& containerd_namespace, const std::string& id) {
    return !containers_.find(containerd_namespace, id);
  });
}

void SeenProcesses::stop() {
  arrivals_.reset();
  if (containers_.size() == 0) watch_.remove();
}

std::string SeenProcesses::status() const {
  if (watch_.running()) return "ebpf";
  return watch_.why_not().empty() ? "" : "none: " + watch_.why_not();
}

}  // namespace ward::enforcer
