// SPDX-License-Identifier: Apache-2.0
// The journal of one node: violations as the shims report them, and what wardd itself did, in one
// numbered sequence. Written through the database's writer, read on the core loop through a
// connection of its own. All calls from the core. I4: an event is acknowledged only when it is on
// disk, and one that comes twice is kept once.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "enforcer/database/reader.h"
#include "enforcer/database/writer.h"
#include "enforcer/journal/event_kind.h"
#include "enforcer/journal/expiry.h"
#include "ward/node/v1/types.pb.h"

namespace ward::enforcer {

// The body of every kind is a Violation message: kinds of wardd's own leave empty what does not
// apply to them.
struct JournalEntry {
  EventKind kind = EventKind::kUnknown;
  node::v1::Violation body;
};

struct JournalRecord {
  std::uint64_t sequence = 0;
  JournalEntry entry;
};

struct JournalCounts {
  std::uint64_t events = 0;       // ever journalled
  std::uint64_t told = 0;         // violations in events ever journalled, with their repeats
  std::uint64_t dropped = 0;      // violations whose record was lost
  std::uint64_t expired = 0;      // events removed by the limits
  std::uint64_t expired_age = 0;  // of these: see Expired
  std::uint64_t expired_share = 0;
  std::uint64_t expired_number = 0;
  std::map<node::v1::Action, std::uint64_t> violations;  // since start, by action
};

class Journal {
 public:
  Journal(Writer& writer, std::filesystem::path database, JournalLimits limits);

  // `committed` runs when all of them are on disk (or were there already), or with the reason why
  // not.
  void append(std::vector<JournalEntry> entries, std::function<void(Result<void>)> committed);

  // The same for entries that are made of what the database says, in one transaction with them;
  // `make` runs on the writer's thread.
  using Make = std::function<Result<std::vector<JournalEntry>>(Connection&)>;
  void append_made(Make make, std::function<void(Result<void>)> committed);

  // For an event of wardd's own: stamps it. One that cannot be written is kept for write_again().
  void note(JournalEntry entry);
  void write_again();                                        // now and then
  [[nodiscard]] std::optional<std::string> problem() const;  // of wardd's own events; for people
  void stamp(JournalEntry& entry)
      const;  // fills what is empty of event_id, wall_ns, monotonic_ns and boot_id

  // What it has of a shim's violations (accounts.h).
  Result<std::uint64_t> account(const std::string& shim);
  void forget_account(const std::string& shim);
  void forget_accounts_but(std::set<std::string> shims);

  // At most `limit` events after that sequence number, oldest first; of one container where
  // `container` is not empty.
  Result<std::vector<JournalRecord>> read(std::uint64_t after_sequence,
                                          const std::string& container, std::uint32_t limit);
  // Where to start reading so that the newest `count` events of the container come.
  Result<std::uint64_t> sequence_before_newest(std::uint32_t count, const std::string& container);

  // Called after each commit that added events, until unsubscribed. The callback may unsubscribe
  // itself.
  std::uint64_t subscribe(std::function<void()> woken);
  void unsubscribe(std::uint64_t subscription);

  [[nodiscard]] const JournalCounts& counts() const { return counts_; }
  void set_limits(JournalLimits limits) { limits_ = limits; }
  // After the database was repaired: how many events that were acknowledged are not in it any more.
  // Told when that can be read, which write_again() tries.
  using Told = std::function<void(std::uint64_t lost)>;
  void count_lost(Told told);
  void expire();  // drops what is past the limits, and counts it

  // Containers whose events stay (HeldContainer). Nothing as long as nobody can know them: then
  // nothing is dropped.
  using Held = std::function<std::optional<std::vector<HeldContainer>>()>;
  void set_held(Held held) { held_ = std::move(held); }

 private:
  void load_counts();
  void recount();
  void take_counts(const std::map<std::string, std::uint64_t>& counters);
  void keep(JournalEntry entry);
  void wake();

  Writer& writer_;
  Reader reader_;
  JournalLimits limits_;
  JournalCounts counts_;
  std::map<std::uint64_t, std::function<void()>> subscribers_;
  std::uint64_t next_subscription_ = 1;
  Held held_;
  std::vector<JournalEntry> unwritten_;
  std::uint64_t given_up_ = 0;
  bool counts_loaded_ = false;
  std::vector<Told> await_count_;
  std::uint64_t appended_since_expiry_ = 0;
  std::string boot_id_;
};

}  // namespace ward::enforcer
