// SPDX-License-Identifier: Apache-2.0
// What shims that ended could not place anywhere (I4): of the violations that a shim saw (its tally
// says how many) the journal has some; the rest is lost, and becomes one event `violations-lost`.
// While the disk does not take that event, the number is known all the same. Core loop only.
#pragma once

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "enforcer/journal/journal.h"
#include "lib/spool/tally.h"

namespace ward::enforcer {

class LostViolations {
 public:
  // What a shim had sent before its end may still be on its way through our socket.
  static constexpr std::chrono::milliseconds kGrace{1000};

  LostViolations(asio::io_context& core, Journal& journal, std::filesystem::path tallies, std::filesystem::path spool);

  void start();  // once, before anything is journalled: accounts of shims that have left nothing are forgotten
  void scan();   // at start, when a shim is gone, when something changed there, and now and then
  void stop() { timer_.cancel(); }

  [[nodiscard]] std::uint64_t held() const;  // lost, and not in the journal yet
  [[nodiscard]] std::vector<std::string> problems() const;

 private:
  struct Taken {
    Tally tally;
    std::chrono::steady_clock::time_point due;
    bool closing = false;
  };
  void take(const std::string& name);
  void close_due();
  void close(const std::string& name, const std::shared_ptr<Taken>& taken);
  void closed(const std::string& name, const std::shared_ptr<Taken>& taken, const Result<void>& stored);
  [[nodiscard]] bool has_spool(const std::string& id) const;

  Journal& journal_;
  std::filesystem::path tallies_;
  std::filesystem::path spool_;
  asio::steady_timer timer_;
  std::map<std::string, std::shared_ptr<Taken>> taken_;  // by file name, as those below
  std::map<std::string, std::uint64_t> held_;
  std::map<std::string, std::string> problems_;
};

}  // namespace ward::enforcer
