// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/child_process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace ward {
namespace {

// Everything the child needs, made before fork: between fork and execve nothing is allocated.
struct Prepared {
  std::vector<char*> argv;
  std::vector<char*> environment;
  std::vector<std::pair<int, int>> descriptors;
  int lowest_free = 3;  // above every target
  int gate = -1;
  int failure = -1;
};

// What the child writes to `failure`.
enum class Step : int { kDirectory, kDescriptors, kExecute };
struct Failure {
  Step step;
  int error;
};

const char* describe(Step step) {
  switch (step) {
    case Step::kDirectory: return "enter its directory";
    case Step::kDescriptors: return "arrange its descriptors";
    case Step::kExecute: return "execute";
  }
  return "start";
}

[[noreturn]] void give_up(const Prepared& p, Step step) {
  const Failure failure{step, errno};
  (void)!::write(p.failure, &failure, sizeof(failure));
  ::_exit(kExecFailedStatus);
}

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> result;
  result.reserve(strings.size() + 1);
  for (const auto& s : strings) result.push_back(const_cast<char*>(s.c_str()));
  result.push_back(nullptr);
  return result;
}

// Two rounds, because a source may be another entry's target. `failure` is the first that leaves
// the targets' way, so that what goes wrong can be told at any moment.
bool arrange_descriptors(Prepared& p) {
  const int base = p.lowest_free + 2;  // above the places of the gate and of `failure` as well
  const int moved = ::fcntl(p.failure, F_DUPFD_CLOEXEC, base);
  if (moved < 0) return false;
  p.failure = moved;
  for (auto& [from, to] : p.descriptors) {
    from = ::fcntl(from, F_DUPFD_CLOEXEC, base);
    if (from < 0) return false;
  }
  if (p.gate >= 0) {
    p.gate = ::fcntl(p.gate, F_DUPFD_CLOEXEC, base);
    if (p.gate < 0) return false;
  }
  for (const auto& [from, to] : p.descriptors) {
    if (::dup2(from, to) < 0) return false;
  }
  int first_to_close = p.lowest_free;
  if (p.gate >= 0) {
    if (::dup3(p.gate, p.lowest_free, O_CLOEXEC) < 0) return false;
    p.gate = p.lowest_free;
    ++first_to_close;
  }
  if (::dup3(p.failure, first_to_close, O_CLOEXEC) < 0) return false;
  p.failure = first_to_close++;
  // Closes the write ends of other children's gates too: a waiting child must not keep another
  // one's open.
  return ::syscall(SYS_close_range, first_to_close, ~0U, 0) == 0;
}

void reset_signals() {
  struct sigaction standard = {};
  standard.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &standard, nullptr);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void run_child(Prepared& p, const ChildSpec& spec, pid_t parent) {
  reset_signals();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(kExecFailedStatus);
  if (!spec.directory.empty() && ::chdir(spec.directory.c_str()) != 0) give_up(p, Step::kDirectory);
  if (!arrange_descriptors(p)) give_up(p, Step::kDescriptors);
  if (p.gate >= 0) {
    char go = 0;
    ssize_t n = 0;
    do n = ::read(p.gate, &go, 1);
    while (n < 0 && errno == EINTR);
    if (n != 1) ::_exit(kExecFailedStatus);
  }
  ::execve(spec.program.c_str(), p.argv.data(), p.environment.data());
  give_up(p, Step::kExecute);
}

}  // namespace

void Gate::open() {
  const char go = 1;
  if (write_end_) (void)!::write(write_end_.get(), &go, 1);
  write_end_.reset();
}

Result<Child> start_child(const ChildSpec& spec) {
  Prepared p;
  p.argv = pointers(spec.argv);
  p.environment = pointers(spec.environment);
  p.descriptors = spec.descriptors;
  UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) return fail_errno("open /dev/null");
  for (int fd = 0; fd < 3; ++fd) {
    const bool given = std::any_of(p.descriptors.begin(), p.descriptors.end(),
                                   [fd](auto& d) { return d.second == fd; });
    if (!given) p.descriptors.emplace_back(null.get(), fd);
  }
  for (const auto& d : p.descriptors) p.lowest_free = std::max(p.lowest_free, d.second + 1);
  // A hole between the targets would show the child one of our descriptors, which all are CLOEXEC:
  // harmless.

  UniqueFd gate_read;
  UniqueFd gate_write;
  if (spec.gated) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("pipe2");
    gate_read.reset(ends[0]);
    gate_write.reset(ends[1]);
    p.gate = gate_read.get();
  }

  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return fail_errno("pipe2");
  UniqueFd failure_read(ends[0]);
  const UniqueFd failure_write(ends[1]);
  p.failure = failure_write.get();

  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return fail_errno("fork for " + spec.program);
  if (pid == 0) run_child(p, spec, parent);
  return Child{pid, Gate(std::move(gate_write)), std::move(failure_read)};
}

std::optional<Error> find_start_failure(const UniqueFd& failure) {
  Failure said{};
  if (!failure || ::read(failure.get(), &said, sizeof(said)) != sizeof(said)) return std::nullopt;
  return fail_errno(describe(said.step), said.error).value();
}

Result<void> leave_behind_all_but(std::vector<int> descriptors) {
  reset_signals();
  std::sort(descriptors.begin(), descriptors.end());
  if (!descriptors.empty() && descriptors.front() < 3)
    return fail(Code::kInvalidArgument, "a descriptor below 3");
  {
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!null) return fail_errno("open /dev/null");
    for (int fd = 0; fd < 3; ++fd) {
      if (::dup2(null.get(), fd) < 0) return fail_errno("dup2");
    }
  }
  unsigned first = 3;
  for (const int kept : descriptors) {
    const auto fd = static_cast<unsigned>(kept);
    if (fd > first && ::syscall(SYS_close_range, first, fd - 1, 0) != 0)
      return fail_errno("close_range");
    first = std::max(first, fd + 1);
  }
  if (::syscall(SYS_close_range, first, ~0U, 0) != 0) return fail_errno("close_range");
  return {};
}

Result<std::string> find_program(const std::string& name) {
  if (name.empty()) return fail(Code::kInvalidArgument, "find program: the name is empty");
  if (name.find('/') != std::string::npos) {
    if (::access(name.c_str(), X_OK) != 0) return fail_errno("execute " + name);
    return name;
  }
  const char* path_variable = ::getenv("PATH");
  std::string_view path = path_variable != nullptr
                              ? path_variable
                              : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  while (!path.empty()) {
    const auto colon = std::min(path.find(':'), path.size());
    if (colon > 0) {
      std::string candidate = std::string(path.substr(0, colon)) + "/" + name;
      if (candidate[0] == '/' && ::access(candidate.c_str(), X_OK) == 0) return candidate;
    }
    path.remove_prefix(std::min(colon + 1, path.size()));
  }
  return fail(Code::kNotFound, "exec: \"" + name + "\": executable file not found in $PATH");
}

std::vector<std::string> environment_without(const std::vector<std::string>& names) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const auto name = text.substr(0, text.find('='));
    if (std::find(names.begin(), names.end(), name) == names.end()) result.emplace_back(text);
  }
  return result;
}

}  // namespace ward
