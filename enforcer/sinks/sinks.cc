// SPDX-License-Identifier: Apache-2.0
#include "enforcer/sinks/sinks.h"

#include <sys/stat.h>

#include <algorithm>
#include <asio/post.hpp>
#include <chrono>
#include <utility>

#include "lib/base/log.h"

namespace ward::enforcer::sinks {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kPage = 32;  // events; one is some kilobytes at most
constexpr int kMostPages = 8;        // of one turn, where one more event is looked for

}  // namespace

struct Sinks::Run {
  profiles::SinkSettings settings;
  std::optional<profiles::SinkSettings> next;  // when the thread of the present ones has ended
  bool ending = false;
  std::unique_ptr<Sender> sender;
  std::optional<Place> place;
  bool is_read = false;     // the file of the place was
  bool is_damaged = false;  // it was none: all comes again
  bool on_disk = false;     // there is one: before, no event is handed out
  bool positioned = false;  // place is held against the database
  bool asking = false, sending = false;
  std::uint64_t kept_sequence = 0;  // what the sender was last given, or has told
  Place given;                      // behind what the sender has
  std::optional<Batch> held;        // what it was given, where it wants another event
  // What was journal_.counts().expired when the database was last asked, not what it said: the two
  // may differ for good. `seen` is of the looks while it sends as well.
  std::uint64_t expired = 0, seen = 0;
  std::uint64_t missed = 0;  // left the journal behind `given`; not in the place yet
  Clock::time_point asked_at;
  std::size_t repairs = 0;
  Sender::Report told;
  std::string trouble;  // with the journal, or with reading the place
};

Sinks::Sinks(asio::io_context& core, Journal& journal, Writer& writer,
             std::filesystem::path directory, Around around, MakeOutlet make, Pace pace)
    : core_(core),
      journal_(journal),
      writer_(writer),
      directory_(std::move(directory)),
      around_(std::move(around)),
      make_(std::move(make)),
      pace_(pace),
      last_moment_(core) {}

Sinks::~Sinks() {
  if (subscription_) journal_.unsubscribe(*subscription_);
  for (const auto& [name, run] : runs_) run->sender.reset();  // which knows of the run
}

void Sinks::set(const std::vector<profiles::SinkSettings>& wanted) {
  if (stopped_) return;
  if (!wanted.empty() && !subscription_) subscription_ = journal_.subscribe([this] { pump_all(); });
  std::map<std::string, const profiles::SinkSettings*> by_name;
  for (const auto& settings : wanted) by_name[settings.name] = &settings;
  for (const auto& [name, run] : runs_) {
    const auto found = by_name.find(name);
    const bool gone = found == by_name.end();
    run->next.reset();
    if (!gone && !run->ending && *found->second == run->settings) continue;
    // The other begins when this one's thread has ended: one at a time writes the place.
    if (!gone) run->next = *found->second;
    if (!std::exchange(run->ending, true)) run->sender->stop();
  }
  for (const auto& [name, settings] : by_name) {
    if (runs_.contains(name)) continue;
    const auto run = std::make_shared<Run>();
    run->settings = *settings;
    runs_[name] = run;
    begin(run);
  }
}

void Sinks::begin(const std::shared_ptr<Run>& run) {
  auto settings = std::move(run->settings);
  *run = Run();
  run->settings = std::move(settings);
  ::mkdir(directory_.c_str(), 0700);  // where that fails, the sender says so
  look_up_place(*run);
  const auto guarded = [this, weak = std::weak_ptr(alive_)](auto act) {
    return [this, weak, act](auto... told) {
      if (!weak.expired()) act(this, std::move(told)...);
    };
  };
  Sender::Told told;
  told.progress =
      guarded([run](Sinks* self, Sender::Report report) { self->hear(*run, std::move(report)); });
  told.done = guarded([run](Sinks* self, Sender::Report report) {
    self->hear(*run, std::move(report));
    run->kept_sequence = run->place->sequence;
    run->sending = false;
    if (run->on_disk) self->pump(run);  // else tend()
  });
  told.ended = guarded([run](Sinks* self) { self->ended(run); });
  run->sender =
      std::make_unique<Sender>(core_, make_(run->settings),
                               place_file(directory_, run->settings.name), pace_, std::move(told));
  pump(run);
}

