// SPDX-License-Identifier: Apache-2.0
#include "tests/support/child.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>

namespace ward::test {
namespace {

struct Pipe {
  UniqueFd read, write;
};

bool is_stopped(const std::filesystem::path& task) {
  std::ifstream file(task / "stat");
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  const std::size_t name_end = text.rfind(") ");
  return name_end == std::string::npos || text[name_end + 2] == 'T' || text[name_end + 2] == 'Z';
}

// Each thread stops by itself, and one that slept in read(2) may still take what arrives meanwhile.
bool has_stopped(pid_t pid) {
  std::error_code ignored;
  const std::filesystem::directory_iterator tasks("/proc/" + std::to_string(pid) + "/task",
                                                  ignored),
      none;
  return std::all_of(tasks, none, [](const auto& entry) { return is_stopped(entry.path()); });
}

Pipe make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) std::abort();
  return Pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

// What the child needs for its execve, made before the fork: another thread of the test may hold
// malloc's lock at that moment, and the child would wait for it for ever.
class Program {
 public:
  Program(const std::vector<std::string>& command, const Child::Options& options)
      : command_(command),
        environment_(merged(options.environment)),
        path_(found(command_.front())) {
    for (std::string& argument : command_) arguments_.push_back(argument.data());
    for (std::string& variable : environment_) variables_.push_back(variable.data());
    arguments_.push_back(nullptr);
    variables_.push_back(nullptr);
    if (!options.log.empty())
      log_.reset(::open(options.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  }

  [[noreturn]] void become() const {
    if (log_) {
      for (const int standard : {1, 2}) ::dup2(log_.get(), standard);
    }
    ::execve(path_.c_str(), arguments_.data(), variables_.data());
    static constexpr std::string_view kFailed = "cannot be executed\n";
    (void)!::write(2, kFailed.data(), kFailed.size());
    ::_exit(127);
  }

 private:
  static std::string name_of(const std::string& variable) {
    return variable.substr(0, variable.find('='));
  }

  // Of two values of one variable the later one holds.
  static std::vector<std::string> merged(const std::vector<std::string>& ours) {
    std::map<std::string, std::string> all;
    for (char** theirs = environ; *theirs != nullptr; ++theirs) all[name_of(*theirs)] = *theirs;
    for (const std::string& variable : ours) all[name_of(variable)] = variable;
    std::vector<std::string> result;
    for (auto& [name, variable] : all) result.push_back(std::move(variable));
    return result;
  }

  // As execvp would, but on the child's own PATH.
  [[nodiscard]] std::string found(const std::string& program) const {
    if (program.find('/') != std::string::npos) return program;
    for (const std::string& variable : environment_) {
      if (name_of(variable) != "PATH") continue;
      std::istringstream directories(variable.substr(sizeof "PATH"));
      for (std::string directory; std::getline(directories, directory, ':');) {
        if (::access((directory + "/" + program).c_str(), X_OK) == 0)
          return directory + "/" + program;
      }
    }
    return program;
  }

  std::vector<std::string> command_, environment_;
  std::string path_;
  std::vector<char*> arguments_, variables_;
  UniqueFd log_;
};

// Appends what can be read now; false, and the descriptor closed, at the end. EIO is the end of a
// pty.
bool drain(UniqueFd& fd, std::string& text) {
  std::array<char, 16384> buffer;
  const ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
  if (n > 0) {
    text.append(buffer.data(), static_cast<std::size_t>(n));
    return true;
  }
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return true;
  fd.reset();
  return false;
}

int remaining_ms(Clock::time_point deadline) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return left < 0 ? 0 : static_cast<int>(left);
}

}  // namespace

Child::Child(const std::vector<std::string>& command) : Child(command, Options{}) {}

Child::Child(const std::vector<std::string>& command, const Options& options) {
  const Program program(command, options);
  if (options.terminal) {
    int master = -1;
    pid_ = ::forkpty(&master, nullptr, nullptr, nullptr);
    if (pid_ == 0) program.become();
    ::fcntl(master, F_SETFD, FD_CLOEXEC);
    out_.reset(master);
    in_.reset(::fcntl(master, F_DUPFD_CLOEXEC, 0));
  } else {
    Pipe in = make_pipe(), out = make_pipe(), err = make_pipe();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(in.read.get(), 0);
      ::dup2(out.write.get(), 1);
      ::dup2(err.write.get(), 2);
      program.become();
    }
    in_ = std::move(in.write);
    out_ = std::move(out.read);
    err_ = std::move(err.read);
  }
  if (pid_ < 0) std::abort();
  pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
}

Child::~Child() {
  if (status_) return;
  signal(SIGKILL);
  reap(true);
}

void Child::write(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(in_.get(), text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return;  // the reader has gone: the test sees that in the output
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

void Child::close_input() { in_.reset(); }

void Child::signal(int number) const {
  if (!status_) signal_process(pid_, number);
}

void Child::reap(bool block) {
  if (status_) return;
  int status = 0;
  if (::waitpid(pid_, &status, block ? 0 : WNOHANG) != pid_) return;
  status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool Child::collect(Clock::time_point deadline) {
  reap(false);
  std::array<pollfd, 3> fds{pollfd{out_.get(), POLLIN, 0}, pollfd{err_.get(), POLLIN, 0},
                            pollfd{status_ ? -1 : pidfd_.get(), POLLIN, 0}};
  // After the exit only what is already there counts: a descendant may hold the pipe for ever.
  const int ready = ::poll(fds.data(), fds.size(), status_ ? 0 : remaining_ms(deadline));
  if (ready <= 0) return !status_ && Clock::now() < deadline;
  if (fds[0].revents != 0) drain(out_, out_text_);
  if (fds[1].revents != 0) drain(err_, err_text_);
  return Clock::now() < deadline;
}

bool Child::await_output(std::string_view text, std::size_t from,
                         std::chrono::milliseconds patience) {
  const Clock::time_point deadline = Clock::now() + patience;
  while (out_text_.find(text, from) == std::string::npos) {
    if (!collect(deadline)) return out_text_.find(text, from) != std::string::npos;
  }
  return true;
}

bool Child::await_size(std::size_t bytes, std::chrono::milliseconds patience) {
  const Clock::time_point deadline = Clock::now() + patience;
  while (out_text_.size() < bytes && collect(deadline)) continue;
  return out_text_.size() >= bytes;
}

std::optional<int> Child::wait(std::chrono::milliseconds patience) {
  const Clock::time_point deadline = Clock::now() + patience;
  while (collect(deadline)) continue;
  return status_;
}

Output run(const std::vector<std::string>& command, const Child::Options& options,
           std::string_view input, std::chrono::milliseconds patience) {
  Child child(command, options);
  child.write(input);
  if (!options.terminal) child.close_input();
  const std::optional<int> status = child.wait(patience);
  return Output{status.value_or(-1), child.out(), child.err()};
}

void short_pause() { ::poll(nullptr, 0, 5); }

bool signal_process(pid_t pid, int number) {
  if (pid <= 1) {
    ADD_FAILURE() << "signal " << number << " to pid " << pid << ": there is no such process";
    return false;
  }
  if (::kill(pid, number) != 0) return false;
  return number != SIGSTOP || await([&] { return has_stopped(pid); });
}

}  // namespace ward::test
