// SPDX-License-Identifier: Apache-2.0
#include "shim/violation_outbox.h"

#include <algorithm>
#include <asio/error_code.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/escape.h"
#include "lib/base/log.h"
#include "lib/spool/spool.h"

namespace ward::shim {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMaxInMemory = 256;
constexpr std::size_t kMaxBytesInMemory = 512U << 10U;
constexpr std::size_t kMaxBatch = 64;
constexpr std::size_t kMaxBatchBytes = 256U << 10U;
constexpr milliseconds kFirstRetry(250);
constexpr milliseconds kLongestRetry(10'000);

struct Record {
  std::string bytes;                 // a serialized Violation
  std::uint64_t dropped_before = 0;  // what it says of others, not to be lost with it
};

// Protobuf refuses to read back a string that is not UTF-8. Rather an escaped word than a lost violation.
std::string serialize(node::v1::Violation& violation) {
  std::string bytes = violation.SerializeAsString();
  if (node::v1::Violation().ParseFromString(bytes)) return bytes;
  const auto clean = [](std::string* text) { *text = escape(*text); };
  for (std::string* text : {violation.mutable_event_id(), violation.mutable_boot_id(), violation.mutable_exec_id(),
                            violation.mutable_profile_name(), violation.mutable_profile_digest(),
                            violation.mutable_syscall(), violation.mutable_comm(), violation.mutable_exe(),
                            violation.mutable_evidence(), violation.mutable_outcome(), violation.mutable_reason()}) {
    clean(text);
  }
  for (std::string& text : *violation.mutable_args_text()) clean(&text);
  node::v1::Identity& identity = *violation.mutable_identity();
  for (std::string* text :
       {identity.mutable_containerd_namespace(), identity.mutable_container_id(),
        identity.mutable_kubernetes_namespace(), identity.mutable_pod(), identity.mutable_container_name(),
        identity.mutable_image(), identity.mutable_sandbox_id()}) {
    clean(text);
  }
  return violation.SerializeAsString();
}

}  // namespace

struct ViolationOutbox::State : std::enable_shared_from_this<ViolationOutbox::State> {
  State(asio::io_context& io, std::filesystem::path file, Send with)
      : spool_file(std::move(file)), send(std::move(with)), retry(io) {}

  void send_next();
  Result<void> fill(node::v1::ReportRequest& request);
  void answered(const node::v1::ReportRequest& sent, const Result<node::v1::ReportResponse>& answer);
  void pass_spooled();
  void forget_sent(const std::vector<Record>& refused);
  void to_disk();
  void put_on_disk(const Record& record);
  void lost(const Record& record, const std::string& why);
  void retry_later();

