// SPDX-License-Identifier: Apache-2.0
#include "enforcer/overlay/amendments.h"

#include <utility>

#include "lib/base/clock.h"
#include "lib/base/log.h"

namespace ward::enforcer {
namespace {

constexpr std::uint32_t kAtOnce = 1000;
constexpr int kBatches = 4;  // of events, at one look
constexpr std::int64_t kKeepEvery_ns = 60'000'000'000;

Result<AmendRows> read_rows(Reader& reader) {
  auto statement = reader.prepare("SELECT name, body FROM amendments");
  if (!statement) return tl::unexpected<Error>(statement.error());
  AmendRows rows;
  for (;;) {
    auto row = statement->step();
    if (!row) return tl::unexpected<Error>(row.error());
    if (!*row) return rows;
    rows[statement->text(0)] = statement->text(1);
  }
}

Result<void> write_rows(Connection& connection, const AmendRows& changed,
                        const std::vector<std::string>& gone) {
  auto put = connection.prepare("INSERT OR REPLACE INTO amendments (name, body) VALUES (?, ?)");
  if (!put) return tl::unexpected<Error>(put.error());
  for (const auto& [name, body] : changed) {
    put->reset();
    if (auto done = put->bind(name).bind_blob(body).run(); !done) return done;
  }
  auto remove = connection.prepare("DELETE FROM amendments WHERE name = ?");
  if (!remove) return tl::unexpected<Error>(remove.error());
  for (const std::string& name : gone) {
    remove->reset();
    if (auto done = remove->bind(name).run(); !done) return done;
  }
  return {};
}

}  // namespace

Amendments::Amendments(Writer& writer, Journal& journal, std::filesystem::path database)
    : writer_(writer),
      journal_(journal),
      reader_(writer, std::move(database)),
      looked_ns_(monotonic_ns()) {}

Result<void> Amendments::load() {
  if (loaded_) return {};
  auto rows = read_rows(reader_);
  if (!rows) return tl::unexpected<Error>(rows.error());
  kept_ = from_rows(*rows);
  distrust_ = kept_.damaged;
  written_ = std::move(*rows);
  loaded_ = true;
  return {};
}

Result<void> Amendments::look(const profiles::Amendables& amendable,
                              const std::set<std::string>& in_force,
                              const profiles::Living& living) {
  const std::int64_t now_ns = monotonic_ns();
  kept_.book.watched_ns += now_ns - std::exchange(looked_ns_, now_ns);
  if (amendable.empty() && kept_.book.profiles.empty()) {
    waiting_ = 0;
    return {};
  }
  // Where nothing is amended nobody reads; what happened then is read when something is again.
  auto all = amendable.empty() ? Result<bool>(true) : read(amendable, living);
  if (!all) return tl::unexpected<Error>(all.error());
  if (distrust_) {
    // Nothing is decided, nor kept, until it is known whom it is about.
    if (!living) return {};
    profiles::distrust(kept_.book, *living);
    distrust_ = false;
    changed_ = true;
  }
  // A later event may say that its container reached for more.
  if (*all) {
    const profiles::Decided decided = profiles::decide(kept_.book, amendable, in_force, wall_ns());
    waiting_ = decided.waiting;
    for (const profiles::AmendChange& change : decided.changes) tell(change);
  }
  if (changed_ || kept_.book.watched_ns - kept_ns_ >= kKeepEvery_ns) keep();
  return {};
}

// True: there is nothing more to read now.
Result<bool> Amendments::read(const profiles::Amendables& amendable,
                              const profiles::Living& living) {
  for (int i = 0; i < kBatches; ++i) {
    const auto records = journal_.read(kept_.read_to, "", kAtOnce);
    if (!records) return tl::unexpected<Error>(records.error());
    for (const JournalRecord& record : *records) {
      // Numbers follow one another: what is missing has left the journal unread.
      if (record.sequence != kept_.read_to + 1) distrust_ = true;
      kept_.read_to = record.sequence;
      const auto event = events_.take(record);
      if (!event) continue;
      const bool nobodys = event->stops && event->source.empty();
      if (nobodys) profiles::forget_seen(kept_.book);
      if (profiles::note(kept_.book, *event, amendable, living) || nobodys) changed_ = true;
    }
    if (records->size() < kAtOnce) return true;
  }
  return false;
}

void Amendments::tell(const profiles::AmendChange& change) {
  changed_ = true;
  const bool dropped = change.what == profiles::AmendChange::What::kWithdrawn;
  log::info(dropped ? "amendment dropped" : "amended",
            {{"profile", change.profile}, {"what", change.reason}});
  JournalEntry event{dropped ? EventKind::kAmendmentDropped : EventKind::kAmended, {}};
  event.body.set_profile_name(change.profile);
  event.body.set_profile_digest(change.digest);
  if (const auto found = kept_.book.profiles.find(change.digest);
      found != kept_.book.profiles.end())
    event.body.set_overlay(profiles::digest(profiles::overlay_of(found->second)));
  event.body.set_reason(change.reason);
  journal_.note(std::move(event));
}

std::vector<profiles::AmendCall> Amendments::drop(const std::string& digest,
                                                  const std::string& profile,
                                                  const std::string& syscall) {
  auto dropped = profiles::drop(kept_.book, digest, syscall);
  for (const profiles::AmendCall& call : dropped) {
    const auto part = profiles::held_part(call.nr, call.arguments);
    tell({profiles::AmendChange::What::kWithdrawn, profile, digest,
          (part ? part->syscall : "call " + std::to_string(call.nr)) +
              ": a person dropped it, for as long as this version is in force; it ends with the "
              "next start"});
  }
  if (!dropped.empty()) keep();
  return dropped;
}

profiles::Overlays Amendments::overlays() const {
  profiles::Overlays out;
  for (const auto& [digest, profile] : kept_.book.profiles) {
    auto overlay = profiles::overlay_of(profile);
    if (!overlay.empty()) out[digest] = std::move(overlay);
  }
  return out;
}

// Rows that differ from what was written. What fails is written with the next change.
void Amendments::keep() {
  changed_ = false;
  kept_ns_ = kept_.book.watched_ns;
  AmendRows rows = to_rows(kept_);
  AmendRows differing;
  for (const auto& [name, body] : rows) {
    const auto before = written_.find(name);
    if (before == written_.end() || before->second != body) differing[name] = body;
  }
  std::vector<std::string> gone;
  for (const auto& [name, body] : written_)
    if (!rows.contains(name)) gone.push_back(name);
  written_ = std::move(rows);
  writer_.submit([differing = std::move(differing), gone = std::move(gone)](
                     Connection& connection) { return write_rows(connection, differing, gone); },
                 [this](const Result<void>& result) {
                   if (result) return;
                   written_.clear();
                   changed_ = true;
                 },
                 "amendments");
}

std::vector<std::string> Amendments::problems() const {
  std::vector<std::string> out;
  if (waiting_ > 0) {
    out.push_back("warning: amend: " + std::to_string(waiting_) +
                  (waiting_ == 1 ? " call waits" : " calls wait") + ": at most " +
                  std::to_string(profiles::kMostAmendedPerHour) +
                  " an hour are amended on a node, and " +
                  std::to_string(profiles::kMostAmendedPerProfile) +
                  " of a profile; `ward profile propose` has them");
  }
  if (kept_.book.overfull)
    out.emplace_back(
        "warning: amend: more running containers reached for more than can be kept; nothing is "
        "amended on this node any more");
  return out;
}

}  // namespace ward::enforcer
