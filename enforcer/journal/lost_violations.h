// SPDX-License-Identifier: Apache-2.0
// What shims that ended could not place anywhere (I4): of the violations that a shim saw (its tally
// says how many) the journal has some; the rest is lost, and becomes one event `violations-lost`.
// While the disk does not take that event, the number is known all the same. What is in a shim's
// spool is not lost: its account is closed when the spool is in the journal. Core loop only.
#pragma once

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "enforcer/journal/journal.h"
#include "lib/spool/tally.h"

namespace ward::enforcer {

class LostViolations {
 public:
  // What a shim had sent before its end may still be on its way through our socket.
  static constexpr std::chrono::milliseconds kGrace{1000};

  LostViolations(asio::io_context& core, Journal& journal, std::filesystem::path tallies,
                 std::filesystem::path spool);

  void start();  // once, before anything is journalled: accounts of shims that have left nothing
                 // are forgotten
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
  // Names of spool files by the id of their shim. Nothing: they cannot be listed.
  using Spools = std::optional<std::multimap<std::string, std::string>>;
  bool take(const std::string& name);
  void leave_what_sums_have(const std::vector<std::string>& taken);
  void close_due(const Spools& spools);
  void wait_for_spool(const std::string& name, const Taken& taken, const Spools& spools);
  void close(const std::string& name, const std::shared_ptr<Taken>& taken);
  void closed(const std::string& name, const std::shared_ptr<Taken>& taken,
              const Result<void>& stored);
  [[nodiscard]] Spools list_spools() const;
  std::uint64_t weigh(const std::string& spool);  // the violations that its records tell of

  Journal& journal_;
  std::filesystem::path tallies_;
  std::filesystem::path spool_;
  asio::steady_timer timer_;
  std::map<std::string, std::shared_ptr<Taken>> taken_;  // by file name, as those below
  std::set<std::string> waiting_;    // for their spool; not held, so that any number may wait
  std::uint64_t weighed_bytes_ = 0;  // in this scan
  std::map<std::string, std::uint64_t> held_;
  std::map<std::string, std::string> problems_;
};

}  // namespace ward::enforcer
