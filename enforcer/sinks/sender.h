// SPDX-License-Identifier: Apache-2.0
// The thread of one sink: takes a batch from the core loop, brings it to the receiver, keeps the
// place, and says so on the core loop. What is not taken it gives back after a wait, longer from
// attempt to attempt: the core then knows what left the journal meanwhile, and what came.
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
  // Of one event, until the sink goes on without it. Who refused one for good means it.
  int refusals = 5, later_refusals = 2;
  std::chrono::milliseconds rest{20'000};     // without events, then connections are let go
  std::chrono::milliseconds accounts{5'000};  // between two looks at what left the journal
};

class Sender {
 public:
  // All run on the core loop, none after stop() was called, but for `ended`, once.
  struct Report {
    Place place;
    std::string problem;  // why the receiver does not take all; empty: it does
    std::string unkept;   // why the place is not on the disk; empty: it is
    // The event at the place may be at fault. Whether it is shows with one behind it.
    bool wants_another = false;
  };
  struct Told {
    std::function<void(Report)> progress;
    std::function<void(Report)> done;  // ready for the next batch, from the place on
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
