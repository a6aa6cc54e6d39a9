// SPDX-License-Identifier: Apache-2.0
// The thread of one sink: takes a batch from the core loop, brings it to the receiver, for as long
// as that takes, keeps the place, and says so on the core loop. It has one batch at a time, so a
// receiver that is away costs one batch of memory. It waits longer from attempt to attempt.
#pragma once

#include <asio/io_context.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "enforcer/sinks/outlet.h"
#include "enforcer/sinks/place.h"

namespace ward::enforcer::sinks {

struct Batch {
  struct Item {
    Event event;
    Place after;
  };
  Place begin;  // its counts go on from here
  std::vector<Item> items;
  Place end;  // behind what the filter left out as well
};

struct Pace {
  std::chrono::milliseconds first{500}, most{30'000};  // waits between attempts
  int refusals = 5;                        // of one event, until the sink goes on without it
  std::chrono::milliseconds rest{20'000};  // without events, then connections are let go
};

class Sender {
 public:
  // All run on the core loop, none after stop() was called, but for `ended`, once.
  struct Told {
    std::function<void(Place, std::string problem)> progress;  // an empty problem: none
    std::function<void(Place)> done;                           // ready for the next batch
    std::function<void()> ended;
  };
  Sender(asio::io_context& core, std::unique_ptr<Outlet> outlet, std::filesystem::path place_file,
         Pace pace, Told told);
  ~Sender();  // stop(); the thread ends by itself, soon
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

  void give(Batch batch);  // not before `done` of the one before
  void stop();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace ward::enforcer::sinks
