// SPDX-License-Identifier: Apache-2.0
#include "shim/supervisor/evidence_collector.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <optional>
#include <utility>

#include "lib/base/clock.h"
#include "lib/linux/pidfd.h"
#include "lib/linux/quiet_child.h"
#include "shim/supervisor/evidence_bundle.h"
#include "shim/supervisor/evidence_parts.h"
#include "shim/supervisor/evidence_reader.h"

namespace ward::shim::supervisor {
namespace {

constexpr rlim_t kMemoryBytes = 256U << 20U;
constexpr std::size_t kMarkerBytes = 4096;
constexpr std::size_t kMaxOrderBytes = 1U << 20U;
constexpr unsigned kLongestLife_s = 15;
constexpr int kLastMoment_ms = 50;
constexpr int kOrders = 3;
constexpr int kTells = 4;
constexpr int kFirstOther = 5;

// Of all that the shim has open only these two stay, at known places. Above all the listeners must
// go: a copy of one in a child would keep a dead supervisor's calls waiting.
// False: one of ours could still be open, so nothing may be done.
bool keep_only(int orders, int tells) {
  const int first = ::fcntl(orders, F_DUPFD_CLOEXEC, 10);
  const int second = ::fcntl(tells, F_DUPFD_CLOEXEC, 10);
  return first >= 0 && second >= 0 && ::dup2(first, kOrders) == kOrders &&
         ::dup2(second, kTells) == kTells &&
         ::syscall(SYS_close_range, static_cast<unsigned>(kFirstOther), ~0U, 0U) == 0;
}

// It may outlive the shim, which ends with its last container: an order that was given is carried
// out, and where none was the end of the socket says so. The alarm is the second line of that.
void bound_this_process() {
  ::alarm(kLongestLife_s);
  constexpr rlimit kNoCore{0, 0};  // which would hold memory of the shim
  ::setrlimit(RLIMIT_CORE, &kNoCore);
  [[maybe_unused]] const rlimit memory{kMemoryBytes, kMemoryBytes};
#ifndef __SANITIZE_ADDRESS__  // whose own tables are larger than any bound that would mean
                              // something
  ::setrlimit(RLIMIT_DATA, &memory);
#endif
}

// Both ends of the work: what the reader hands over, and what the shim says.
struct Wait {
  UniqueFd reader;
  UniqueFd parts_end;
  PartSource parts;
  std::string order;
  bool ordered = false;
  bool told = false;

  void tell_captured() {
    if (std::exchange(told, true)) return;
    (void)!::write(kTells, "c", 1);
  }

  void reading_is_over() {
    parts_end.reset();
    (void)send_signal(reader, SIGKILL);
    // One that hangs in the kernel for good is left; it must not be met by anybody's reaper else.
    pollfd ended{.fd = reader.get(), .events = POLLIN, .revents = 0};
    siginfo_t info{};
    if (::poll(&ended, 1, kLastMoment_ms) > 0)
      ::waitid(P_PIDFD, static_cast<id_t>(reader.get()), &info, WEXITED | WNOHANG | __WALL);
    tell_captured();
  }

  void read_order() {
    std::array<char, 4096> chunk{};
    const ssize_t n = ::read(kOrders, chunk.data(), chunk.size());
    if (n < 0 && errno == EINTR) return;
    ordered = n <= 0 || order.size() > kMaxOrderBytes;
    if (n > 0) order.append(chunk.data(), static_cast<std::size_t>(n));
  }