void Sinks::look_up_place(Run& run) const {
  auto place = read_place(place_file(directory_, run.settings.name));
  if (!place && place.error().sys_errno != 0) {  // it may be there: tend()
    const std::string trouble = "its place cannot be read: " + place.error().message;
    if (run.trouble != trouble)
      log::warn("sink", {{"sink", run.settings.name}, {"problem", trouble}});
    run.trouble = trouble;
    return;
  }
  run.is_read = true;
  run.is_damaged = !place;
  run.trouble.clear();
  if (place) {
    run.place = *place;
    run.on_disk = run.place.has_value();
    return;
  }
  // Twice is better than never.
  log::warn("sink: its place is not known, and all of the journal is sent",
            {{"sink", run.settings.name}, {"error", place.error().message}});
  run.on_disk = true;
}

void Sinks::hear(Run& run, Sender::Report report) const {
  const auto warn_of = [&run](const std::string& before, const std::string& now) {
    if (now != before && !now.empty())
      log::warn("sink", {{"sink", run.settings.name}, {"problem", now}});
  };
  warn_of(run.told.problem, report.problem);
  warn_of(run.told.unkept, report.unkept);
  if (!run.told.problem.empty() && report.problem.empty())
    log::info("sink goes on", {{"sink", run.settings.name}});
  if (report.unkept.empty()) run.on_disk = true;
  run.place = report.place;
  run.told = std::move(report);
}

void Sinks::give(Run& run, Batch batch) {
  run.sending = true;
  run.given = batch.end;
  run.sender->give(std::move(batch));
}

void Sinks::ended(const std::shared_ptr<Run>& run) {
  run->sender.reset();
  if (run->next && !stopped_) {
    run->settings = *std::exchange(run->next, std::nullopt);
    return begin(run);
  }
  runs_.erase(run->settings.name);
  if (stopped_ && all_ended()) last_moment_.cancel();
}

// A place is held against the database at the start, and when something may have left it. While a
// sender has events, what lies behind these is looked at: it is counted while the receiver is away.
void Sinks::account(const std::shared_ptr<Run>& run) {
  const bool meanwhile = run->sending;
  run->asking = true;
  run->asked_at = Clock::now();
  run->seen = journal_.counts().expired;
  if (!meanwhile) {
    run->repairs = writer_.repairs().size();
    run->expired = run->seen;
  }
  const auto position = std::make_shared<Position>();
  writer_.submit(
      [known = meanwhile ? run->given : run->place, from_beginning = run->is_damaged,
       position](Connection& connection) -> Result<void> {
        auto asked = from_beginning ? find_beginning(connection) : find_position(connection, known);
        if (!asked) return tl::unexpected<Error>(asked.error());
        *position = *asked;
        return {};
      },
      [this, run, position, meanwhile, weak = std::weak_ptr(alive_)](const Result<void>& asked) {
        if (weak.expired()) return;
        run->asking = false;
        run->trouble = asked ? "" : asked.error().message;  // tend()
        if (asked) found(run, *position, meanwhile);
      });
}

void Sinks::found(const std::shared_ptr<Run>& run, const Position& position, bool meanwhile) {
  if (position.begun_anew && meanwhile) return pump(run);  // and then what it sends is settled
  const std::uint64_t news = position.dropped - std::min(position.dropped, run->missed);
  if (news > 0 || position.begun_anew) {
    log::warn(position.begun_anew ? "sink: the journal was begun anew, and all of it is sent"
                                  : "sink: events left the journal before they were sent",
              {{"sink", run->settings.name}, {"events", std::to_string(news)}});
  }
  run->missed = meanwhile ? position.dropped : 0;
  if (meanwhile) return pump(run);
  const bool is_new = !run->place || *run->place != position.place;
  run->place = position.place;
  run->positioned = true;
  run->is_damaged = false;
  // On the disk before the first event is behind it.
  if (is_new && run->sender) return give(*run, {*run->place, {}, *run->place});
  pump(run);
}

void Sinks::append(Batch& batch, const Run& run, const std::vector<JournalRecord>& records) const {
  for (const JournalRecord& record : records) {
    batch.end.sequence = record.sequence;
    batch.end.wall_ns = record.entry.body.wall_ns();
    ++batch.end.ordinal;
    Event event = make_event(record, around_(record.entry.body));
    if (is_wanted(event, run.settings.filter)) batch.items.push_back({std::move(event), batch.end});
  }
}

