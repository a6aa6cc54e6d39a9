// SPDX-License-Identifier: Apache-2.0
// When a reaction becomes an outage of its own: how many containers of a workload were killed or
// quarantined lately, and in how many different pods. Values in, values out; bounded whatever
// comes.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>

#include "ward/node/v1/compiled.pb.h"

namespace ward::enforcer {

class StormCount {
 public:
  static constexpr std::size_t kMaxWorkloads = 1024;  // of more, who was quiet longest is forgotten

  // One container was ended or stopped. `pod` is what an attacker in one place cannot make another
  // one of. True where there are now as many as the guard allows none beyond, of enough pods.
  bool add(const std::string& workload, const std::string& pod, std::int64_t wall_ns,
           const node::v1::StormGuard& guard);
  void forget(const std::string& workload);

 private:
  struct One {
    std::int64_t wall_ns = 0;
    std::string pod;
  };
  std::map<std::string, std::deque<One>> by_workload_;
};

// Whether a storm goes on: in how many different pods of a workload something was spared lately.
// Each counts once, however often, so that no pod pushes the others out.
class PlacesSeen {
 public:
  static constexpr std::size_t kMaxPlaces = 4096;  // of a workload; of more no new one counts

  // True where there are as many as the guard asks for.
  bool add(const std::string& workload, const std::string& pod, std::int64_t wall_ns,
           const node::v1::StormGuard& guard);
  void forget(const std::string& workload) { by_workload_.erase(workload); }

 private:
  std::map<std::string, std::map<std::string, std::int64_t>> by_workload_;
};

}  // namespace ward::enforcer