  std::filesystem::path spool_file;
  Send send;
  asio::steady_timer retry;
  Peer peer = Peer::kAway;
  std::deque<Record> memory;  // empty while there is a spool, but for what is being sent: order is kept
  std::size_t memory_bytes = 0;
  std::optional<Spool> spool;
  std::uint64_t delivered_to = 0;  // offset in the spool
  bool in_flight = false;
  bool waiting = false;              // for `retry`
  std::size_t sent_from_memory = 0;  // of the batch in flight, at the front of memory
  std::uint64_t sent_to = 0;         // of the batch in flight from the spool: where it ends
  std::uint64_t sent_damaged = 0;    // unreadable records within that batch
  milliseconds backoff = kFirstRetry;
  std::uint64_t untold = 0;  // lost records that no dropped_before has told yet
  std::uint64_t reported = 0;
  std::uint64_t dropped = 0;
};

void ViolationOutbox::State::lost(const Record& record, const std::string& why) {
  ++dropped;
  untold += 1 + record.dropped_before;
  log::error("lost the detail of a violation", {{"why", why}, {"lost", std::to_string(dropped)}});
}

void ViolationOutbox::State::put_on_disk(const Record& record) {
  if (!spool) {
    auto made = Spool::create(spool_file);
    if (!made) return lost(record, made.error().message);
    spool.emplace(std::move(*made));
    delivered_to = 0;
  }
  if (const auto appended = spool->append(record.bytes); !appended) lost(record, appended.error().message);
}

// A batch in flight from memory goes along: should its answer come, the journal knows those ids already.
void ViolationOutbox::State::to_disk() {
  for (const Record& record : memory) put_on_disk(record);
  memory.clear();
  memory_bytes = 0;
  sent_from_memory = 0;
}

Result<void> ViolationOutbox::State::fill(node::v1::ReportRequest& request) {
  sent_from_memory = 0;
  sent_to = 0;
  while (spool) {
    const auto batch = spool->read(delivered_to, kMaxBatch, kMaxBatchBytes);
    if (!batch) return tl::unexpected<Error>(batch.error());
    sent_damaged = batch->skipped;
    for (const std::string& bytes : batch->records) {
      if (request.add_violations()->ParseFromString(bytes)) continue;
      request.mutable_violations()->RemoveLast();
      ++sent_damaged;
    }
    sent_to = batch->next_offset;
    if (request.violations_size() > 0) return {};
    pass_spooled();
    if (!batch->at_end) continue;
    if (const auto removed = spool->remove(); !removed) log::warn("spool", {{"error", removed.error().message}});
    spool.reset();
  }
  for (const Record& record : memory) {
    if (sent_from_memory == kMaxBatch) break;
    request.add_violations()->ParseFromString(record.bytes);  // our own serialization
    ++sent_from_memory;
  }
  return {};
}

// The spool up to the end of the batch is done with; what was unreadable in it is counted now, once.
void ViolationOutbox::State::pass_spooled() {
  delivered_to = std::exchange(sent_to, 0);
  if (sent_damaged == 0) return;
  log::error("damaged records in the spool were passed over", {{"records", std::to_string(sent_damaged)}});
  dropped += sent_damaged;
  untold += std::exchange(sent_damaged, 0);
}

void ViolationOutbox::State::send_next() {
  if (peer != Peer::kThere || in_flight || waiting || (!spool && memory.empty())) return;
  node::v1::ReportRequest request;
  if (const auto filled = fill(request); !filled) {
    log::error("cannot read the spool", {{"error", filled.error().message}});
    return retry_later();
  }
  if (request.violations_size() == 0) return;
  in_flight = true;
  send(request, [weak = weak_from_this(), request](const Result<node::v1::ReportResponse>& answer) {
    if (const auto self = weak.lock()) self->answered(request, answer);
  });
}

void ViolationOutbox::State::answered(const node::v1::ReportRequest& sent,
                                      const Result<node::v1::ReportResponse>& answer) {
  in_flight = false;
  if (!answer) {
    to_disk();
    return retry_later();
  }
  const std::set<std::string> accepted(answer->accepted_event_ids().begin(), answer->accepted_event_ids().end());
  std::vector<Record> refused;
  for (const node::v1::Violation& violation : sent.violations()) {
    if (!accepted.contains(violation.event_id())) {
      refused.push_back(Record{violation.SerializeAsString(), violation.dropped_before()});
    }
  }
  const std::size_t count = static_cast<std::size_t>(sent.violations_size());
  if (refused.size() == count) {  // its disk is full, say: nothing is forgotten
    to_disk();
    return retry_later();
  }
  reported += count - refused.size();
  backoff = kFirstRetry;
  forget_sent(refused);
  if (!refused.empty()) return retry_later();
  send_next();
}

// What the journal did not want while it took others goes to the end, so that it does not stop those behind it.
void ViolationOutbox::State::forget_sent(const std::vector<Record>& refused) {
  if (sent_to > 0) pass_spooled();
  for (; sent_from_memory > 0; --sent_from_memory) {
    memory_bytes -= memory.front().bytes.size();
    memory.pop_front();
  }
  if (refused.empty()) return;
  to_disk();
  for (const Record& record : refused) put_on_disk(record);
}

void ViolationOutbox::State::retry_later() {
  waiting = true;
  retry.expires_after(backoff);
  backoff = std::min(backoff * 2, kLongestRetry);
  retry.async_wait([weak = weak_from_this()](const asio::error_code& error) {
    const auto self = weak.lock();
    if (!self || error) return;
    self->waiting = false;
    self->send_next();
  });
}

ViolationOutbox::ViolationOutbox(asio::io_context& loop, std::filesystem::path spool_file, Send send)
    : state_(std::make_shared<State>(loop, std::move(spool_file), std::move(send))) {}

ViolationOutbox::~ViolationOutbox() {
  state_->retry.cancel();
  state_->to_disk();
}

void ViolationOutbox::add(node::v1::Violation violation) {
  State& state = *state_;
  const std::uint64_t told = std::exchange(state.untold, 0);
  violation.set_dropped_before(violation.dropped_before() + told);
  Record record{serialize(violation), violation.dropped_before()};
  const bool fits = state.memory.size() < kMaxInMemory && state.memory_bytes + record.bytes.size() <= kMaxBytesInMemory;
  if (state.peer != Peer::kAway && !state.spool && fits) {
    state.memory_bytes += record.bytes.size();
    state.memory.push_back(std::move(record));
  } else {
    state.to_disk();
    state.put_on_disk(record);
  }
  state.send_next();
}

void ViolationOutbox::peer_is(Peer peer) {
  State& state = *state_;
  state.peer = peer;
  if (peer == Peer::kAway) return state.to_disk();
  if (peer != Peer::kThere) return;
  state.retry.cancel();
  state.waiting = false;
  state.backoff = kFirstRetry;
  state.send_next();
}

void ViolationOutbox::save() { state_->to_disk(); }

std::uint64_t ViolationOutbox::reported() const { return state_->reported; }

std::uint64_t ViolationOutbox::dropped() const { return state_->dropped; }

std::size_t ViolationOutbox::in_memory() const { return state_->memory.size(); }

bool ViolationOutbox::spooled() const { return state_->spool.has_value(); }

}  // namespace ward::shim
