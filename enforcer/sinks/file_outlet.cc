// SPDX-License-Identifier: Apache-2.0
// JSON lines in a file. A full file becomes PATH.1, that one PATH.2, and so on; the last one goes.
// An event is taken when it is on the disk.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "enforcer/sinks/formats.h"
#include "enforcer/sinks/outlet.h"
#include "lib/base/escape.h"
#include "lib/base/result.h"

namespace ward::enforcer::sinks {
namespace {

class FileOutlet final : public Outlet {
 public:
  explicit FileOutlet(const profiles::SinkSettings& settings) : settings_(settings) {}

  Delivery deliver(std::span<const Event> events, const StopSignal&) override {
    const auto written = write(events);
    fd_.reset();  // somebody may move it away in between
    if (!written) return {0, written.error().message};
    return {events.size(), ""};
  }

 private:
  [[nodiscard]] std::string what() const { return "'" + escape(settings_.path) + "'"; }

  Result<void> write(std::span<const Event> events) {
    for (const Event& event : events) {
      const std::string line = event_json(event) + "\n";
      if (fd_ && size_ > 0 && size_ + line.size() > settings_.max_bytes) {
        if (auto kept = flush(); !kept) return kept;
        if (auto turned = rotate(); !turned) return turned;
      }
      if (auto opened = open(line.size()); !opened) return opened;
      std::size_t done = 0;
      while (done < line.size()) {
        const ssize_t took = ::write(fd_.get(), line.data() + done, line.size() - done);
        if (took < 0 && errno == EINTR) continue;
        if (took < 0) {
          const auto why = fail_errno(what());
          // No half of a line stays: the next attempt begins a new one.
          (void)!::ftruncate(fd_.get(), static_cast<off_t>(size_));
          return why;
        }
        done += static_cast<std::size_t>(took);
      }
      size_ += line.size();
    }
    return flush();
  }

  Result<void> flush() {
    if (::fdatasync(fd_.get()) != 0) return fail_errno(what());
    return {};
  }

  Result<void> open(std::size_t next_line) {
    if (fd_) return {};
    fd_ = UniqueFd(::open(settings_.path.c_str(),
                          O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640));
    if (!fd_) return fail_errno(what());
    struct stat status = {};
    if (::fstat(fd_.get(), &status) != 0) return fail_errno(what());
    if (!S_ISREG(status.st_mode)) {
      fd_.reset();
      return fail(Code::kFailedPrecondition, what() + " is no file");
    }
    size_ = static_cast<std::uint64_t>(status.st_size);
    if (auto whole = end_last_line(); !whole) return whole;
    if (size_ == 0 || size_ + next_line <= settings_.max_bytes) return {};
    if (auto turned = rotate(); !turned) return turned;
    return open(next_line);
  }

  // A wardd that was killed, or a full disk, left a half: its event comes again, and the half goes.
  // What somebody else wrote stays, and gets an end.
  Result<void> end_last_line() {
    constexpr std::size_t kLongest = 1U << 20U;  // of a line of ours; they are far below
    std::string tail(static_cast<std::size_t>(std::min<std::uint64_t>(size_, kLongest)), '\0');
    const std::uint64_t from = size_ - tail.size();
    const ssize_t got = ::pread(fd_.get(), tail.data(), tail.size(), static_cast<off_t>(from));
    if (got < 0) return fail_errno(what());
    if (static_cast<std::size_t>(got) != tail.size())
      return fail(Code::kUnavailable, what() + " became shorter meanwhile");
    if (tail.empty() || tail.back() == '\n') return {};
    const std::size_t line_break = tail.rfind('\n');
    const bool begins_here = line_break != std::string::npos || from == 0;
    const std::size_t begin = line_break == std::string::npos ? 0 : line_break + 1;
    const std::string ours = std::string("{\"schema\":\"") + kEventSchema + "\"";
    const std::size_t same = std::min(ours.size(), tail.size() - begin);
    if (begins_here && tail.compare(begin, same, ours, 0, same) == 0) {
      size_ = from + begin;
      if (::ftruncate(fd_.get(), static_cast<off_t>(size_)) != 0) return fail_errno(what());
    } else if (::write(fd_.get(), "\n", 1) == 1) {
      ++size_;
    } else {
      return fail_errno(what());
    }
    return {};
  }

  Result<void> rotate() {
    fd_.reset();
    std::error_code error;
    const auto name = [this](std::uint32_t number) {
      return settings_.path + (number == 0 ? "" : "." + std::to_string(number));
    };
    if (settings_.keep == 0) {
      std::filesystem::remove(settings_.path, error);
    } else {
      for (std::uint32_t number = settings_.keep; number > 0 && !error; --number) {
        if (std::filesystem::exists(name(number - 1), error))
          std::filesystem::rename(name(number - 1), name(number), error);
      }
    }
    if (error) return fail(Code::kUnavailable, what() + ": " + error.message());
    return {};
  }

  const profiles::SinkSettings settings_;
  UniqueFd fd_;
  std::uint64_t size_ = 0;
};

}  // namespace

std::unique_ptr<Outlet> make_file_outlet(const profiles::SinkSettings& settings) {
  return std::make_unique<FileOutlet>(settings);
}

}  // namespace ward::enforcer::sinks
