// SPDX-License-Identifier: Apache-2.0
#include "shim/supervisor/evidence.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <csignal>
#include <string>
#include <string_view>
#include <utility>

#include "lib/linux/pidfd.h"
#include "lib/linux/quiet_child.h"
#include "shim/supervisor/evidence_collector.h"

namespace ward::shim::supervisor {
namespace {

constexpr off_t kReservedBytes =
    64 << 10;  // about what a bundle needs: a full disk shows before the record goes out

Result<void> reserve(const std::filesystem::path& path) {
  const UniqueFd fd(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return fail_errno("create '" + path.string() + "'");
  if (const int error = ::posix_fallocate(fd.get(), 0, kReservedBytes); error != 0) {
    return fail_errno("reserve space for '" + path.string() + "'", error);
  }
  return write_evidence_marker(
      path, "the collector has not finished; where this file stays, its process ended early\n");
}

// At most that many. On the loop, hence without a path object for each of a thousand names.
std::size_t count_entries(const std::filesystem::path& root, std::size_t most) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(root.c_str()), ::closedir);
  std::size_t count = 0;
  while (directory && count < most) {
    const dirent* entry = ::readdir(directory.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") ++count;
  }
  return count;
}

struct Pipe {
  UniqueFd reading, writing;
};

// A pair of sockets: writing to a pipe whose reader has died would be a signal for the shim.
Result<Pipe> make_pipe() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return fail_errno("socketpair");
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

}  // namespace

struct Collection::State : std::enable_shared_from_this<State> {
  State(asio::io_context& loop, UniqueFd pidfd, UniqueFd word, UniqueFd said, EvidenceRequest r)
      : process(std::move(pidfd)),
        orders(std::move(word)),
        tells(std::move(said)),
        ended(loop, process.get()),
        captured_now(loop, tells.get()),
        timer(loop),
        request(std::move(r)) {}
  ~State() {
    ended.release();
    captured_now.release();
  }

  void wait(std::chrono::nanoseconds within) {
    deadline = within;
    ended.async_wait(asio::posix::stream_descriptor::wait_read,
                     [self = shared_from_this()](const asio::error_code&) { self->finish(); });
    // A byte, or the end of the only one who could write it.
    captured_now.async_wait(
        asio::posix::stream_descriptor::wait_read,
        [self = shared_from_this()](const asio::error_code&) { self->tell_captured(); });
    // Twice: the word to write may wait for a kill.
    arm(within * 2);
  }

  void arm(std::chrono::nanoseconds within) {
    timer.expires_after(within);
    timer.async_wait([self = shared_from_this()](const asio::error_code& error) {
      if (error) return;
      self->killed = true;
      (void)send_signal(self->process, SIGKILL);
    });
  }

  void tell_captured() {
    if (captured) std::exchange(captured, nullptr)();
  }

  // The child reads to the end of the pipe, so closing it is a part of the message, or all of it:
  // then it ends without having written.
  void order(const std::string& text) {
    if (!orders) return;
    const ssize_t sent =
        ::send(orders.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent != static_cast<ssize_t>(text.size())) (void)send_signal(process, SIGKILL);
    orders.reset();
  }

  void finish() {
    timer.cancel();
    tell_captured();
    siginfo_t info{};
    ::waitid(P_PIDFD, static_cast<id_t>(process.get()), &info, WEXITED | WNOHANG | __WALL);
    const auto call = std::exchange(done, nullptr);
    if (!call) {
      gone = true;
      status = info;
      return;
    }
    call(result_of(info));
  }

  Result<void> result_of(const siginfo_t& info) {
    const auto marker = request.directory / kIncompleteMarker;
    if (killed) {
      const std::string why = "the collector did not finish in time and was killed";
      (void)write_evidence_marker(marker, why + "\n");
      return fail(Code::kDeadlineExceeded, why);
    }
    if (info.si_code != CLD_EXITED) {
      return fail(Code::kUnknown,
                  "the evidence collector was ended by signal " + std::to_string(info.si_status));
    }
    if (info.si_status == kNoErrno)
      return fail(Code::kUnknown, "the evidence collector failed" + where_to_look());
    if (info.si_status != 0)
      return fail_errno("the evidence collector failed" + where_to_look(), info.si_status);
    return {};
  }

