// SPDX-License-Identifier: Apache-2.0
#include "shim/admission/runtime_habits.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <map>
#include <tuple>

#include "lib/base/log.h"
#include "lib/base/unique_fd.h"
#include "lib/linux/bounded_child.h"

namespace ward::shim::admission {
namespace {

constexpr std::size_t kMaxVersionBytes = 4096;
constexpr std::size_t kMostRemembered = 16;

using Identity = std::tuple<dev_t, ino_t, off_t, std::int64_t, std::int64_t>;

// In a process of its own already; the program is a child of it, and goes with it.
std::string ask_version(const std::string& binary) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return {};
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return {};
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const UniqueFd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (::dup2(nothing.get(), 0) == 0 && ::dup2(writer.get(), 1) == 1 &&
        ::dup2(nothing.get(), 2) == 2) {
      ::execl(binary.c_str(), binary.c_str(), "--version", nullptr);
    }
    ::_exit(127);
  }
  writer.reset();
  std::string text;
  std::array<char, kMaxVersionBytes> piece{};
  while (text.size() < kMaxVersionBytes) {
    const ssize_t n = ::read(reader.get(), piece.data(), kMaxVersionBytes - text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    text.append(piece.data(), static_cast<std::size_t>(n));
  }
  return text;
}

}  // namespace

Result<filter::RuntimeHabits> read_runtime_habits(const std::filesystem::path& binary) {
  static std::map<Identity, filter::RuntimeHabits> known;
  struct stat status {};
  if (binary.empty() || ::stat(binary.c_str(), &status) != 0) return filter::RuntimeHabits{};
  const Identity identity{status.st_dev, status.st_ino, status.st_size, status.st_ctim.tv_sec,
                          status.st_ctim.tv_nsec};
  if (const auto found = known.find(identity); found != known.end()) return found->second;
  const auto said = run_in_bounded_child([&] { return ask_version(binary.string()); }, Bounds{});
  if (!said && said.error().code == Code::kUnavailable) {
    return fail_with("asking '" + binary.string() + "' for its version", said.error());
  }
  if (!said) {
    log::warn("the runtime does not say its version",
              {{"binary", binary.string()}, {"error", said.error().message}});
    return filter::RuntimeHabits{};
  }
  if (known.size() >= kMostRemembered) known.clear();
  return known[identity] = filter::habits_of_version(*said);
}

}  // namespace ward::shim::admission
