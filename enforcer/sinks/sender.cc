// SPDX-License-Identifier: Apache-2.0
#include "enforcer/sinks/sender.h"

#include <algorithm>
#include <asio/post.hpp>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <random>
#include <thread>

namespace ward::enforcer::sinks {

// Shared with the thread, which may outlive its owner in a receiver that holds it.
struct Sender::State : std::enable_shared_from_this<Sender::State> {
  State(asio::io_context& loop, std::unique_ptr<Outlet> out, std::filesystem::path place, Pace at,
        Told tell)
      : core(&loop),
        outlet(std::move(out)),
        file(std::move(place)),
        pace(at),
        told(std::move(tell)) {
    random.seed(std::random_device()());
  }

  // The loop may be gone when a thread that hung comes back; whoever owns us says so.
  void post(std::function<void()> what) {
    const std::lock_guard lock(mutex);
    if (core != nullptr) asio::post(*core, std::move(what));
  }
  void tell(const std::function<void(Report)> Told::*what) {
    post([self = shared_from_this(), what, now = report] {
      if (!self->stop.asked()) (self->told.*what)(now);
    });
  }

  void work() {
    while (auto batch = next()) {
      deliver(*batch);
      if (stop.asked()) break;
      tell(&Told::done);
    }
    outlet.reset();
    post([self = shared_from_this()] { self->told.ended(); });
  }

  std::optional<Batch> next() {
    std::unique_lock lock(mutex);
    const auto ready = [this] { return waiting.has_value() || stop.asked(); };
    if (!changed.wait_for(lock, pace.rest, ready)) {
      lock.unlock();
      outlet->rest();
      lock.lock();
      changed.wait(lock, ready);
    }
    if (stop.asked()) return std::nullopt;
    return std::exchange(waiting, std::nullopt);
  }

  void deliver(const Batch& batch) {
    std::vector<Event> events;
    events.reserve(batch.items.size());
    for (const Batch::Item& item : batch.items) events.push_back(item.event);
    report.place = batch.begin;
    if (!events.empty()) report.wants_another = false;
    std::size_t at = 0;
    while (at < events.size()) {
      const Delivery delivery = outlet->deliver(std::span(events).subspan(at), stop);
      if (delivery.taken > 0) {
        at += delivery.taken;
        report.place.sent += delivery.taken;
        wait = pace.first;
        keep(batch.items[at - 1].after);
      }
      if (at == events.size()) break;
      if (stop.asked()) return;
      if (delivery.taken > 0 && delivery.problem.empty()) continue;
      if (const std::size_t settled = go_without(batch, events, at, delivery); settled > 0) {
        at += settled;
        continue;
      }
      report.problem = delivery.problem;
      tell(&Told::progress);
      pause(wait);
      wait = std::min(wait * 2, pace.most);
      return;
    }
    if (!events.empty()) report.problem.clear();
    keep(batch.end);
  }

  // How many events from there on are settled because the receiver will not have the first: that
  // one, and where it does not say so itself, the next, which it took.
  std::size_t go_without(const Batch& batch, const std::vector<Event>& events, std::size_t at,
                         const Delivery& delivery) {
    const std::span all(events);
    if (delivery.blame == Blame::kReceiver) return 0;
    if (trouble.sequence != events[at].sequence) trouble = {events[at].sequence, 0, 0};
    const int enough = has_given_up ? pace.later_refusals : pace.refusals;
    if (delivery.blame == Blame::kEvent) {
      if (++trouble.refusals < enough) return 0;
      give_up(delivery.problem);
      keep(batch.items[at].after);
      return 1;
    }
    ++trouble.answers;
    report.wants_another = true;
    if (trouble.answers < enough || at + 1 == events.size()) return 0;
    if (outlet->deliver(all.subspan(at + 1, 1), stop).taken == 0) return 0;
    // It may have come back in this moment: twice and out of order is better than never.
    const Delivery again = outlet->deliver(all.subspan(at, 1), stop);
    if (again.taken == 0 && again.blame == Blame::kReceiver) return 0;
    report.place.sent += 1 + again.taken;
    if (again.taken == 0) give_up(again.problem);
    keep(batch.items[at + 1].after);
    report.wants_another = false;
    return 2;
  }

  void give_up(const std::string& problem) {
    ++report.place.refused;
    has_given_up = true;
    wait = pace.first;
    report.problem = "gave up an event that the receiver refuses: " + problem;
    tell(&Told::progress);
  }

  // Nodes whose receiver comes back must not all ask in one moment.
  void pause(std::chrono::milliseconds about) {
    std::unique_lock lock(mutex);
    const auto spread = std::uniform_int_distribution<std::int64_t>(0, about.count() / 5)(random);
    changed.wait_for(lock, about + std::chrono::milliseconds(spread),
                     [this] { return stop.asked(); });
  }

  // A place that cannot be written costs duplicates, not events.
  void keep(const Place& reached) {
    Place now = reached;
    now.sent = report.place.sent;
    now.refused = report.place.refused;
    report.place = now;
    if (kept && now == *kept) return;
    if (auto written = write_place(file, now); !written) {
      report.unkept = "its place is not kept, events will come twice: " + written.error().message;
    } else {
      report.unkept.clear();
      kept = now;
    }
  }

  std::mutex mutex;
  std::condition_variable changed;
  asio::io_context* core;  // under the mutex
  std::unique_ptr<Outlet> outlet;
  const std::filesystem::path file;
  const Pace pace;
  const Told told;
  StopSignal stop;
  std::optional<Batch> waiting;  // under the mutex
  // Of the thread alone, once it runs.
  struct Trouble {
    std::uint64_t sequence = 0;
    int refusals = 0, answers = 0;
  };
  Report report;
  Trouble trouble;
  bool has_given_up = false;
  std::chrono::milliseconds wait = pace.first;
  std::optional<Place> kept;
  std::minstd_rand random;
};

Sender::Sender(asio::io_context& core, std::unique_ptr<Outlet> outlet,
               std::filesystem::path place_file, Pace pace, Told told)
    : state_(std::make_shared<State>(core, std::move(outlet), std::move(place_file), pace,
                                     std::move(told))) {
  std::thread([state = state_] { state->work(); }).detach();
}

Sender::~Sender() {
  stop();
  const std::lock_guard lock(state_->mutex);
  state_->core = nullptr;
}

void Sender::give(Batch batch) {
  const std::lock_guard lock(state_->mutex);
  state_->waiting = std::move(batch);
  state_->changed.notify_all();
}

void Sender::stop() {
  const std::lock_guard lock(state_->mutex);
  state_->stop.ask();
  state_->changed.notify_all();
}

}  // namespace ward::enforcer::sinks
