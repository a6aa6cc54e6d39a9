// SPDX-License-Identifier: Apache-2.0
#include "shim/task/oom_watch.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>

#include "lib/base/unique_fd.h"
#include "lib/linux/cgroup_values.h"

namespace ward::shim::task {
namespace {

// Between the notification and the count the kernel chooses whom to kill: some microseconds, more
// under load.
constexpr std::chrono::milliseconds kFirstLook{1};
constexpr std::chrono::milliseconds kLastLook{512};

}  // namespace

OomWatch::~OomWatch() { stop(); }

OomWatch::OomWatch(asio::io_context& loop, Mode mode, std::filesystem::path cgroup,
                   std::function<void()> killed)
    : later_(loop),
      events_(loop),
      mode_(mode),
      cgroup_(std::move(cgroup)),
      killed_(std::move(killed)) {}

Result<std::shared_ptr<OomWatch>> OomWatch::open(asio::io_context& loop, Mode mode,
                                                 std::filesystem::path cgroup,
                                                 std::function<void()> killed) {
  std::shared_ptr<OomWatch> watch(new OomWatch(loop, mode, std::move(cgroup), std::move(killed)));
  auto listening = mode == Mode::kV1 ? watch->listen_v1() : watch->listen_unified();
  if (!listening) return fail_with("watch for out of memory", listening.error());
  // What was killed before anybody listened is in the counter.
  watch->report(false);
  if (watch->events_.is_open()) watch->wait();
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
  if (::write(registration.get(), line.data(), line.size()) < 0)
    return fail_errno("write " + register_path.string());
  events_.assign(signalled.release());
  return {};
}

// kernfs wakes whoever polls an open memory.events for POLLPRI, and reading it arms the next
// wake-up. An inotify instance would do, too, but a user may have no more than 128 of them by
// default.
Result<void> OomWatch::listen_unified() {
  const auto path = cgroup_ / "memory.events";
  UniqueFd counters(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!counters) return fail_errno("open " + path.string());
  counters_ = std::move(counters);
  asio::error_code not_kernfs;  // a tree of plain files (tests): what check() finds is all there is
  events_.assign(counters_.get(), not_kernfs);
  return {};
}

void OomWatch::wait() {
  auto woken = [weak = weak_from_this()](const asio::error_code& error) {
    const auto self = weak.lock();
    if (error || !self) return;
    self->check();
    // A v1 eventfd is signalled, too, when its cgroup is removed.
    std::error_code gone;
    if (!std::filesystem::exists(self->cgroup_, gone)) self->stop();
    if (self->events_.is_open()) self->wait();
  };
  using asio::posix::stream_descriptor;
  events_.async_wait(
      mode_ == Mode::kV1 ? stream_descriptor::wait_read : stream_descriptor::wait_error,
      std::move(woken));
}

bool OomWatch::take_notification() {
  std::uint64_t count = 0;
  return ::read(events_.native_handle(), &count, sizeof(count)) == sizeof(count);
}

void OomWatch::check() {
  if (!events_.is_open() && !counters_) return;
  std::error_code gone;
  report(mode_ == Mode::kV1 && take_notification() && std::filesystem::exists(cgroup_, gone));
}

void OomWatch::report(bool notified) {
  if (mode_ == Mode::kV1) return report_v1(notified);
  const auto kills = find_cgroup_key(read_counters(), "oom_kill").value_or(0);
  if (kills <= reported_) return;
  reported_ = kills;
  if (const auto killed = killed_) killed();
}

// v1 notifies whoever waits for memory, several times for one kill and before it: only the counter
// knows how many there were. Where it cannot (kernels before 4.13, or a cgroup whose processes wait
// instead of being killed), a notification is all that can be had.
void OomWatch::report_v1(bool notified) {
  const std::string counters = read_counters();
  const auto kills = find_cgroup_key(counters, "oom_kill");
  if (!kills || find_cgroup_key(counters, "oom_kill_disable").value_or(0) != 0) {
    if (const auto killed = killed_; killed && notified) killed();
    return;
  }
  const bool is_counted = *kills > reported_;
  while (killed_ && reported_ < *kills) {
    ++reported_;
    if (const auto killed = killed_) killed();
  }
  if (notified && !is_counted) look_again(kFirstLook);
}

void OomWatch::look_again(std::chrono::milliseconds after) {
  later_.expires_after(after);
  later_.async_wait([weak = weak_from_this(), after](const asio::error_code& error) {
    const auto self = weak.lock();
    if (error || !self || !self->killed_) return;
    const auto before = self->reported_;
    self->report_v1(false);
    if (self->reported_ == before && after < kLastLook) self->look_again(2 * after);
  });
}

std::string OomWatch::read_counters() const {
  if (mode_ == Mode::kV1) return read_cgroup_text(cgroup_ / "memory.oom_control");
  std::array<char, 4096> text{};
  const ssize_t size = ::pread(counters_.get(), text.data(), text.size(), 0);
  return size > 0 ? std::string(text.data(), static_cast<std::size_t>(size)) : std::string();
}

void OomWatch::stop() {
  killed_ = nullptr;
  later_.cancel();
  if (counters_ && events_.is_open()) events_.release();  // lent, not given
  counters_.reset();
  asio::error_code ignored;
  events_.close(ignored);
}

}  // namespace ward::shim::task
