// SPDX-License-Identifier: Apache-2.0
// What is seen in the kernel of governed containers besides their notifications: processes that are
// ended by SIGSYS, and the first use of a capability that mode enforce would have cut. Programs and
// maps are pinned, so that nothing is missed while wardd is away, and shims announce their
// containers in the maps (profiles/filter/watch_maps.h). wardd's core loop only.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "profiles/filter/watch_maps.h"

namespace ward::recorder {

// Which layout this build reads and writes.
std::uint64_t watch_layout();

struct Seen {
  ward_seen what{};
  // Who the container is, as its shim announced it; empty where that is not known any more.
  std::string containerd_namespace, container_id, profile, digest;
  std::uint64_t start_ticks = 0;  // of the thread group, as /proc/<pid>/stat has it
};

struct Missed {
  std::string containerd_namespace, container_id;
  std::uint64_t count = 0;
};

class ProcessWatch {
 public:
  // Nothing is loaded yet; what an earlier wardd left pinned is taken over by start().
  explicit ProcessWatch(std::filesystem::path pins);
  ~ProcessWatch();  // what is pinned goes on
  ProcessWatch(const ProcessWatch&) = delete;
  ProcessWatch& operator=(const ProcessWatch&) = delete;

  void start();  // from now on, until remove(); once is enough
  void remove();

  [[nodiscard]] bool running() const;
  // Readable while there is something to drain; -1 where it does not run.
  [[nodiscard]] int descriptor() const;
  std::vector<Seen> drain();
  [[nodiscard]] std::string why_not() const;  // "" where it runs or was not asked to

  // Seen by the kernel, and without room in its queue; each is told once.
  std::vector<Missed> take_missed();
  // Forgets the containers for which it is true, in the second call in a row: what was seen of them
  // has been told then.
  void forget(const std::function<bool(const std::string& containerd_namespace,
                                       const std::string& id)>& gone);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ward::recorder
