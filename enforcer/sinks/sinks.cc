// SPDX-License-Identifier: Apache-2.0
#include "enforcer/sinks/sinks.h"

#include <sys/stat.h>

#include <asio/post.hpp>
#include <utility>

#include "enforcer/sinks/position.h"
#include "lib/base/log.h"

namespace ward::enforcer::sinks {
namespace {

constexpr std::uint32_t kPage = 32;  // events; one is some kilobytes at most

}  // namespace

struct Sinks::Run {
  profiles::SinkSettings settings;
  std::optional<profiles::SinkSettings> next;  // when the thread of the present ones has ended
  bool ending = false;
  std::unique_ptr<Sender> sender;
  std::optional<Place> place;
  std::uint64_t kept_sequence = 0;  // what the sender was last given, or has told
  bool positioned = false;          // place is held against the database
  bool asking = false, sending = false;
  std::uint64_t expired = 0;
  std::size_t repairs = 0;
  std::string problem;
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
  run->positioned = run->sending = run->ending = false;
  run->problem.clear();
  ::mkdir(directory_.c_str(), 0700);  // where that fails, the sender says so
  const auto file = place_file(directory_, run->settings.name);
  auto place = read_place(file);
  if (place) {
    run->place = *place;
  } else {
    // Twice is better than never.
    log::warn("sink: its place is not known, and all of the journal is sent",
              {{"sink", run->settings.name}, {"error", place.error().message}});
    run->place = Place{};
  }
  const auto guarded = [this, weak = std::weak_ptr(alive_)](auto act) {
    return [this, weak, act](auto... told) {
      if (!weak.expired()) act(this, std::move(told)...);
    };
  };
  Sender::Told told;
  told.progress = guarded([run](Sinks*, Place at, std::string problem) {
    run->place = at;
    if (run->problem != problem)
      log::warn("sink", {{"sink", run->settings.name}, {"problem", problem}});
    run->problem = std::move(problem);
  });
  told.done = guarded([run](Sinks* self, Place at) {
    if (!run->problem.empty()) log::info("sink goes on", {{"sink", run->settings.name}});
    run->place = at;
    run->kept_sequence = at.sequence;
    run->problem.clear();
    run->sending = false;
    self->pump(run);
  });
  told.ended = guarded([run](Sinks* self) { self->ended(run); });
  run->sender = std::make_unique<Sender>(core_, make_(run->settings), file, pace_, std::move(told));
  account(run);
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

// A place is held against the database at the start, and when something may have left it.
void Sinks::account(const std::shared_ptr<Run>& run) {
  run->asking = true;
  run->repairs = writer_.repairs().size();
  const auto found = std::make_shared<Position>();
  writer_.submit(
      [known = run->place, found](Connection& connection) -> Result<void> {
        auto position = find_position(connection, known);
        if (!position) return tl::unexpected<Error>(position.error());
        *found = *position;
        return {};
      },
      [this, run, found, weak = std::weak_ptr(alive_)](const Result<void>& asked) {
        if (weak.expired()) return;
        run->asking = false;
        if (!asked) return;  // tend()
        if (found->dropped > 0 || found->begun_anew) {
          log::warn(found->begun_anew ? "sink: the journal was begun anew, and all of it is sent"
                                      : "sink: events left the journal before they were sent",
                    {{"sink", run->settings.name}, {"events", std::to_string(found->dropped)}});
        }
        const bool is_new = !run->place || *run->place != found->place;
        run->place = found->place;
        run->expired = found->expired;
        run->positioned = true;
        if (is_new && run->sender) {  // on the disk before the first event is behind it
          run->sending = true;
          run->sender->give({*run->place, {}, *run->place});
          return;
        }
        pump(run);
      });
}

Batch Sinks::make_batch(const Run& run, const std::vector<JournalRecord>& records) const {
  Batch batch;
  batch.begin = batch.end = *run.place;
  for (const JournalRecord& record : records) {
    batch.end.sequence = record.sequence;
    ++batch.end.ordinal;
    Event event = make_event(record, around_(record.entry.body));
    if (is_wanted(event, run.settings.filter)) batch.items.push_back({std::move(event), batch.end});
  }
  return batch;
}

void Sinks::pump(const std::shared_ptr<Run>& run) {
  if (stopped_ || run->asking || run->sending || !run->sender || run->ending) return;
  const bool may_have_lost = run->expired != journal_.counts().expired;
  if (!run->positioned || may_have_lost || run->repairs != writer_.repairs().size())
    return account(run);
  const auto records = journal_.read(run->place->sequence, "", kPage);
  if (!records) {
    run->problem = records.error().message;
    return;
  }
  if (records->empty()) return;
  Batch batch = make_batch(*run, *records);
  // Others have their turn first, and a place that only the filter moved is kept now and then.
  if (batch.items.empty() && batch.end.sequence - run->kept_sequence < 1000) {
    run->place = batch.end;
    return asio::post(core_, [this, run, weak = std::weak_ptr(alive_)] {
      if (!weak.expired()) pump(run);
    });
  }
  run->sending = true;
  run->sender->give(std::move(batch));
}

void Sinks::pump_all() {
  for (const auto& [name, run] : std::map(runs_)) pump(run);
}

void Sinks::tend() { pump_all(); }

std::vector<std::string> Sinks::problems() const {
  std::vector<std::string> out;
  for (const SinkNumbers& sink : numbers()) {
    const Run& run = *runs_.at(sink.name);
    if (run.problem.empty()) continue;
    out.push_back(
        "sink " + sink.name + ": " + run.problem + "; " + std::to_string(sink.waiting) +
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
      sink.waiting = ever > run->place->ordinal ? ever - run->place->ordinal : 0;
      sink.sent = run->place->sent;
      sink.dropped = run->place->dropped;
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
