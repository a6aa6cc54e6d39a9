// SPDX-License-Identifier: Apache-2.0
#include "enforcer/store/watch.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>
#include <cerrno>
#include <chrono>
#include <optional>
#include <string>

#include "enforcer/store/inotify_use.h"
#include "lib/base/log.h"
#include "lib/base/result.h"
#include "lib/base/unique_fd.h"

namespace ward::enforcer {
namespace {

constexpr std::chrono::milliseconds kQuiet{150};
constexpr std::chrono::milliseconds kLatest{1000};
constexpr std::chrono::seconds kAnyway{30};
constexpr std::chrono::seconds kLookEvery{2};  // where inotify is not to be had
constexpr std::uint32_t kEvents = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
                                  IN_CLOSE_WRITE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB |
                                  IN_ONLYDIR;

// What a look finds, to be compared with what the next one finds: an entry's name, and what it
// leads to.
std::string stamp(const std::filesystem::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return path.string() + " -\n";
  const auto time = [](const timespec& at) {
    return std::to_string(at.tv_sec) + "." + std::to_string(at.tv_nsec);
  };
  return path.string() + " " + std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino) +
         " " + std::to_string(status.st_size) + " " + time(status.st_mtim) + " " +
         time(status.st_ctim) + "\n";
}

std::string stamps(const std::vector<std::filesystem::path>& directories) {
  std::vector<std::string> lines;
  for (const auto& directory : directories) {
    lines.push_back(stamp(directory));
    std::error_code error;
    for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
         entry.increment(error)) {
      lines.push_back(stamp(entry->path()));
    }
  }
  std::sort(lines.begin(), lines.end());
  std::string all;
  for (const std::string& line : lines) all += line;
  return all;
}

// EMFILE is said of the limit of inotify instances and of that of open files alike.
bool has_a_descriptor_left() { return UniqueFd(::open("/", O_PATH | O_CLOEXEC)).get() >= 0; }

std::string advice(int error) {
  if (error == EMFILE && has_a_descriptor_left()) return describe_inotify_use();
  if (error == EMFILE) return "wardd has no file descriptor left";
  if (error == ENOSPC) return "fs.inotify.max_user_watches is used up: set it higher with sysctl";
  return "wardd goes on asking";
}

}  // namespace

struct Watch::State : std::enable_shared_from_this<State> {
  using Clock = std::chrono::steady_clock;

  State(asio::io_context& core, std::vector<std::filesystem::path> paths,
        std::function<void()> on_change)
      : inotify(core),
        quiet(core),
        anyway(core),
        look(core),
        directories(std::move(paths)),
        changed(std::move(on_change)) {}

  // Asks for an instance where there is none, and for all watches. What cannot be had is looked for
  // by timer.
  void ensure() {
    if (!inotify.is_open()) {
      const int descriptor = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
      if (descriptor < 0) return look_by_timer("inotify_init1", errno);
      inotify.assign(descriptor);
      await_events();
    }
    if (const int error = add_watches(); error != 0)
      return look_by_timer("inotify_add_watch", error);
    if (!problem) return;
    log::info("changes of files are told by inotify again");
    problem.reset();
    look.cancel();
    seen.clear();
    settle();  // for what happened since the last look
  }

  // Idempotent: the kernel gives the same watch for the same directory, and a new one where the
  // path leads elsewhere now. The parent is watched for the moment its child appears or is
  // replaced. Returns what went wrong with one that exists.
  int add_watches() {
    int wrong = 0;
    for (const auto& directory : directories) {
      for (const auto& path : {directory, directory.parent_path()}) {
        if (::inotify_add_watch(inotify.native_handle(), path.c_str(), kEvents) >= 0) continue;
        if (errno == ENOSPC || errno == ENOMEM) wrong = errno;
      }
    }
    return wrong;
  }

  void look_by_timer(const char* call, int error) {
    const bool first = !problem;
    // Finding out who holds them costs a walk through /proc.
    if (!first && Clock::now() < told + kAnyway) return;
    told = Clock::now();
    problem = "changes of files are found by looking every " + std::to_string(kLookEvery.count()) +
              " s only: " + fail_errno(call, error).value().message + "; " + advice(error);
    if (!first) return;
    log::warn(*problem);
    seen = stamps(directories);
    await_look();
  }

  void await_look() {
    look.expires_after(kLookEvery);
    look.async_wait([weak = weak_from_this()](const asio::error_code& error) {
      auto self = weak.lock();
      if (error || !self || !self->problem) return;
      self->ensure();
      if (!self->problem) return;
      if (std::string now = stamps(self->directories); now != self->seen) {
        self->seen = std::move(now);
        self->settle();
      }
      self->await_look();
    });
  }

  void await_events() {
    inotify.async_wait(
        asio::posix::stream_descriptor::wait_read,
        [weak = weak_from_this()](const asio::error_code& error) {
          auto self = weak.lock();
          if (error || !self) return;
          std::array<char, 16384> ignored{};
          while (::read(self->inotify.native_handle(), ignored.data(), ignored.size()) > 0) {
          }
          self->ensure();
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
      self->ensure();
      self->changed();
      self->await_anyway();
    });
  }

  asio::posix::stream_descriptor inotify;
  asio::steady_timer quiet;
  asio::steady_timer anyway;
  asio::steady_timer look;
  std::vector<std::filesystem::path> directories;
  std::function<void()> changed;
  std::optional<Clock::time_point> first_change;
  std::optional<std::string> problem;
  Clock::time_point told;  // when `problem` was worded
  std::string seen;        // at the last look by timer
};

Watch::Watch(std::shared_ptr<State> state) : state_(std::move(state)) {}
Watch::~Watch() = default;

std::unique_ptr<Watch> Watch::start(asio::io_context& core,
                                    std::vector<std::filesystem::path> directories,
                                    std::function<void()> changed) {
  auto state = std::make_shared<State>(core, std::move(directories), std::move(changed));
  state->ensure();
  state->await_anyway();
  return std::unique_ptr<Watch>(new Watch(std::move(state)));
}

std::optional<std::string> Watch::problem() const { return state_->problem; }

}  // namespace ward::enforcer