  // Until there is nothing left to wait for. An order that is empty means that nothing is wanted.
  void run(std::int64_t reading_ends_ns) {
    while (!ordered || parts_end) {
      std::array<pollfd, 2> ready{{{.fd = ordered ? -1 : kOrders, .events = POLLIN, .revents = 0},
                                   {.fd = parts_end.get(), .events = POLLIN, .revents = 0}}};
      const std::int64_t left_ns = std::max<std::int64_t>(0, reading_ends_ns - monotonic_ns());
      const int wait_ms = parts_end ? static_cast<int>(left_ns / 1'000'000) + 1 : -1;
      if (::poll(ready.data(), ready.size(), wait_ms) < 0 && errno != EINTR) return;
      if (ready[0].revents != 0) read_order();
      if (ordered && order.empty()) return;
      if (ready[1].revents != 0 && !parts.read_from(parts_end.get())) reading_is_over();
      if (parts.has(kCaptured)) tell_captured();
      if (parts_end && monotonic_ns() >= reading_ends_ns) reading_is_over();
    }
  }
};

std::optional<Wait> start_reading(const EvidenceRequest& request) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return std::nullopt;
  UniqueFd from(ends[0]);
  UniqueFd to(ends[1]);
  auto reader = fork_quietly([&] {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::close(kOrders);
    ::close(kTells);
    from.reset();
    read_evidence(request, PartSink(to.get()));
    return 0;
  });
  if (!reader) return std::nullopt;
  Wait wait;
  wait.reader = std::move(*reader);
  wait.parts_end = std::move(from);
  return wait;
}

// "<bytes of the violation>\n<violation><time> <what>\n..."
bool take_order(const std::string& order, EvidenceRequest& request) {
  const std::size_t line = order.find('\n');
  std::size_t bytes = 0;
  const auto parsed = std::from_chars(order.data(), order.data() + order.size(), bytes);
  if (line == std::string::npos || parsed.ec != std::errc{} || bytes > order.size() - line - 1)
    return false;
  if (!request.violation.ParseFromString(order.substr(line + 1, bytes))) return false;
  std::size_t at = line + 1 + bytes;
  while (at < order.size()) {
    const std::size_t end = std::min(order.find('\n', at), order.size());
    TimelineEntry entry;
    const auto time = std::from_chars(order.data() + at, order.data() + end, entry.at_ns);
    if (time.ptr < order.data() + end) entry.what.assign(time.ptr + 1, order.data() + end);
    request.timeline.push_back(std::move(entry));
    at = end + 1;
  }
  return true;
}

}  // namespace

Result<void> write_evidence_marker(const std::filesystem::path& path, std::string_view text) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return fail_errno("open '" + path.string() + "'");
  text = text.substr(0, kMarkerBytes);
  const ssize_t n = ::pwrite(fd.get(), text.data(), text.size(), 0);
  if (n < 0) return fail_errno("write '" + path.string() + "'");
  if (::ftruncate(fd.get(), n) != 0) return fail_errno("truncate '" + path.string() + "'");
  return {};
}

std::string evidence_order(const node::v1::Violation& violation,
                           const std::vector<TimelineEntry>& timeline) {
  const std::string bytes = violation.SerializeAsString();
  std::string order = std::to_string(bytes.size()) + "\n" + bytes;
  for (const auto& entry : timeline) order += std::to_string(entry.at_ns) + " " + entry.what + "\n";
  return order;
}

int run_evidence_collector(EvidenceRequest request, int orders, int tells) {
  const std::int64_t reading_ends_ns = monotonic_ns() + request.reading.count();
  bound_this_process();
  if (!keep_only(orders, tells)) return kNoErrno;
  auto wait = start_reading(request);
  if (!wait) return errno > 0 && errno < kNoErrno ? errno : kNoErrno;
  request.timeline.clear();
  wait->run(reading_ends_ns);
  if (wait->order.empty()) return 0;
  if (!take_order(wait->order, request)) return kNoErrno;
  const auto written = write_evidence(request, wait->parts.parts());
  const auto marker = request.directory / kIncompleteMarker;
  if (written) {
    ::unlink(marker.c_str());
    return 0;
  }
  (void)write_evidence_marker(marker, written.error().message + "\n");
  // All that passes through an exit status, but enough to tell a full disk from a read-only one.
  const int error = written.error().sys_errno;
  return error > 0 && error < kNoErrno ? error : kNoErrno;
}

}  // namespace ward::shim::supervisor
