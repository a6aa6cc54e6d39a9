// SPDX-License-Identifier: Apache-2.0
// What is done to a container that broke its profile: cut off, frozen and kept, or killed. One
// object per container, on its cgroups. Every step is a short file operation; what has to be waited
// for is awaited on the loop with a deadline. Knows nothing of verdicts.
#pragma once

#include <sys/types.h>

#include <asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "lib/base/unique_fd.h"

namespace ward {
struct TaskCgroups;
}

namespace ward::shim::supervisor {

enum class ContainmentState { kFree, kFreezing, kQuarantined, kHeld, kKilling, kDead };

class Containment {
 public:
  static constexpr std::chrono::milliseconds kFreezeDeadline{500};
  static constexpr std::chrono::milliseconds kKillDeadline{5000};

  // `pid` is a process of the container; its cgroups are opened now, while it certainly lives in
  // them.
  static Result<std::unique_ptr<Containment>> open(asio::io_context& loop, pid_t pid);
  ~Containment();
  Containment(const Containment&) = delete;
  Containment& operator=(const Containment&) = delete;

  [[nodiscard]] ContainmentState state() const;
  [[nodiscard]] bool is_contained() const { return state() != ContainmentState::kFree; }

  // Cuts the network and requests the freeze; both are in force or refused when this returns. What
  // could not be done is said in notes(). An error means that the freeze itself could not be
  // requested, and nothing is in force: kill instead.
  Result<void> begin_quarantine();
  // Requests the freeze, and nothing else: for the moment between a verdict and the kill that
  // follows, in which evidence is read. No quarantine, and no release ends it. An error means that
  // nothing is in force: kill at once.
  Result<void> begin_hold();
  // After one of them: calls back with the moment (monotonic) when every task had stopped, or with
  // kDeadlineExceeded, or kNotFound when the container died meanwhile, or kAborted when it is
  // killed first.
  void await_frozen(std::function<void(Result<std::int64_t>)> done,
                    std::chrono::nanoseconds deadline = kFreezeDeadline);

  // SIGKILL to every process, frozen or not. `done` gets the moment (monotonic) when the last was
  // dead, in any case and once, from the loop; an error is the first pass's, and those that follow
  // may still succeed.
  Result<void> kill(std::function<void(Result<std::int64_t>)> done);

  // Gives back the network and thaws. Only in state kQuarantined.
  Result<void> release();

  [[nodiscard]] std::vector<pid_t> pids(std::size_t limit) const;
  [[nodiscard]] bool holds(pid_t pid) const;      // also of a zombie
  [[nodiscard]] std::uint64_t refreezes() const;  // somebody else thawed it, we froze it again
  [[nodiscard]] std::vector<std::string> notes() const;  // "the network could not be cut: ..."
  [[nodiscard]] std::string cgroup_path() const;

 private:
  struct State;
  explicit Containment(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace ward::shim::supervisor
