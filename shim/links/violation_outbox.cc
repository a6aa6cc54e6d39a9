// SPDX-License-Identifier: Apache-2.0
#include "shim/links/violation_outbox.h"

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
#include "lib/spool/room.h"
#include "lib/spool/spool.h"
#include "shim/links/violation_count.h"

namespace ward::shim::links {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMaxInMemory = 256;
constexpr std::size_t kMaxBytesInMemory = 512U << 10U;
constexpr std::size_t kMaxBatch = 64;
constexpr std::size_t kMaxBatchBytes = 256U << 10U;
constexpr milliseconds kFirstRetry(250);
constexpr milliseconds kLongestRetry(10'000);
constexpr std::chrono::seconds kDiskAgain(1);  // after it took nothing
constexpr std::size_t kMaxCleanText =
    4096;  // of each text of a record that cannot be kept as it is
constexpr int kMaxCleanTexts = 16;

using Clock = std::chrono::steady_clock;

struct Record {
  std::string bytes;         // a serialized Violation
  std::uint64_t own = 0;     // the violations it tells of: itself and its repeats
  std::uint64_t others = 0;  // and those dropped before it
  Clock::time_point since;
  bool perhaps_told = false;  // it was sent, and no answer says that the journal has it not
};

// The violations that a record tells of, itself and its repeats.
std::uint64_t own_weight(const node::v1::Violation& violation) {
  return violation.tolerated() ? 0 : 1 + violation.repeats();
}

Record make_record(std::string bytes, const node::v1::Violation& violation) {
  return {std::move(bytes), own_weight(violation), violation.dropped_before(), Clock::now()};
}

// Protobuf refuses to read back a string that is not UTF-8, and no disk takes more than a spooled
// record may have, nor what waits behind it. Rather an escaped or cut word than a lost violation.
std::string serialize(node::v1::Violation& violation) {
  std::string bytes = violation.SerializeAsString();
  if (bytes.size() <= kMaxSpoolRecordBytes && node::v1::Violation().ParseFromString(bytes))
    return bytes;
  const auto clean = [](std::string* text) { *text = escape(*text).substr(0, kMaxCleanText); };
  while (violation.args_text_size() > kMaxCleanTexts) violation.mutable_args_text()->RemoveLast();
  for (std::string* text :
       {violation.mutable_event_id(), violation.mutable_boot_id(), violation.mutable_exec_id(),
        violation.mutable_profile_name(), violation.mutable_profile_digest(),
        violation.mutable_syscall(), violation.mutable_comm(), violation.mutable_exe(),
        violation.mutable_evidence(), violation.mutable_outcome(), violation.mutable_reason(),
        violation.mutable_newer_program()}) {
    clean(text);
  }
  for (std::string& text : *violation.mutable_args_text()) clean(&text);
  node::v1::Identity& identity = *violation.mutable_identity();
  for (std::string* text :
       {identity.mutable_containerd_namespace(), identity.mutable_container_id(),
        identity.mutable_kubernetes_namespace(), identity.mutable_pod(),
        identity.mutable_container_name(), identity.mutable_image(),
        identity.mutable_sandbox_id()}) {
    clean(text);
  }
  return violation.SerializeAsString();
}

}  // namespace

struct ViolationOutbox::State : std::enable_shared_from_this<ViolationOutbox::State> {
  State(asio::io_context& io, Place where, Carrier& with)
      : place(std::move(where)),
        carrier(with),
        counted(place.tallies, place.unique_name),
        retry(io),
        soon(io) {}

  void send_next();
  Result<void> fill(node::v1::ReportRequest& request);
  void answered(const node::v1::ReportRequest& sent,
                const Result<node::v1::ReportResponse>& answer);
  void pass_spooled();
  void forget_sent(std::vector<Record> refused);
  void keep(Record record);
  void to_memory(Record record);
  void to_disk();
  Result<void> put_on_disk(const Record& record);
  Result<void> append(const Record& record);
  Result<void> make_room(std::size_t record_bytes);
  Result<void> renew();
  std::uint64_t weigh_spooled() const;
  void lost(std::uint64_t own, std::uint64_t others, const std::string& why);
  void retry_later();
  void save_soon();
  [[nodiscard]] bool fits(const Record& record) const;

