// SPDX-License-Identifier: Apache-2.0
#include "enforcer/store/watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <optional>

#include "lib/base/log.h"

namespace ward::enforcer {
namespace {

constexpr std::chrono::milliseconds kQuiet{150};
constexpr std::chrono::milliseconds kLatest{1000};
constexpr std::chrono::seconds kAnyway{30};
constexpr std::uint32_t kEvents = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE |
                                  IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB | IN_ONLYDIR;

}  // namespace

struct Watch::State : std::enable_shared_from_this<State> {
  using Clock = std::chrono::steady_clock;

  State(asio::io_context& core, int descriptor, std::vector<std::filesystem::path> paths,
        std::function<void()> on_change)
      : inotify(core, descriptor),
        quiet(core),
        anyway(core),
        directories(std::move(paths)),
        changed(std::move(on_change)) {}

  // Idempotent: the kernel gives the same watch for the same directory, and a new one where the path leads elsewhere
  // now. The parent is watched for the moment its child appears or is replaced.
  void add_watches() {
    for (const auto& directory : directories) {
      (void)::inotify_add_watch(inotify.native_handle(), directory.c_str(), kEvents);
      (void)::inotify_add_watch(inotify.native_handle(), directory.parent_path().c_str(), kEvents);
    }
  }

  void await_events() {
    inotify.async_wait(asio::posix::stream_descriptor::wait_read,
                       [weak = weak_from_this()](const asio::error_code& error) {
                         auto self = weak.lock();
                         if (error || !self) return;
                         std::array<char, 16384> ignored{};
                         while (::read(self->inotify.native_handle(), ignored.data(), ignored.size()) > 0) {
                         }
                         self->add_watches();
                         self->settle();
                         self->await_events();
                       });
  }

  void settle() {
    const auto now = Clock::now();
    if (!first_change) first_change = now;
    quiet.expires_at(std::min(now + kQuiet, *first_change + kLatest));
    quiet.async_wait([weak = weak_from_this()](const asio::error_code& error) {
      auto self = weak.lock();
      if (error || !self) return;
      self->first_change.reset();
      self->changed();
    });
  }

  void await_anyway() {
    anyway.expires_after(kAnyway);
    anyway.async_wait([weak = weak_from_this()](const asio::error_code& error) {
      auto self = weak.lock();
      if (error || !self) return;
      self->add_watches();
      self->changed();
      self->await_anyway();
    });
  }

  asio::posix::stream_descriptor inotify;
  asio::steady_timer quiet;
  asio::steady_timer anyway;
  std::vector<std::filesystem::path> directories;
  std::function<void()> changed;
  std::optional<Clock::time_point> first_change;
};

Watch::Watch(std::shared_ptr<State> state) : state_(std::move(state)) {}
Watch::~Watch() = default;

Result<std::unique_ptr<Watch>> Watch::start(asio::io_context& core, std::vector<std::filesystem::path> directories,
                                            std::function<void()> changed) {
  const int descriptor = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (descriptor < 0) return fail_errno("inotify_init1 (fs.inotify.max_user_instances may be too low)");
  auto state = std::make_shared<State>(core, descriptor, std::move(directories), std::move(changed));
  state->add_watches();
  state->await_events();
  state->await_anyway();
  return std::unique_ptr<Watch>(new Watch(std::move(state)));
}

}  // namespace ward::enforcer
