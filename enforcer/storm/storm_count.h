// SPDX-License-Identifier: Apache-2.0
// When a reaction becomes an outage of its own: what happened to a workload lately, and in how many
// different pods. Values in, values out; bounded whatever comes.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>

#include "ward/node/v1/compiled.pb.h"

namespace ward::enforcer {

class StormCount {
 public:
  static constexpr std::size_t kMaxWorkloads = 1024;  // of more, who was quiet longest is forgotten

  // It happened once more. `pod` is what an attacker in one place cannot make another one of, and
  // no pod takes the room of others. True where it was `after` times in `pods` pods within the time
  // of the guard.
  bool add(const std::string& workload, const std::string& pod, std::int64_t wall_ns,
           const node::v1::StormGuard& guard);
  void forget(const std::string& workload) { by_workload_.erase(workload); }

 private:
  using Times = std::deque<std::int64_t>;
  struct Workload {
    std::map<std::string, Times> by_pod;  // none is empty
    std::int64_t newest_ns = 0;
  };

  std::map<std::string, Workload> by_workload_;
};

}  // namespace ward::enforcer