  Place place;
  Carrier& carrier;
  ViolationCount counted;
  asio::steady_timer retry;
  asio::steady_timer soon;
  bool saving_soon = false;
  Peer peer = Peer::kAway;
  std::deque<Record> memory;  // behind what is in the spool
  std::size_t memory_bytes = 0;
  SpoolOwner owner;
  std::string spool_name;  // once its owner is known
  std::optional<Spool> spool;
  Clock::time_point disk_again;    // not before
  std::string disk_problem;        // why not
  std::uint64_t delivered_to = 0;  // offset in the spool
  bool in_flight = false;
  bool waiting = false;              // for `retry`
  std::size_t sent_from_memory = 0;  // of the batch in flight, at the front of memory
  std::uint64_t sent_to = 0;         // of the batch in flight from the spool: where it ends
  std::uint64_t sent_damaged = 0;    // unreadable records within that batch
  milliseconds backoff = kFirstRetry;
  std::uint64_t untold = 0;   // violations of lost records that no dropped_before has told yet
  std::uint64_t entered = 0;  // violations that records were made of
  bool journal_knows = false;
  bool ended = false;
  std::uint64_t dropped = 0;
};

// `others` were counted when they were lost, and are to be told again.
void ViolationOutbox::State::lost(std::uint64_t own, std::uint64_t others, const std::string& why) {
  dropped += own;
  untold += own + others;
  log::error("lost the detail of violations", {{"why", why}, {"lost", std::to_string(dropped)}});
}

Result<void> ViolationOutbox::State::make_room(std::size_t record_bytes) {
  if (spool && spool->has_room_for(record_bytes)) return {};
  const auto room = spool_room(place.spool, owner, spool_name, {}, Spool::bytes_for(record_bytes));
  if (!room) return tl::unexpected<Error>(room.error());
  if (!spool) {
    auto made = Spool::create(place.spool / spool_name);
    if (!made) return tl::unexpected<Error>(made.error());
    spool.emplace(std::move(*made));
    delivered_to = 0;
  }
  spool->allow(*room);
  return {};
}

Result<void> ViolationOutbox::State::append(const Record& record) {
  if (spool && !spool->is_named()) {
    if (auto done = renew(); !done) return done;
  }
  if (auto done = make_room(record.bytes.size()); !done) return done;
  return spool->append(record.bytes);
}

// The file was removed, or moved away. What is in it and not delivered is written again; where that
// fails it can be read as long as we live, and stays in front of what is in memory.
Result<void> ViolationOutbox::State::renew() {
  Spool old = std::move(*spool);
  const std::uint64_t old_delivered_to = delivered_to;
  spool.reset();
  const auto undo = [&](const Error& why) -> Result<void> {
    if (spool) (void)spool->remove();
    spool.emplace(std::move(old));
    delivered_to = old_delivered_to;
    return tl::unexpected<Error>(why);
  };
  std::uint64_t new_sent_to = 0;
  std::uint64_t damaged = 0;
  for (std::uint64_t offset = old_delivered_to; offset < old.size_bytes();) {
    const auto batch = old.read(offset, 1, 0);
    if (!batch) return undo(batch.error());
    for (const std::string& bytes : batch->records) {
      if (auto done = make_room(bytes.size()); !done) return undo(done.error());
      if (auto done = spool->append(bytes); !done) return undo(done.error());
    }
    if (batch->next_offset <= sent_to) {
      new_sent_to = spool ? spool->size_bytes() : 0;
    } else {
      damaged += batch->skipped;  // those before are counted with the batch in flight
    }
    offset = batch->next_offset;
  }
  log::warn("the spool was removed under us: what it had is on disk again",
            {{"spool", spool_name}});
  sent_to = new_sent_to;
  if (damaged > 0) lost(damaged, 0, "damaged records in the spool");
  return {};
}

// The violations that its undelivered records tell of.
std::uint64_t ViolationOutbox::State::weigh_spooled() const {
  std::uint64_t weight = 0;
  for (std::uint64_t offset = delivered_to; offset < spool->size_bytes();) {
    const auto batch = spool->read(offset, kMaxBatch, kMaxBatchBytes);
    if (!batch) return weight;
    for (const std::string& bytes : batch->records) {
      node::v1::Violation violation;
      if (violation.ParseFromString(bytes))
        weight += own_weight(violation) + violation.dropped_before();
    }
    offset = batch->next_offset;
  }
  return weight;
}

// A look at a full directory or disk for every record of a flood would cost more than the flood.
Result<void> ViolationOutbox::State::put_on_disk(const Record& record) {
  const auto now = Clock::now();
  if (!ended && now < disk_again) return fail(Code::kUnavailable, disk_problem);
  auto done = append(record);
  if (done) {
    disk_problem.clear();
    return done;
  }
  if (disk_problem.empty())
    log::error("violations stay in memory", {{"error", done.error().message}});
  disk_problem = done.error().message;
  disk_again = now + kDiskAgain;
  if (spool && spool->size_bytes() == 0) {
    (void)spool->remove();
    spool.reset();
  }
  return done;
}

bool ViolationOutbox::State::fits(const Record& record) const {
  return memory.size() < kMaxInMemory && memory_bytes + record.bytes.size() <= kMaxBytesInMemory;
}

void ViolationOutbox::State::to_memory(Record record) {
  if (!fits(record)) {
    // The first ones say how it began: they stay.
    return lost(record.own, record.others, disk_problem.empty() ? "memory is full" : disk_problem);
  }
  memory_bytes += record.bytes.size();
  memory.push_back(std::move(record));
  save_soon();
}

// What is in memory goes before it.
void ViolationOutbox::State::keep(Record record) {
  to_disk();
  if (!memory.empty() || !put_on_disk(record)) to_memory(std::move(record));
}

// Moves as much as the disk takes. The part that moved of a batch in flight becomes one from the
// spool: if its answer comes, that part is passed over as well.
void ViolationOutbox::State::to_disk() {
  while (!memory.empty() && put_on_disk(memory.front())) {
    memory_bytes -= memory.front().bytes.size();
    memory.pop_front();
    if (sent_from_memory == 0) continue;
    --sent_from_memory;
    sent_to = spool->size_bytes();
    sent_damaged = 0;
  }
}

// A record waits in memory for wardd's answer, but not for long: it is to outlive us. A disk that
// took nothing is tried again until there is nothing left to put there.
void ViolationOutbox::State::save_soon() {
  if (saving_soon || memory.empty() || ended) return;
  saving_soon = true;
  const auto due = memory.front().since + kOnDiskAfter;
  soon.expires_at(disk_problem.empty() ? due : std::max(due, disk_again));
  soon.async_wait([weak = weak_from_this()](const asio::error_code& error) {
    const auto self = weak.lock();
    if (!self || error) return;
    self->saving_soon = false;
    if (!self->memory.empty() && self->memory.front().since + kOnDiskAfter <= Clock::now())
      self->to_disk();
    self->save_soon();
  });
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
    if (const auto removed = spool->remove(); !removed)
      log::warn("spool", {{"error", removed.error().message}});
    spool.reset();
  }
  for (Record& record : memory) {
    if (sent_from_memory == kMaxBatch) break;
    request.add_violations()->ParseFromString(record.bytes);  // our own serialization
    record.perhaps_told = true;
    ++sent_from_memory;
  }
  return {};
}

