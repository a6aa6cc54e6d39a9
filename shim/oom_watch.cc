// SPDX-License-Identifier: Apache-2.0
#include "shim/oom_watch.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "lib/base/unique_fd.h"
#include "lib/linux/cgroup_values.h"

namespace ward::shim {

OomWatch::OomWatch(asio::io_context& loop, Mode mode, std::filesystem::path cgroup, std::function<void()> killed)
    : events_(loop), mode_(mode), cgroup_(std::move(cgroup)), killed_(std::move(killed)) {}

Result<std::shared_ptr<OomWatch>> OomWatch::open(asio::io_context& loop, Mode mode, std::filesystem::path cgroup,
                                                 std::function<void()> killed) {
  std::shared_ptr<OomWatch> watch(new OomWatch(loop, mode, std::move(cgroup), std::move(killed)));
  auto listening = mode == Mode::kV1 ? watch->listen_v1() : watch->listen_unified();
  if (!listening) return fail_with("watch for out of memory", listening.error());
  watch->wait();
  // What was killed before anybody listened is in the counter.
  watch->report(false);
  return watch;
}

Result<void> OomWatch::listen_v1() {
  const auto control_path = cgroup_ / "memory.oom_control";
  const UniqueFd control(::open(control_path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!control) return fail_errno("open " + control_path.string());
  UniqueFd signalled(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!signalled) return fail_errno("eventfd");
  const auto register_path = cgroup_ / "cgroup.event_control";
  const UniqueFd registration(::open(register_path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!registration) return fail_errno("open " + register_path.string());
  // The kernel keeps the eventfd and the cgroup; `control` only names which file of it is meant.
  const auto line = std::to_string(signalled.get()) + " " + std::to_string(control.get());
  if (::write(registration.get(), line.data(), line.size()) < 0) return fail_errno("write " + register_path.string());
  events_.assign(signalled.release());
  return {};
}

Result<void> OomWatch::listen_unified() {
  UniqueFd changes(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!changes) return fail_errno("inotify_init1");
  const auto path = cgroup_ / "memory.events";
  if (::inotify_add_watch(changes.get(), path.c_str(), IN_MODIFY) < 0) return fail_errno("watch " + path.string());
  events_.assign(changes.release());
  return {};
}

void OomWatch::wait() {
  auto woken = [weak = weak_from_this()](const asio::error_code& error) {
    const auto self = weak.lock();
    if (error || !self) return;
    self->check();
    // A v1 eventfd is signalled, too, when its cgroup is removed; inotify tells that the file is gone.
    std::error_code gone;
    if (!std::filesystem::exists(self->cgroup_, gone)) self->stop();
    if (self->events_.is_open()) self->wait();
  };
  events_.async_wait(asio::posix::stream_descriptor::wait_read, std::move(woken));
}

bool OomWatch::take_notification() {
  std::uint64_t count = 0;
  return ::read(events_.native_handle(), &count, sizeof(count)) == sizeof(count);
}

void OomWatch::check() {
  if (!events_.is_open()) return;
  if (mode_ == Mode::kV1) {
    std::error_code gone;
    return report(take_notification() && std::filesystem::exists(cgroup_, gone));
  }
  char buffer[4096];
  while (::read(events_.native_handle(), buffer, sizeof(buffer)) > 0) {
  }
  report(false);
}

// v1 notifies before it kills, and kernels before 4.13 count no kills: there a notification is all that can be had.
void OomWatch::report(bool notified) {
  const auto* file = mode_ == Mode::kV1 ? "memory.oom_control" : "memory.events";
  const auto kills = find_cgroup_key(read_cgroup_text(cgroup_ / file), "oom_kill").value_or(0);
  if (kills <= reported_ && !notified) return;
  reported_ = std::max(kills, reported_ + 1);
  if (const auto killed = killed_) killed();
}

void OomWatch::stop() {
  killed_ = nullptr;
  asio::error_code ignored;
  events_.close(ignored);
}

}  // namespace ward::shim
