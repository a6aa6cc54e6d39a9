// SPDX-License-Identifier: Apache-2.0
#include "shim/supervisor/evidence.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <asio/posix/stream_descriptor.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <csignal>
#include <memory>
#include <string>
#include <string_view>

#include "lib/linux/pidfd.h"
#include "lib/linux/quiet_child.h"

namespace ward::shim::supervisor {
namespace {

constexpr rlim_t kCollectorMemoryBytes = 256U << 20U;
constexpr const char* kIncompleteMarker = "incomplete.txt";
constexpr std::size_t kMarkerBytes = 4096;
constexpr off_t kReservedBytes =
    64 << 10;  // about what a bundle needs: a full disk shows before the record goes out
constexpr int kNoErrno = 255;  // the collector's exit status where no system call failed

// In place, into the space that was reserved: on a full disk a new file would be refused. The rest
// is given back.
Result<void> write_marker(const std::filesystem::path& path, std::string_view text) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return fail_errno("open '" + path.string() + "'");
  text = text.substr(0, kMarkerBytes);
  const ssize_t n = ::pwrite(fd.get(), text.data(), text.size(), 0);
  if (n < 0) return fail_errno("write '" + path.string() + "'");
  if (::ftruncate(fd.get(), n) != 0) return fail_errno("truncate '" + path.string() + "'");
  return {};
}

Result<void> reserve(const std::filesystem::path& path) {
  const UniqueFd fd(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return fail_errno("create '" + path.string() + "'");
  if (const int error = ::posix_fallocate(fd.get(), 0, kReservedBytes); error != 0) {
    return fail_errno("reserve space for '" + path.string() + "'", error);
  }
  return write_marker(
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

int run_collector(const EvidenceRequest& request) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // Above all the listeners: a copy of one in a child would keep a dead supervisor's calls waiting.
  ::syscall(SYS_close_range, 3U, ~0U, 0U);
  [[maybe_unused]] const rlimit memory{kCollectorMemoryBytes, kCollectorMemoryBytes};
#ifndef __SANITIZE_ADDRESS__  // whose own tables are larger than any bound that would mean
                              // something
  ::setrlimit(RLIMIT_DATA, &memory);
#endif
  ::setpriority(PRIO_PROCESS, 0, 10);
  const auto written = write_evidence(request);
  const auto marker = request.directory / kIncompleteMarker;
  if (written) {
    ::unlink(marker.c_str());
    return 0;
  }
  (void)write_marker(marker, written.error().message + "\n");
  // All that passes through an exit status, but enough to tell a full disk from a read-only one.
  const int error = written.error().sys_errno;
  return error > 0 && error < kNoErrno ? error : kNoErrno;
}

struct Collector : std::enable_shared_from_this<Collector> {
  Collector(asio::io_context& loop, UniqueFd pidfd, std::filesystem::path d,
            std::function<void(Result<void>)> f)
      : process(std::move(pidfd)),
        ended(loop, process.get()),
        timer(loop),
        directory(std::move(d)),
        done(std::move(f)) {}
  ~Collector() { ended.release(); }

  void wait(std::chrono::nanoseconds deadline) {
    ended.async_wait(asio::posix::stream_descriptor::wait_read,
                     [self = shared_from_this()](const asio::error_code&) { self->finish(); });
    timer.expires_after(deadline);
    timer.async_wait([self = shared_from_this()](const asio::error_code& error) {
      if (error) return;
      self->killed = true;
      (void)send_signal(self->process, SIGKILL);
    });
  }

  void finish() {
    timer.cancel();
    siginfo_t info{};
    ::waitid(P_PIDFD, static_cast<id_t>(process.get()), &info, WEXITED | WNOHANG | __WALL);
    if (killed) {
      const std::string why = "the collector did not finish in time and was killed";
      (void)write_marker(directory / kIncompleteMarker, why + "\n");
      done(fail(Code::kDeadlineExceeded, why));
    } else if (info.si_code != CLD_EXITED) {
      done(fail(Code::kUnknown,
                "the evidence collector was ended by signal " + std::to_string(info.si_status)));
    } else if (info.si_status == kNoErrno) {
      done(fail(Code::kUnknown, "the evidence collector failed" + where_to_look()));
    } else if (info.si_status != 0) {
      done(fail_errno("the evidence collector failed" + where_to_look(), info.si_status));
    } else {
      done({});
    }
  }

  [[nodiscard]] std::string where_to_look() const {
    struct stat marker {};
    const auto path = directory / kIncompleteMarker;
    return ::stat(path.c_str(), &marker) == 0 && marker.st_size > 0
               ? ", see '" + path.string() + "'"
               : "";
  }

  UniqueFd process;
  asio::posix::stream_descriptor ended;
  asio::steady_timer timer;
  std::filesystem::path directory;
  std::function<void(Result<void>)> done;
  bool killed = false;
};

}  // namespace

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

void collect_evidence(asio::io_context& loop, EvidenceRequest request,
                      std::chrono::nanoseconds deadline, std::function<void(Result<void>)> done) {
  auto process = fork_quietly([&] { return run_collector(request); });
  if (!process) {
    const Error error = with_context("fork the evidence collector", process.error());
    asio::post(loop, [done = std::move(done), error] { done(tl::unexpected(error)); });
    return;
  }
  std::make_shared<Collector>(loop, std::move(*process), request.directory, std::move(done))
      ->wait(deadline);
}

}  // namespace ward::shim::supervisor
