// SPDX-License-Identifier: Apache-2.0
// Where the node's events go besides the journal: for each sink of wardd.yaml a place in the
// journal, and a thread that brings what is behind it to the receiver (sender.h). The journal is
// the spool: nothing is stored twice, and what it holds is what a receiver may be away for. Core
// loop only; it reads pages and never waits.
#pragma once

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "enforcer/database/writer.h"
#include "enforcer/journal/journal.h"
#include "enforcer/sinks/position.h"
#include "enforcer/sinks/sender.h"

namespace ward::enforcer::sinks {

struct SinkNumbers {
  std::string name, type;
  std::uint64_t waiting = 0;
  std::uint64_t sent = 0, dropped = 0, refused = 0;  // over the sink's life
};

class Sinks {
 public:
  using Around = std::function<Surroundings(const node::v1::Violation&)>;
  using MakeOutlet = std::function<std::unique_ptr<Outlet>(const profiles::SinkSettings&)>;

  Sinks(asio::io_context& core, Journal& journal, Writer& writer, std::filesystem::path directory,
        Around around, MakeOutlet make = make_outlet, Pace pace = {});
  ~Sinks();
  Sinks(const Sinks&) = delete;
  Sinks& operator=(const Sinks&) = delete;

  // These and no others. One that is as it was goes on undisturbed.
  void set(const std::vector<profiles::SinkSettings>& wanted);
  void tend();  // every few seconds: what failed is tried again
  [[nodiscard]] std::vector<std::string> problems() const;
  [[nodiscard]] std::vector<SinkNumbers> numbers() const;
  // `done` runs when all threads have ended, or after a second: one that hangs is left behind.
  void stop(std::function<void()> done);

 private:
  struct Run;
  void begin(const std::shared_ptr<Run>& run);
  void look_up_place(Run& run) const;
  void hear(Run& run, Sender::Report report) const;
  void give(Run& run, Batch batch);
  void account(const std::shared_ptr<Run>& run);
  void pump(const std::shared_ptr<Run>& run);
  void pump_all();
  void ended(const std::shared_ptr<Run>& run);
  void found(const std::shared_ptr<Run>& run, const Position& position, bool meanwhile);
  void append(Batch& batch, const Run& run, const std::vector<JournalRecord>& records) const;
  [[nodiscard]] Result<Batch> next_batch(Run& run);
  [[nodiscard]] bool all_ended() const;

  asio::io_context& core_;
  Journal& journal_;
  Writer& writer_;
  const std::filesystem::path directory_;
  const Around around_;
  const MakeOutlet make_;
  const Pace pace_;
  std::map<std::string, std::shared_ptr<Run>> runs_;
  std::optional<std::uint64_t> subscription_;
  std::function<void()> stopped_;
  asio::steady_timer last_moment_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();  // for what comes after our end
};

}  // namespace ward::enforcer::sinks