// A page; where the sender wants an event behind the first, pages until there is one. What was read
// for that stays, for a filter may leave out very many.
Result<Batch> Sinks::next_batch(Run& run) {
  Batch batch{*run.place, {}, *run.place};
  const bool wants_another = run.told.wants_another;
  if (wants_another && run.held && run.held->begin == *run.place) batch = *run.held;
  run.held.reset();
  for (int page = 0; page < (wants_another ? kMostPages : 1) && batch.items.size() < 2; ++page) {
    const auto records = journal_.read(batch.end.sequence, "", kPage);
    if (!records) return tl::unexpected<Error>(records.error());
    append(batch, run, *records);
    if (records->size() < kPage) break;
  }
  if (wants_another) run.held = batch;
  return batch;
}

void Sinks::pump(const std::shared_ptr<Run>& run) {
  if (stopped_ || run->asking || !run->is_read || !run->sender || run->ending) return;
  const std::uint64_t expired = journal_.counts().expired;
  const bool is_due = Clock::now() - run->asked_at >= pace_.accounts;
  if (run->sending) {
    if (is_due && run->seen != expired) account(run);
    return;
  }
  if (!run->positioned || run->repairs != writer_.repairs().size() ||
      (is_due && run->expired != expired))
    return account(run);
  if (!run->on_disk) return give(*run, {*run->place, {}, *run->place});
  auto batch = next_batch(*run);
  run->trouble = batch ? "" : batch.error().message;
  if (!batch || batch->end == *run->place) return;
  // Others have their turn first, and a place that only the filter moved is kept now and then.
  if (batch->items.empty() && batch->end.sequence - run->kept_sequence < 1000) {
    run->place = batch->end;
    return asio::post(core_, [this, run, weak = std::weak_ptr(alive_)] {
      if (!weak.expired()) pump(run);
    });
  }
  give(*run, std::move(*batch));
}

void Sinks::pump_all() {
  for (const auto& [name, run] : std::map(runs_)) pump(run);
}

void Sinks::tend() {
  for (const auto& [name, run] : runs_) {
    if (!run->is_read) look_up_place(*run);
    const bool is_idle = !run->asking && !run->sending && !run->ending && run->sender;
    if (is_idle && run->positioned && !run->told.unkept.empty())
      give(*run, {*run->place, {}, *run->place});
  }
  pump_all();
}

std::vector<std::string> Sinks::problems() const {
  std::vector<std::string> out;
  for (const SinkNumbers& sink : numbers()) {
    const Run& run = *runs_.at(sink.name);
    std::string why;
    for (const std::string& each : {run.told.problem, run.told.unkept, run.trouble}) {
      if (!each.empty()) why += (why.empty() ? "" : "; ") + each;
    }
    if (why.empty()) continue;
    out.push_back(
        "sink " + sink.name + ": " + why + "; " + std::to_string(sink.waiting) +
        (sink.waiting == 1 ? " event waits" : " events wait") +
        (sink.dropped == 0
             ? ""
             : ", " + std::to_string(sink.dropped) + " left the journal before they were sent") +
        (sink.refused == 0 ? "" : ", " + std::to_string(sink.refused) + " were refused for good"));
  }
  return out;
}

std::vector<SinkNumbers> Sinks::numbers() const {
  std::vector<SinkNumbers> out;
  const std::uint64_t ever = journal_.counts().events;
  for (const auto& [name, run] : runs_) {
    SinkNumbers sink{name, std::string(sink_type_name(run->settings.type)), 0, 0, 0, 0};
    if (run->place) {
      const std::uint64_t behind = run->place->ordinal + run->missed;
      sink.waiting = ever > behind ? ever - behind : 0;
      sink.sent = run->place->sent;
      sink.dropped = run->place->dropped + run->missed;
      sink.refused = run->place->refused;
    }
    out.push_back(std::move(sink));
  }
  return out;
}

bool Sinks::all_ended() const { return runs_.empty(); }

void Sinks::stop(std::function<void()> done) {
  stopped_ = std::move(done);
  if (all_ended()) return stopped_();
  for (const auto& [name, run] : runs_) run->sender->stop();
  last_moment_.expires_after(std::chrono::seconds(1));
  last_moment_.async_wait([this, weak = std::weak_ptr(alive_)](const asio::error_code&) {
    if (!weak.expired()) stopped_();
  });
}

}  // namespace ward::enforcer::sinks