// The spool up to the end of the batch is done with; what was unreadable in it is counted now,
// once.
void ViolationOutbox::State::pass_spooled() {
  delivered_to = std::exchange(sent_to, 0);
  if (sent_damaged == 0) return;
  lost(std::exchange(sent_damaged, 0), 0,
       "damaged records in the spool");  // how many repeats they told of is unknown
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
  carrier.report(
      request, [weak = weak_from_this(), request](const Result<node::v1::ReportResponse>& answer) {
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
  const std::set<std::string> accepted(answer->accepted_event_ids().begin(),
                                       answer->accepted_event_ids().end());
  std::vector<Record> refused;
  for (const node::v1::Violation& violation : sent.violations()) {
    if (!accepted.contains(violation.event_id())) {
      refused.push_back(make_record(violation.SerializeAsString(), violation));
    }
  }
  const std::size_t count = static_cast<std::size_t>(sent.violations_size());
  if (refused.size() == count) {  // its disk is full, say: nothing is forgotten
    for (std::size_t i = 0; i < sent_from_memory; ++i) memory[i].perhaps_told = false;
    to_disk();
    return retry_later();
  }
  journal_knows = true;
  backoff = kFirstRetry;
  const bool all = refused.empty();
  forget_sent(std::move(refused));
  if (!all) return retry_later();
  send_next();
}

// What the journal did not want while it took others goes to the end, so that it does not stop
// those behind it.
void ViolationOutbox::State::forget_sent(std::vector<Record> refused) {
  if (sent_to > 0) pass_spooled();
  for (; sent_from_memory > 0; --sent_from_memory) {
    memory_bytes -= memory.front().bytes.size();
    memory.pop_front();
  }
  for (Record& record : refused) keep(std::move(record));
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

ViolationOutbox::ViolationOutbox(asio::io_context& loop, Place place, Carrier& carrier)
    : state_(std::make_shared<State>(loop, std::move(place), carrier)) {}

ViolationOutbox::~ViolationOutbox() {
  state_->retry.cancel();
  state_->soon.cancel();
  end();
}

void ViolationOutbox::count(const node::v1::Identity& who, const std::string& profile) {
  state_->counted.add(who, profile);
}

void ViolationOutbox::add(node::v1::Violation violation) {
  State& state = *state_;
  state.carrier.look_if_new();
  state.entered += own_weight(violation);
  violation.set_dropped_before(violation.dropped_before() + std::exchange(state.untold, 0));
  if (state.spool_name.empty()) {
    state.owner = spool_owner(violation.identity(), violation.profile_name());
    state.spool_name = spool_prefix(state.owner) + state.place.unique_name + ".spool";
  }
  std::string bytes = serialize(violation);
  Record record = make_record(std::move(bytes), violation);
  if (state.peer != Peer::kAway && !state.spool && state.fits(record)) {
    state.to_memory(std::move(record));
  } else {
    state.keep(std::move(record));
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

// A record that was never made, or found no place, is lost now; what the disk took, or the journal
// has, is not.
void ViolationOutbox::end() {
  State& state = *state_;
  const bool again = std::exchange(state.ended, true);
  state.to_disk();
  if (again) return;
  std::uint64_t lost = state.untold;
  bool perhaps_told = false;
  for (const Record& record : state.memory) {
    lost += record.own + record.others;
    perhaps_told = perhaps_told || record.perhaps_told;
  }
  if (state.spool && !state.spool->is_named()) {
    if (const auto renewed = state.renew(); !renewed) {
      log::error("the spool was removed under us", {{"error", renewed.error().message}});
      lost += state.weigh_spooled();
      perhaps_told = true;  // who knows what was sent of it
    }
  }
  if (state.counted.seen() > state.entered) lost += state.counted.seen() - state.entered;
  state.counted.end(lost, state.journal_knows, perhaps_told);
}

std::uint64_t ViolationOutbox::dropped() const { return state_->dropped; }

std::size_t ViolationOutbox::in_memory() const { return state_->memory.size(); }

bool ViolationOutbox::spooled() const { return state_->spool.has_value(); }

}  // namespace ward::shim::links
