// SPDX-License-Identifier: Apache-2.0
#include "shim/supervisor/containment.h"

#include <unistd.h>

#include <array>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>
#include <csignal>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/linux/bpf_call.h"
#include "lib/linux/cgroup.h"
#include "lib/linux/cgroup_paths.h"
#include "lib/linux/pidfd.h"

namespace ward::shim::supervisor {
namespace {

constexpr std::int64_t kFirstPoll_ns = 200'000;
constexpr std::int64_t kSlowestPoll_ns = 20'000'000;
constexpr std::chrono::milliseconds kRefreezeCheck{100};

}  // namespace

struct Containment::State : std::enable_shared_from_this<Containment::State> {
  using Done = std::function<void(Result<std::int64_t>)>;

  State(asio::io_context& loop, TaskCgroups found, UniqueFd pidfd)
      : cgroups(std::move(found)), process(std::move(pidfd)), changed(loop), timer(loop) {}
  ~State() {
    if (changed.is_open()) changed.release();
  }

  // The cgroup that is frozen: the unified one stops on both kinds of signal (K18), the v1 freezer
  // is what is left.
  Cgroup& freezer() { return cgroups.unified ? *cgroups.unified : *cgroups.freezer; }

  void cut_network() {
    if (!cgroups.unified) {
      notes.emplace_back("the network could not be cut: this host has no cgroup v2");
      return;
    }
    if (!packet_drop) {
      auto program = load_packet_drop();
      if (!program) {
        notes.push_back("the network could not be cut: " + program.error().message);
        return;
      }
      packet_drop = std::move(*program);
    }
    if (auto attached = attach_packet_drop(packet_drop, cgroups.unified->directory()); !attached) {
      notes.push_back("the network could not be cut: " + attached.error().message);
      packet_drop.reset();
    }
  }

  Result<void> give_network_back() {
    if (!packet_drop) return {};
    auto detached = detach_packet_drop(packet_drop, cgroups.unified->directory());
    if (detached) packet_drop.reset();
    return detached;
  }

  // Called before the state is looked at or changed, so that no change after the look goes
  // unnoticed: reading is what arms the next wake-up (kernfs compares event counters).
  void arm() {
    if (!cgroups.unified) return;
    if (!changed.is_open()) {
      auto opened = cgroups.unified->open_events();
      if (!opened) return;
      events = std::move(*opened);
      changed.assign(events.get());
    }
    std::array<char, 128> text{};
    (void)!::pread(events.get(), text.data(), text.size(), 0);
  }

  // cgroup.events wakes us on the unified hierarchy; v1 has nothing of the kind and is asked again
  // and again. The same timer is the second line of the first.
  void wait_for_change(std::int64_t poll_ns_now) {
    const std::uint64_t round = ++rounds;
    const auto look = [weak = weak_from_this(), round](const asio::error_code& error) {
      const auto self = weak.lock();
      if (self && !error && self->rounds == round) self->look();
    };
    if (changed.is_open()) changed.async_wait(asio::posix::stream_descriptor::wait_error, look);
    timer.expires_after(std::chrono::nanoseconds(poll_ns_now));
    timer.async_wait(look);
  }

  std::int64_t slower() {
    // With wake-ups the timer is only a second line, so it starts slow.
    poll_ns = poll_ns == 0 ? (changed.is_open() ? kSlowestPoll_ns : kFirstPoll_ns) : poll_ns * 2;
    return poll_ns = std::min(poll_ns, kSlowestPoll_ns);
  }

  void look() {
    if (changed.is_open()) changed.cancel();
    timer.cancel();
    ++rounds;
    arm();
    switch (state) {
      case ContainmentState::kFreezing:
      case ContainmentState::kHeld: return look_frozen();
      case ContainmentState::kQuarantined: return look_thawed();
      case ContainmentState::kKilling: return look_dead();
      case ContainmentState::kFree:
      case ContainmentState::kDead: return;
    }
  }

  void look_frozen() {
    const auto frozen = freezer().is_frozen();
    if (!frozen)
      return finish(fail(Code::kNotFound, "the container ended: " + frozen.error().message));
    if (*frozen && state == ContainmentState::kHeld) return finish(monotonic_ns());
    if (*frozen) {
      state = ContainmentState::kQuarantined;
      poll_ns = 0;
      finish(monotonic_ns());
      if (state == ContainmentState::kQuarantined)
        wait_for_change(std::chrono::nanoseconds(kRefreezeCheck).count());
      return;
    }
    if (monotonic_ns() >= deadline_ns) {
      return finish(fail(Code::kDeadlineExceeded, "not frozen in time"));
    }
    wait_for_change(slower());
  }

  void look_thawed() {
    if (auto populated = freezer().is_populated(); populated && !*populated) {
      state = ContainmentState::kDead;
      return;
    }
    if (auto frozen = freezer().is_frozen(); frozen && !*frozen) {
      ++refreezes;
      log::warn("a quarantined container was thawed by somebody else and is frozen again",
                {{"cgroup", freezer().path()}});
      (void)freezer().request_freeze(true);
    }
    wait_for_change(std::chrono::nanoseconds(kRefreezeCheck).count());
  }

  [[nodiscard]] bool anyone_alive() const {
    if (cgroups.unified) return cgroups.unified->is_populated().value_or(true);
    return cgroups.freezer->is_populated().value_or(true);
  }

