// SPDX-License-Identifier: Apache-2.0
// Sampled windows: for a moment the kernel's entry of calls is watched, and in between nothing is
// attached. Whose a call is, the tags of process_watch.h say. What to look for, when, and what
// becomes of it is enforcer/sampling.h's. wardd's core loop only; nothing here is pinned, so
// nothing outlives us.
#pragma once

#include <sys/types.h>

#include <array>
#include <bitset>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/result.h"

namespace ward::recorder {

inline constexpr std::size_t kMostSampledContainers = 4096;  // in one window
inline constexpr std::size_t kMostSampledSets = 256;
inline constexpr std::size_t kSampledNumbers = 512;

// What is looked for in the containers of one profile, by native number.
struct WantedCalls {
  std::bitset<kSampledNumbers> workload, exec;
};

// A container whose processes the kernel knows.
struct TaggedContainer {
  std::uint64_t tag = 0;
  std::string containerd_namespace, id;
};

// The first of its kind in a window.
struct SampledCall {
  std::size_t set = 0;  // of WantedCalls
  std::uint64_t tag = 0;
  bool exec = false;
  int nr = 0;
  std::array<std::uint64_t, 6> args{};
  std::uint64_t count = 0;
  pid_t pid = 0;  // thread group
  pid_t tid = 0;
  std::uint64_t start_ticks = 0;  // of the thread group, as /proc/<pid>/stat has it
  std::string comm;               // raw
};

struct Sample {
  std::vector<SampledCall> calls;
  std::uint64_t dropped = 0;    // calls that found no place
  std::int64_t watched_ns = 0;  // how long
};

class CallSampler {
 public:
  using ArgumentBits = std::function<std::array<std::uint64_t, 6>(int nr)>;

  // `watch_pins`: of ProcessWatch. `bits`: calls of a number that agree in these bits of their
  // arguments are one kind. Nothing is loaded yet.
  CallSampler(std::filesystem::path watch_pins, ArgumentBits bits);
  ~CallSampler();
  CallSampler(const CallSampler&) = delete;
  CallSampler& operator=(const CallSampler&) = delete;

  // kNotFound where no process is watched on this node.
  [[nodiscard]] Result<std::vector<TaggedContainer>> containers() const;

  // At most kMostSampledSets, and kMostSampledContainers with the set of each. Nothing is attached
  // after an error.
  Result<void> open(const std::vector<WantedCalls>& sets,
                    const std::vector<std::pair<std::uint64_t, std::size_t>>& containers);
  Sample close();  // nothing is attached any more; empty where no window is open
  [[nodiscard]] bool is_open() const;
  void unload();  // the idle programs and maps, too; closes

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ward::recorder