  [[nodiscard]] std::string where_to_look() const {
    struct stat marker {};
    const auto path = request.directory / kIncompleteMarker;
    return ::stat(path.c_str(), &marker) == 0 && marker.st_size > 0
               ? ", see '" + path.string() + "'"
               : "";
  }

  UniqueFd process;
  UniqueFd orders;  // to the child
  UniqueFd tells;   // from it
  asio::posix::stream_descriptor ended;
  asio::posix::stream_descriptor captured_now;
  asio::steady_timer timer;
  EvidenceRequest request;
  std::chrono::nanoseconds deadline{0};
  std::function<void()> captured;
  std::function<void(Result<void>)> done;
  bool killed = false;
  bool gone = false;  // before it was told to write
  siginfo_t status{};
};

Result<std::filesystem::path> make_evidence_directory(const std::filesystem::path& root,
                                                      const std::string& event_id) {
  std::error_code error;
  std::filesystem::create_directories(root.parent_path(), error);
  if (::mkdir(root.c_str(), 0700) != 0 && errno != EEXIST)
    return fail_errno("mkdir '" + root.string() + "'");
  if (count_entries(root, kMaxEvidenceDirectories) >= kMaxEvidenceDirectories) {
    return fail(Code::kResourceExhausted,
                "'" + root.string() + "' holds " + std::to_string(kMaxEvidenceDirectories) +
                    " evidence directories: start wardd, which removes old ones, or remove some");
  }
  auto directory = root / event_id;
  if (::mkdir(directory.c_str(), 0700) != 0)
    return fail_errno("mkdir '" + directory.string() + "'");
  if (auto reserved = reserve(directory / kIncompleteMarker); !reserved) {
    ::unlink((directory / kIncompleteMarker).c_str());
    ::rmdir(directory.c_str());
    return tl::unexpected<Error>(reserved.error());
  }
  return directory;
}

Collection::Collection(std::shared_ptr<State> state) : state_(std::move(state)) {}
Collection::~Collection() {
  state_->captured = nullptr;
  state_->order("");
}

Result<std::shared_ptr<Collection>> Collection::begin(asio::io_context& loop,
                                                      EvidenceRequest request,
                                                      std::chrono::nanoseconds deadline,
                                                      std::function<void()> captured) {
  auto orders = make_pipe();
  auto tells = make_pipe();
  if (!orders || !tells) return tl::unexpected((orders ? tells : orders).error());
  request.reading = std::min<std::chrono::nanoseconds>(request.reading, deadline * 3 / 5);
  auto process = fork_quietly(
      [&] { return run_evidence_collector(request, orders->reading.get(), tells->writing.get()); });
  if (!process) return fail_with("fork the evidence collector", process.error());
  auto state = std::make_shared<State>(loop, std::move(*process), std::move(orders->writing),
                                       std::move(tells->reading), std::move(request));
  state->captured = std::move(captured);
  state->wait(deadline);
  return std::shared_ptr<Collection>(new Collection(std::move(state)));
}

void Collection::write(const node::v1::Violation& violation,
                       const std::vector<TimelineEntry>& timeline,
                       std::function<void(Result<void>)> done) {
  if (state_->gone) {
    asio::post(state_->timer.get_executor(),
               [state = state_, done = std::move(done)] { done(state->result_of(state->status)); });
    return;
  }
  state_->done = std::move(done);
  state_->arm(state_->deadline);
  state_->order(evidence_order(violation, timeline));
}

void collect_evidence(asio::io_context& loop, EvidenceRequest request,
                      std::chrono::nanoseconds deadline, std::function<void(Result<void>)> done) {
  const node::v1::Violation violation = request.violation;
  const auto timeline = request.timeline;
  auto begun = Collection::begin(loop, std::move(request), deadline, [] {});
  if (begun) return (*begun)->write(violation, timeline, std::move(done));
  asio::post(loop,
             [done = std::move(done), error = begun.error()] { done(tl::unexpected(error)); });
}

}  // namespace ward::shim::supervisor