  Result<void> kill_once() {
    if (process) (void)send_signal(process, SIGKILL);
    if (cgroups.unified) {
      if (auto killed = cgroups.unified->kill(); !killed) {
        if (!cgroups.freezer) return killed;
      } else {
        // One that was paused through the v1 freezer does not die before it is thawed there (K17).
        if (cgroups.freezer) (void)cgroups.freezer->request_freeze(false);
        return {};
      }
    }
    return cgroups.freezer->kill();
  }

  void look_dead() {
    if (!anyone_alive()) {
      state = ContainmentState::kDead;
      return finish(monotonic_ns());
    }
    if (monotonic_ns() >= deadline_ns)
      return finish(fail(Code::kDeadlineExceeded, "processes are alive after 5 s"));
    // v1 has no atomic kill: what was forked between listing and killing is met in the next pass.
    if (!cgroups.unified || poll_ns >= kSlowestPoll_ns) (void)kill_once();
    wait_for_change(slower());
  }

  void finish(Result<std::int64_t> result) {
    if (!done) return;
    const Done call = std::exchange(done, nullptr);
    call(std::move(result));
  }

  TaskCgroups cgroups;
  UniqueFd process;
  UniqueFd packet_drop;
  UniqueFd events;
  asio::posix::stream_descriptor changed;
  asio::steady_timer timer;
  ContainmentState state = ContainmentState::kFree;
  Done done;
  std::int64_t deadline_ns = 0;
  std::int64_t poll_ns = 0;
  std::uint64_t rounds = 0;
  std::uint64_t refreezes = 0;
  std::vector<std::string> notes;
};

Containment::Containment(std::shared_ptr<State> state) : state_(std::move(state)) {}
Containment::~Containment() = default;

Result<std::unique_ptr<Containment>> Containment::open(asio::io_context& loop, pid_t pid) {
  auto process = open_pidfd(pid);
  if (!process) return tl::unexpected(process.error());
  auto cgroups = open_cgroups_of(pid);
  if (!cgroups) return tl::unexpected(cgroups.error());
  return std::unique_ptr<Containment>(
      new Containment(std::make_shared<State>(loop, std::move(*cgroups), std::move(*process))));
}

ContainmentState Containment::state() const { return state_->state; }
std::uint64_t Containment::refreezes() const { return state_->refreezes; }
std::vector<std::string> Containment::notes() const { return state_->notes; }
bool Containment::holds(pid_t pid) const {
  const auto cgroups = open_cgroups_of(pid);
  if (!cgroups) return false;
  const auto within = [&](const std::optional<Cgroup>& cgroup) {
    return cgroup && cgroup_contains(cgroup_path(), cgroup->path());
  };
  return within(cgroups->unified) || within(cgroups->freezer);
}

std::string Containment::cgroup_path() const { return state_->freezer().path(); }

std::vector<pid_t> Containment::pids(std::size_t limit) const {
  return state_->freezer().pids(limit).value_or(std::vector<pid_t>{});
}

Result<void> Containment::begin_quarantine() {
  if (state_->state != ContainmentState::kFree)
    return fail(Code::kFailedPrecondition, "the container is contained already");
  state_->notes.clear();
  state_->arm();
  state_->cut_network();
  state_->state = ContainmentState::kFreezing;
  state_->poll_ns = 0;
  auto requested = state_->freezer().request_freeze(true);
  if (!requested) {
    // Nothing of a quarantine is in force: neither the next attempt nor a release may meet half of
    // one.
    (void)state_->give_network_back();
    state_->state = ContainmentState::kFree;
  }
  return requested;
}

Result<void> Containment::begin_hold() {
  if (state_->state != ContainmentState::kFree)
    return fail(Code::kFailedPrecondition, "the container is contained already");
  state_->arm();
  state_->poll_ns = 0;
  if (auto requested = state_->freezer().request_freeze(true); !requested) return requested;
  state_->state = ContainmentState::kHeld;
  return {};
}

void Containment::await_frozen(std::function<void(Result<std::int64_t>)> done,
                               std::chrono::nanoseconds deadline) {
  state_->done = std::move(done);
  state_->deadline_ns = monotonic_ns() + deadline.count();
  state_->look();
}

Result<void> Containment::kill(std::function<void(Result<std::int64_t>)> done) {
  const auto before = std::exchange(state_->done, nullptr);
  state_->state = ContainmentState::kKilling;
  state_->poll_ns = 0;
  state_->deadline_ns = monotonic_ns() + std::chrono::nanoseconds(kKillDeadline).count();
  state_->done = std::move(done);
  state_->arm();
  auto killed = state_->kill_once();
  // Completion comes from the loop, never from inside this call.
  state_->wait_for_change(kFirstPoll_ns);
  // Told after the kill: what it does next may be slow.
  if (before) before(fail(Code::kAborted, "the container is being killed instead"));
  return killed;
}

Result<void> Containment::release() {
  if (state_->state != ContainmentState::kQuarantined) {
    return fail(Code::kFailedPrecondition, "the container is not quarantined");
  }
  if (auto connected = state_->give_network_back(); !connected) return connected;
  ++state_->rounds;  // the watch for thawing ends here
  state_->timer.cancel();
  state_->state = ContainmentState::kFree;
  return state_->freezer().request_freeze(false);
}

}  // namespace ward::shim::supervisor
