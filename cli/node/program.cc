// SPDX-License-Identifier: Apache-2.0
#include "cli/node/program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "lib/linux/child_process.h"
#include "lib/linux/pidfd.h"

namespace ward::cli::node {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kMaxBytes = 8U << 20U;

struct Pipe {
  UniqueFd read, write;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("make a pipe");
  Pipe pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
  // Ours alone: after the program's end a process that it left behind may hold the other end open.
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return pipe;
}

// False at the end of what is there.
bool take(const UniqueFd& from, std::string& text) {
  std::array<char, 65536> piece{};
  const ssize_t n = ::read(from.get(), piece.data(), piece.size());
  if (n <= 0) return false;
  if (text.size() < kMaxBytes) text.append(piece.data(), static_cast<std::size_t>(n));
  return true;
}

int reap(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

Result<Ran> run_program(const std::vector<std::string>& command, std::chrono::milliseconds patience,
                        const std::string& executed) {
  auto out = make_pipe(), err = make_pipe();
  if (!out) return tl::unexpected(out.error());
  if (!err) return tl::unexpected(err.error());
  ChildSpec spec;
  const auto program = find_program(executed.empty() ? command.front() : executed);
  if (!program) return tl::unexpected(program.error());
  spec.program = *program;
  spec.argv = command;
  // ctr of containerd 2.2 speaks of cgroup v1 before each answer.
  spec.environment = environment_without({"CONTAINERD_SUPPRESS_DEPRECATION_WARNINGS"});
  spec.environment.emplace_back("CONTAINERD_SUPPRESS_DEPRECATION_WARNINGS=1");
  spec.descriptors = {{out->write.get(), 1}, {err->write.get(), 2}};
  auto child = start_child(spec);
  if (!child) return tl::unexpected(child.error());
  out->write.reset();
  err->write.reset();
  const auto pidfd = open_pidfd(child->pid);
  const auto deadline = Clock::now() + patience;
  Ran ran;
  bool late = false, out_open = true, err_open = true;
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd fds[] = {{out_open ? out->read.get() : -1, POLLIN, 0},
                    {err_open ? err->read.get() : -1, POLLIN, 0},
                    {pidfd ? pidfd->get() : -1, POLLIN, 0}};
    if (left <= 0 || ::poll(fds, 3, static_cast<int>(left)) == 0) {
      late = true;
      ::kill(child->pid, SIGKILL);  // not waited for yet, so the number is still its own
      break;
    }
    if (fds[0].revents != 0) out_open = take(out->read, ran.out);
    if (fds[1].revents != 0) err_open = take(err->read, ran.err);
    if (fds[2].revents != 0 || (!pidfd && !out_open && !err_open)) break;
  }
  ran.status = reap(child->pid);
  while (out_open && take(out->read, ran.out)) {
  }
  while (err_open && take(err->read, ran.err)) {
  }
  if (late)
    return fail(Code::kDeadlineExceeded, command.front() + " did not end within " +
                                             std::to_string(patience.count() / 1000) +
                                             " s and was ended");
  if (ran.status == kExecFailedStatus)
    if (auto why = find_start_failure(child->failure)) return tl::unexpected(*why);
  return ran;
}

std::string last_words(const Ran& ran) {
  std::string text = ran.err.empty() ? ran.out : ran.err;
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  const auto line = text.rfind('\n');
  if (line != std::string::npos) text.erase(0, line + 1);
  return text.empty() ? "it ended with status " + std::to_string(ran.status) : text;
}

}  // namespace ward::cli::node
