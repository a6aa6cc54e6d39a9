// SPDX-License-Identifier: Apache-2.0
#include "enforcer/journal/journal.h"

#include <memory>
#include <utility>

#include "enforcer/journal/accounts.h"
#include "lib/base/clock.h"
#include "lib/base/digest.h"
#include "lib/base/file.h"
#include "lib/base/log.h"

namespace ward::enforcer {
namespace {

constexpr std::size_t kMostUnwritten = 256;
constexpr std::uint64_t kExpireEvery = 1000;  // events between two looks at the limits

struct Added {
  std::uint64_t events = 0;
  std::uint64_t told = 0;
  std::uint64_t dropped = 0;
  std::map<node::v1::Action, std::uint64_t> violations;
};

bool is_from_shim(EventKind kind) {
  return kind == EventKind::kViolation || kind == EventKind::kTolerated ||
         kind == EventKind::kSessionRefused || kind == EventKind::kNewerProgram ||
         kind == EventKind::kCapabilityDenied;
}

// A closed account has its shim's unknown violations among the lost already.
Result<bool> is_counted_as_lost(Connection& connection, const JournalEntry& entry,
                                std::map<std::string, bool>& known) {
  const std::string shim =
      is_from_shim(entry.kind) ? shim_of(entry.body.event_id()) : std::string();
  if (shim.empty()) return false;
  const auto found = known.find(shim);
  if (found != known.end()) return found->second;
  auto closed = is_account_closed(connection, shim);
  if (closed) known[shim] = *closed;
  return closed;
}

Result<void> insert(Connection& connection, const std::vector<JournalEntry>& entries,
                    Added& added) {
  auto statement = connection.prepare(
      "INSERT OR IGNORE INTO events (event_id, wall_ns, kind, containerd_namespace, container, "
      "body, workload)"
      " VALUES (?, ?, ?, ?, ?, ?, ?)");
  if (!statement) return tl::unexpected<Error>(statement.error());
  std::map<std::string, bool> closed;
  std::map<std::string, std::uint64_t> by_shim;
  for (const JournalEntry& entry : entries) {
    const auto late = is_counted_as_lost(connection, entry, closed);
    if (!late) return tl::unexpected<Error>(late.error());
    if (*late) continue;
    const node::v1::Violation& body = entry.body;
    const std::string bytes = body.SerializeAsString();
    // Without an id its content is its id: still once, however often it is sent.
    const std::string id =
        body.event_id().empty() ? "content-" + sha256_hex(bytes) : body.event_id();
    statement->reset();
    statement->bind(id).bind(body.wall_ns()).bind(std::string(event_kind_name(entry.kind)));
    statement->bind(body.identity().containerd_namespace())
        .bind(body.identity().container_id())
        .bind_blob(bytes);
    statement->bind(workload_of(body));
    if (auto done = statement->run(); !done) return done;
    if (connection.changes() == 0) continue;  // known already
    ++added.events;
    added.dropped += body.dropped_before();
    if (is_from_shim(entry.kind)) by_shim[shim_of(id)] += weight_of(body);
    if (entry.kind != EventKind::kViolation) continue;
    ++added.violations[body.action()];
    added.told += 1 + body.repeats();
  }
  by_shim.erase("");
  for (const auto& [shim, weight] : by_shim) {
    if (auto done = add_to_account(connection, shim, weight); !done) return done;
  }
  if (auto done = add_to_counter(connection, "events", added.events); !done) return done;
  if (auto done = add_to_counter(connection, "violations", added.told); !done) return done;
  return add_to_counter(connection, "dropped", added.dropped);
}

Result<std::map<std::string, std::uint64_t>> read_counters(Statement& statement) {
  std::map<std::string, std::uint64_t> counters;
  for (;;) {
    auto row = statement.step();
    if (!row) return tl::unexpected<Error>(row.error());
    if (!*row) return counters;
    counters[statement.text(0)] = static_cast<std::uint64_t>(statement.integer(1));
  }
}

}  // namespace

Journal::Journal(Writer& writer, std::filesystem::path database, JournalLimits limits)
    : writer_(writer), reader_(writer, std::move(database)), limits_(limits) {
  if (auto id = read_file("/proc/sys/kernel/random/boot_id"))
    boot_id_ = id->substr(0, id->find('\n'));
  load_counts();
}

void Journal::load_counts() {
  auto statement = reader_.prepare("SELECT name, value FROM counters");
  if (!statement) return;
  if (const auto counters = read_counters(*statement)) take_counts(*counters);
}

void Journal::take_counts(const std::map<std::string, std::uint64_t>& counters) {
  counts_loaded_ = true;
  for (const auto& [name, count] : {std::pair{"events", &counts_.events},
                                    {"violations", &counts_.told},
                                    {"dropped", &counts_.dropped},
                                    {"expired", &counts_.expired},
                                    {"expired-age", &counts_.expired_age},
                                    {"expired-share", &counts_.expired_share},
                                    {"expired-number", &counts_.expired_number}}) {
    const auto found = counters.find(name);
    if (found != counters.end()) *count = found->second;
  }
}

// By the writer: what was committed before is then in our counts, and nothing else is. A reader of
// our own could see a batch of which we are to be told yet, and it would count twice.
void Journal::recount() {
  auto asked = std::make_shared<std::vector<Told>>(std::exchange(await_count_, {}));
  auto counters = std::make_shared<std::map<std::string, std::uint64_t>>();
  writer_.submit(
      [counters](Connection& connection) -> Result<void> {
        auto statement = connection.prepare("SELECT name, value FROM counters");
        if (!statement) return tl::unexpected<Error>(statement.error());
        auto read = read_counters(*statement);
        if (!read) return tl::unexpected<Error>(read.error());
        *counters = std::move(*read);
        return {};
      },
      [this, counters, asked](const Result<void>& result) {
        if (!result) {  // write_again()
          await_count_.insert(await_count_.end(), asked->begin(), asked->end());
          return;
        }
        const std::uint64_t acknowledged = counts_.events;
        take_counts(*counters);
        std::uint64_t lost = acknowledged > counts_.events ? acknowledged - counts_.events : 0;
        for (const Told& told : *asked) told(std::exchange(lost, 0));
      });
}

void Journal::count_lost(Told told) {
  await_count_.push_back(std::move(told));
  recount();
}

void Journal::append(std::vector<JournalEntry> entries,
                     std::function<void(Result<void>)> committed) {
  append_made([entries = std::move(entries)](
                  Connection&) -> Result<std::vector<JournalEntry>> { return entries; },
              std::move(committed));
}

void Journal::append_made(Make make, std::function<void(Result<void>)> committed) {
  auto added = std::make_shared<Added>();
  writer_.submit(
      [make = std::move(make), added](Connection& connection) -> Result<void> {
        const auto entries = make(connection);
        return entries ? insert(connection, *entries, *added)
                       : tl::unexpected<Error>(entries.error());
      },
      [this, added, committed = std::move(committed)](const Result<void>& result) {
        if (result && added->events > 0) {
          counts_.events += added->events;
          counts_.told += added->told;
          counts_.dropped += added->dropped;
          for (const auto& [action, count] : added->violations) counts_.violations[action] += count;
          appended_since_expiry_ += added->events;
          if (appended_since_expiry_ >= kExpireEvery) expire();
        }
        committed(result);
        if (result && added->events > 0) wake();
      },
      "journal");
}

Result<std::uint64_t> Journal::account(const std::string& shim) {
  auto statement = reader_.prepare("SELECT value FROM counters WHERE name = ?");
  if (!statement) return tl::unexpected<Error>(statement.error());
  auto row = statement->bind(account_row(shim)).step();
  if (!row) return tl::unexpected<Error>(row.error());
  return *row ? static_cast<std::uint64_t>(statement->integer(0)) : 0;
}

void Journal::forget_account(const std::string& shim) {
  writer_.submit(
      [shim](Connection& connection) { return enforcer::forget_account(connection, shim); },
      nullptr);
}

void Journal::forget_accounts_but(std::set<std::string> shims) {
  writer_.submit(
      [shims = std::move(shims)](Connection& connection) {
        return enforcer::forget_accounts_but(connection, shims);
      },
      nullptr);
}

void Journal::stamp(JournalEntry& entry) const {
  node::v1::Violation& body = entry.body;
  if (body.event_id().empty()) body.set_event_id("wardd-" + random_hex(12));
  if (body.wall_ns() == 0) body.set_wall_ns(wall_ns());
  if (body.monotonic_ns() == 0) body.set_monotonic_ns(monotonic_ns());
  if (body.boot_id().empty()) body.set_boot_id(boot_id_);
}

void Journal::note(JournalEntry entry) {
  stamp(entry);
  keep(std::move(entry));
}

// wardd has nobody who would send it again: what is not written yet stays here, and is tried again.
void Journal::keep(JournalEntry entry) {
  append({entry}, [this, entry](const Result<void>& result) {
    if (result) return;
    if (unwritten_.empty()) {
      log::error("event not journalled yet", {{"kind", std::string(event_kind_name(entry.kind))},
                                              {"reason", entry.body.reason()},
                                              {"error", result.error().message}});
    }
    if (unwritten_.size() < kMostUnwritten) {
      unwritten_.push_back(entry);
    } else {
      ++given_up_;
    }
  });
}

void Journal::write_again() {
  if (!counts_loaded_ || !await_count_.empty()) recount();
  for (JournalEntry& entry : std::exchange(unwritten_, {})) keep(std::move(entry));
}

std::optional<std::string> Journal::problem() const {
  if (unwritten_.empty() && given_up_ == 0) return std::nullopt;
  return "journal: " + std::to_string(unwritten_.size()) +
         " of wardd's own events wait to be written, " + std::to_string(given_up_) +
         " were given up";
}

Result<std::vector<JournalRecord>> Journal::read(std::uint64_t after_sequence,
                                                 const std::string& container,
                                                 std::uint32_t limit) {
  auto statement = reader_.prepare(
      container.empty() ? "SELECT sequence, kind, body FROM events WHERE sequence > ?1 ORDER BY "
                          "sequence LIMIT ?2"
                        : "SELECT sequence, kind, body FROM events WHERE sequence > ?1 AND "
                          "container = ?3 ORDER BY sequence LIMIT ?2");
  if (!statement) return tl::unexpected<Error>(statement.error());
  statement->bind(static_cast<std::int64_t>(after_sequence)).bind(static_cast<std::int64_t>(limit));
  if (!container.empty()) statement->bind(container);
  std::vector<JournalRecord> records;
  for (;;) {
    auto row = statement->step();
    if (!row) return tl::unexpected<Error>(row.error());
    if (!*row) return records;
    JournalRecord record;
    record.sequence = static_cast<std::uint64_t>(statement->integer(0));
    record.entry.kind = parse_event_kind(statement->text(1));
    if (!record.entry.body.ParseFromString(statement->text(2))) {
      record.entry.body.set_reason("the journal's record " + std::to_string(record.sequence) +
                                   " is damaged");
    }
    records.push_back(std::move(record));
  }
}

Result<std::uint64_t> Journal::sequence_before_newest(std::uint32_t count,
                                                      const std::string& container) {
  auto statement = reader_.prepare(
      container.empty() ? "SELECT sequence FROM events ORDER BY sequence DESC LIMIT 1 OFFSET ?1"
                        : "SELECT sequence FROM events WHERE container = ?2 ORDER BY sequence DESC "
                          "LIMIT 1 OFFSET ?1");
  if (!statement) return tl::unexpected<Error>(statement.error());
  statement->bind(static_cast<std::int64_t>(count));
  if (!container.empty()) statement->bind(container);
  auto row = statement->step();
  if (!row) return tl::unexpected<Error>(row.error());
  return *row ? static_cast<std::uint64_t>(statement->integer(0)) : 0;
}

std::uint64_t Journal::subscribe(std::function<void()> woken) {
  subscribers_.emplace(next_subscription_, std::move(woken));
  return next_subscription_++;
}

void Journal::unsubscribe(std::uint64_t subscription) { subscribers_.erase(subscription); }

void Journal::wake() {
  // Over a copy: a subscriber may come or go in the middle of it.
  for (const auto& [id, woken] : std::map(subscribers_)) {
    if (subscribers_.count(id) != 0) woken();
  }
}

void Journal::expire() {
  const auto held = held_ ? held_() : std::vector<HeldContainer>();
  if (!held) return;
  appended_since_expiry_ = 0;
  auto removed = std::make_shared<Expired>();
  writer_.submit(
      [limits = limits_, held = *held, removed](Connection& connection) -> Result<void> {
        auto gone = remove_expired(connection, limits, wall_ns(), held);
        if (!gone) return tl::unexpected<Error>(gone.error());
        *removed = *gone;
        return {};
      },
      [this, removed](const Result<void>& result) {
        if (!result) return;
        counts_.expired += removed->all();
        counts_.expired_age += removed->age;
        counts_.expired_share += removed->share;
        counts_.expired_number += removed->number;
        if (removed->all() > 0) {
          log::info("journal: old events removed", {{"events", std::to_string(removed->all())},
                                                    {"age", std::to_string(removed->age)},
                                                    {"share", std::to_string(removed->share)},
                                                    {"number", std::to_string(removed->number)}});
        }
        if (removed->more) expire();
      });
}

}  // namespace ward::enforcer
