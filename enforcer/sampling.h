// SPDX-License-Identifier: Apache-2.0
// Sampled windows on calls that profiles let run for free (profiles/free_calls.h): when one is
// opened and on which containers, and what was seen in it into the journal, once for each version
// of a profile, call and origin. The kernel's side is recorder/call_sampler.h. Core loop only.
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

#include "enforcer/database/writer.h"
#include "enforcer/journal/journal.h"
#include "enforcer/node_link/container_table.h"
#include "enforcer/recorder/call_sampler.h"
#include "enforcer/store/profile_store.h"
#include "enforcer/watched_time.h"
#include "enforcer/window_plan.h"
#include "ward/v1/api.pb.h"

namespace ward::enforcer {

struct SamplingSettings {
  std::chrono::milliseconds window{300};
  std::chrono::milliseconds every{30'000};  // 0: never
  bool operator==(const SamplingSettings&) const = default;
};

class Sampling {
 public:
  Sampling(asio::io_context& core, const std::filesystem::path& watch_pins,
           const ContainerTable& containers, const ProfileStore& store, Journal& journal,
           Writer& writer);
  ~Sampling();
  Sampling(const Sampling&) = delete;
  Sampling& operator=(const Sampling&) = delete;

  void set(const SamplingSettings& settings);
  void start(const std::filesystem::path& database);
  void tend();  // now and then: how many containers there are to be watched
  void stop();  // nothing is attached or loaded any more
  [[nodiscard]] v1::Sampling status() const;

 private:
  std::vector<Watched> list_watched();
  std::shared_ptr<Law> law_of(const std::string& profile);
  void plan_next(std::chrono::milliseconds from_now);
  void begin();
  void end();
  void unseen(std::string why);
  bool tell(const recorder::SampledCall& call);  // false: there was nothing to tell
  void remember(std::int64_t wall_ns);

  const ContainerTable& containers_;
  const ProfileStore& store_;
  Journal& journal_;
  Writer& writer_;
  recorder::CallSampler sampler_;
  SamplingSettings settings_;
  asio::steady_timer timer_;
  bool started_ = false;
  std::map<std::string, std::shared_ptr<Law>> laws_;  // by profile
  WindowPlan plan_;                                   // of the open window, or the newest one
  double part_watched_ = 0;                           // by it, of all containers to watch
  WatchedTime time_;
  std::size_t to_watch_ = 0;
  std::int64_t to_watch_since_wall_ns_ = 0;
  std::uint64_t windows_ = 0;
  std::int64_t last_wall_ns_ = 0;  // also of an earlier wardd
  std::string why_not_;
};

// The event of a call that was seen in a window; `exe` as /proc has it.
JournalEntry sampled_event(const recorder::SampledCall& call, std::size_t way, const Watched& in,
                           const node::v1::ContainerStatus& container, const std::string& exe);

}  // namespace ward::enforcer
