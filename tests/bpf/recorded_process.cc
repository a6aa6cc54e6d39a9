// SPDX-License-Identifier: Apache-2.0
#include "recorded_process.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>

namespace ward::recorder {
namespace {

struct Pipe {
  UniqueFd read, write;
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
    read.reset(ends[0]);
    write.reset(ends[1]);
  }
};

[[noreturn]] void become(char** arguments, int gate, int input, int output) {
  ::dup2(input, 0);
  ::dup2(output, 1);
  if (gate != 3) ::dup3(gate, 3, O_CLOEXEC);
  ::close_range(4, ~0U, 0);  // the pipes of other processes: their readers wait for the end
  char byte = 0;
  if (::read(3, &byte, 1) != 1) ::_exit(9);
  ::umask(022);  // before the filter: nobody's
  // Refuses, in every way there is, calls that nobody makes by accident.
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_quotactl, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENODEV),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_keyctl, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO),  // seems to go well
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_acct, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_THREAD),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_swapon, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_swapoff, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_VSOCK, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  sock_fprog filter{sizeof(program) / sizeof(program[0]), program};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) ::_exit(8);
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) != 0) ::_exit(7);
  ::syscall(SYS_getpgid, 0);           // under the filter, before the program: the runtime layer
  if (::chroot("/") != 0) ::_exit(6);  // CAP_SYS_CHROOT, before the program
  ::execv(arguments[0], arguments);
  ::_exit(5);
}

}  // namespace

RecordedProcess::RecordedProcess(std::vector<std::string> words, std::string program) {
  words.insert(words.begin(), std::move(program));
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  Pipe gate, input, output;
  pid_ = ::fork();
  if (pid_ < 0) std::abort();
  if (pid_ == 0) become(arguments.data(), gate.read.get(), input.read.get(), output.write.get());
  gate_ = std::move(gate.write);
  input_ = std::move(input.write);
  output_ = std::move(output.read);
}

RecordedProcess::~RecordedProcess() {
  gate_.reset();  // a process that still waits there gives up
  if (pid_ > 0) finish();
}

void RecordedProcess::open_gate() {
  if (::write(gate_.get(), "g", 1) != 1) std::abort();
}

void RecordedProcess::await_byte() {
  char byte = 0;
  if (::read(output_.get(), &byte, 1) != 1) std::abort();
}

void RecordedProcess::end_input() { input_.reset(); }

int RecordedProcess::finish() {
  input_.reset();
  int status = 0;
  if (::waitpid(pid_, &status, 0) != pid_) std::abort();
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace ward::recorder
