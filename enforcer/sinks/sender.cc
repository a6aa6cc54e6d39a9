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
  void tell_progress(const std::string& problem) {
    post([self = shared_from_this(), at = counted, problem] {
      if (!self->stop.asked()) self->told.progress(at, problem);
    });
  }

  void work() {
    while (auto batch = next()) {
      deliver(*batch);
      if (stop.asked()) break;
      post([self = shared_from_this(), at = counted] {
        if (!self->stop.asked()) self->told.done(at);
      });
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
    counted = batch.begin;
    std::size_t at = 0;
    auto wait = pace.first;
    int refusals = 0;
    while (at < events.size() && !stop.asked()) {
      const Delivery delivery = outlet->deliver(std::span(events).subspan(at), stop);
      if (stop.asked() && delivery.taken == 0) return;
      if (delivery.taken > 0) {
        at += delivery.taken;
        counted.sent += delivery.taken;
        wait = pace.first;
        refusals = 0;
        keep(batch.items[at - 1].after);
      }
      if (at == events.size()) break;
      if (delivery.refused && ++refusals >= pace.refusals) {
        ++counted.refused;
        keep(batch.items[at].after);
        tell_progress("gave up an event that the receiver refuses: " + delivery.problem);
        ++at;
        refusals = 0;
        wait = pace.first;
        continue;
      }
      if (delivery.taken > 0 && delivery.problem.empty()) continue;
      tell_progress(delivery.problem);
      pause(wait);
      wait = std::min(wait * 2, pace.most);
    }
    if (stop.asked() && at < events.size()) return;
    keep(batch.end);
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
    now.sent = counted.sent;
    now.refused = counted.refused;
    counted = now;
    if (kept && counted == *kept) return;
    if (auto written = write_place(file, counted); !written) {
      tell_progress("its place is not kept, events will come twice: " + written.error().message);
    } else {
      kept = counted;
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
  Place counted;
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
