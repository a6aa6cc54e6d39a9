// SPDX-License-Identifier: Apache-2.0
// `box`: one static program that is everything a test container needs, so that images need no shell
// and no libc. Used by the integration tests, the demo and the benchmark; never part of an
// installation.
//
//   box entry FIFO PROGRAM [ARG...]   starts a watcher, then becomes PROGRAM. The watcher sleeps on
//   FIFO; each line written
//                                     to it is the name of an attack, which a forked process of the
//                                     workload then tries.
//   box attack NAME...                tries each attack and prints "NAME RESULT ERRNO"
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "offers.h"

// Newer than the headers that this may be built with.
#define SYS_FCHMODAT2 452
#define SYS_LISTXATTRAT 465

struct attack {
  const char* name;
  long (*run)(void);
};

static long try_unshare(void) { return unshare(CLONE_NEWUSER | CLONE_NEWNS); }
static long try_af_alg(void) { return socket(AF_ALG, SOCK_SEQPACKET, 0); }
static long try_packet(void) { return socket(AF_PACKET, SOCK_RAW, 0); }
static long try_vsock(void) { return socket(AF_VSOCK, SOCK_STREAM, 0); }
static long try_mount(void) { return mount("none", "/", "tmpfs", 0, NULL); }
static long try_pivot_root(void) { return syscall(SYS_pivot_root, ".", "."); }
static long try_bpf(void) {
  char attr[128] = {0};
  return syscall(SYS_bpf, 0, attr, sizeof attr);
}
static long try_ptrace(void) { return ptrace(PTRACE_ATTACH, 1, NULL, NULL); }
static long try_process_vm(void) {
  return syscall(SYS_process_vm_readv, 1, NULL, 0UL, NULL, 0UL, 0UL);
}
static long try_io_uring(void) {
  char params[256] = {0};
  return syscall(SYS_io_uring_setup, 8, params);
}
static long try_clone_ns(void) {
  const long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
  if (pid == 0) _exit(0);
  return pid;
}
static long try_clone3_ns(void) {
  uint64_t args[11] = {CLONE_NEWUSER, 0, 0, 0, SIGCHLD};
  const long pid = syscall(SYS_clone3, args, sizeof args);
  if (pid == 0) _exit(0);
  return pid;
}
static long try_setns(void) { return setns(0, CLONE_NEWNS); }
static long try_keyctl(void) { return syscall(SYS_keyctl, 0, -3, 0, 0, 0); }
static long try_personality(void) { return personality(ADDR_NO_RANDOMIZE); }
static long try_userfaultfd(void) { return syscall(SYS_userfaultfd, 0); }
static long try_perf(void) { return syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0UL); }
static long try_module(void) { return syscall(SYS_init_module, NULL, 0UL, ""); }
static long try_kexec(void) { return syscall(SYS_kexec_load, 0UL, 0UL, NULL, 0UL); }
static long try_handle(void) { return syscall(SYS_open_by_handle_at, -1, NULL, 0); }
static long try_stack_filter(void) {
  return prctl(PR_SET_SECCOMP, 2, NULL);
}  // EFAULT where it runs
static long try_set_mm(void) {
  return prctl(35, 15, NULL, 0, 0);
}  // PR_SET_MM; EFAULT or EPERM inside
// A filter of its own that answers unshare, so that later attempts are seen by nobody.
static long try_hide(void) {
  struct sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_unshare, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOENT),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog filter = {4, program};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}
static long try_netlink(void) { return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0); }
static long try_mempolicy(void) { return syscall(SYS_get_mempolicy, NULL, NULL, 0UL, NULL, 0UL); }
static long try_quotactl(void) {
  return syscall(SYS_quotactl, 0x800008, NULL, 0, NULL);
}  // Q_SYNC | USRQUOTA
static long try_novel(void) {
  return syscall(SYS_sched_rr_get_interval, 0, NULL);
}  // harmless, and no program's habit
static long try_mkdir(void) { return mkdir("/box-was-here", 0700); }  // leaves a mark when it runs
static long try_fchmodat2(void) {
  return syscall(SYS_FCHMODAT2, -1, "nowhere", 0600, 0);
}  // EBADF where it runs
static long try_unnamed(void) { return syscall(500); }  // within the tables, and nobody's yet
static long try_beyond(void) { return syscall(600); }
static long try_listxattrat(void) { return syscall(SYS_LISTXATTRAT, -1, "nowhere", 0, NULL, 0UL); }
static long try_raw(void) { return socket(AF_INET, SOCK_RAW, IPPROTO_ICMP); }  // wants CAP_NET_RAW
static long try_nice(void) { return setpriority(PRIO_PROCESS, 0, -1); }        // wants CAP_SYS_NICE
static long try_own(void) { return syscall(SYS_tkill, gettid(), 0); }
static void* wait_there(void* number) {
  *(volatile pid_t*)number = gettid();
  for (;;) pause();
  return NULL;
}
// A signal to another thread of its own, as pthread_kill() of musl sends it.
static long try_sibling(void) {
  static volatile pid_t number;
  pthread_t thread;
  if (pthread_create(&thread, NULL, wait_there, (void*)&number) != 0) return -2;
  while (number == 0) sched_yield();
  return syscall(SYS_tkill, number, 0);
}
// As a shell's `kill $!`, and a server that ends its worker.
static long try_offspring(void) {
  const pid_t child = fork();
  if (child == 0)
    for (;;) pause();
  const long result = syscall(SYS_tkill, child, SIGTERM);
  const int error = errno;
  if (result != 0) kill(child, SIGKILL);
  waitpid(child, NULL, result == 0 ? 0 : WNOHANG);
  errno = error;
  return result;
}
static long try_other(void) { return syscall(SYS_tkill, getppid() + 99, 0); }
static long try_inet(void) { return socket(AF_INET, SOCK_STREAM, 0); }
static const struct sockaddr_in kAnyAddress = {.sin_family = AF_INET};
// As musl's resolver begins: its socket gets an address before it asks.
static long try_resolve(void) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  return fd < 0 ? fd : bind(fd, (const struct sockaddr*)&kAnyAddress, sizeof kAnyAddress);
}
static long try_listen(void) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0 || bind(fd, (const struct sockaddr*)&kAnyAddress, sizeof kAnyAddress) < 0) return -1;
  return listen(fd, 1);
}
static long try_x32(void) { return syscall(0x40000000L | SYS_getpid); }
static long try_unknown(void) { return syscall(1000); }
static long try_int80(void) {
  long result = 20;  // getpid of i386
  __asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
  return result;
}

static const struct attack kAttacks[] = {
    {"unshare", try_unshare},
    {"af_alg", try_af_alg},
    {"packet", try_packet},
    {"vsock", try_vsock},
    {"mount", try_mount},
    {"pivot_root", try_pivot_root},
    {"bpf", try_bpf},
    {"ptrace", try_ptrace},
    {"process_vm", try_process_vm},
    {"io_uring", try_io_uring},
    {"clone-ns", try_clone_ns},
    {"clone3-ns", try_clone3_ns},
    {"setns", try_setns},
    {"keyctl", try_keyctl},
    {"personality", try_personality},
    {"userfaultfd", try_userfaultfd},
    {"perf", try_perf},
    {"module", try_module},
    {"kexec", try_kexec},
    {"handle", try_handle},
    {"stack-filter", try_stack_filter},
    {"set-mm", try_set_mm},
    {"hide", try_hide},
    {"netlink", try_netlink},
    {"mempolicy", try_mempolicy},
    {"quotactl", try_quotactl},
    {"novel", try_novel},
    {"mkdir", try_mkdir},
    {"fchmodat2", try_fchmodat2},
    {"listxattrat", try_listxattrat},
    {"unnamed", try_unnamed},
    {"beyond", try_beyond},
    {"raw", try_raw},
    {"nice", try_nice},
    {"own", try_own},
    {"sibling", try_sibling},
    {"offspring", try_offspring},
    {"other", try_other},
    {"inet", try_inet},
    {"resolve", try_resolve},
    {"listen", try_listen},
    {"x32", try_x32},
    {"unknown", try_unknown},
    {"int80", try_int80},
};

static int attack(const char* name) {
  for (size_t i = 0; i < sizeof kAttacks / sizeof kAttacks[0]; ++i) {
    if (strcmp(kAttacks[i].name, name) != 0) continue;
    errno = 0;
    const long result = kAttacks[i].run();
    dprintf(1, "%s %ld %d\n", name, result, errno);
    return 0;
  }
  dprintf(2, "box: no attack '%s'\n", name);
  return 2;
}

// Sleeps in read() until poked. It forks for each line, so that the violation comes from a process
// of the workload that is not its first one, and so that the watcher itself survives a denied call.
static _Noreturn void watch(const char* fifo) {
  char line[64];
  const int fd =
      open(fifo, O_RDWR | O_CLOEXEC);  // read and write: no end of file when a writer leaves
  if (fd < 0) _exit(1);
  for (;;) {
    const ssize_t n = read(fd, line, sizeof line - 1);
    if (n <= 0) continue;
    line[n] = '\0';
    char* end = strchr(line, '\n');
    if (end != NULL) *end = '\0';
    if (fork() == 0) _exit(strcmp(line, "noop") == 0 ? 0 : attack(line));
  }
}

static int entry(int argc, char** argv) {
  if (argc < 2) return 2;
  if (fork() == 0) watch(argv[0]);
  execv(argv[1], argv + 1);
  dprintf(2, "box: %s: %s\n", argv[1], strerror(errno));
  return 127;
}

static int cat(void) {
  char buffer[4096];
  ssize_t n;
  while ((n = read(0, buffer, sizeof buffer)) > 0)
    if (write(1, buffer, (size_t)n) != n) return 1;
  return n < 0;
}

static int write_bytes(long long count) {
  static char buffer[1 << 16];
  while (count > 0) {
    const size_t chunk = count < (long long)sizeof buffer ? (size_t)count : sizeof buffer;
    const ssize_t n = write(1, buffer, chunk);
    if (n <= 0) return 1;
    count -= n;
  }
  return 0;
}

// The lines of /proc/self/status about what the process may do.
static int status(void) {
  char line[256];
  FILE* file = fopen("/proc/self/status", "r");
  if (file == NULL) return 1;
  while (fgets(line, sizeof line, file) != NULL)
    if (strncmp(line, "Cap", 3) == 0 || strncmp(line, "Seccomp:", 8) == 0 ||
        strncmp(line, "NoNewPrivs", 10) == 0)
      dprintf(1, "%s", line);
  return fclose(file);
}

static int tick(int count) {
  for (int i = 0; count == 0 || i < count; ++i) {
    dprintf(1, "tick %d\n", i);
    poll(NULL, 0, 10);
  }
  return 0;
}

static void on_term(int signal_number) {
  (void)signal_number;
  _exit(42);
}

static int fork_many(int count) {
  for (int i = 0; i < count; ++i)
    if (fork() == 0) _exit(0);
  while (wait(NULL) > 0) continue;
  dprintf(1, "forked %d\n", count);
  return 0;
}

// Children of children whose parents are gone at once: someone else has to wait for them. Says who,
// of the last one.
static int orphans(int count) {
  int ends[2];
  char none;
  if (pipe(ends) != 0) return 1;
  for (int i = 0; i < count; ++i) {
    const pid_t middle = fork();
    if (middle < 0) return 1;
    if (middle == 0) {
      const pid_t self = getpid();
      if (fork() != 0) _exit(0);
      while (i + 1 == count && getppid() == self) poll(NULL, 0, 1);
      if (i + 1 == count)
        dprintf(1, "%d orphans, the last one adopted by %d\n", count, (int)getppid());
      _exit(0);
    }
    waitpid(middle, NULL, 0);
  }
  close(ends[1]);
  return (int)read(ends[0], &none, 1);  // the end of the pipe: all have gone
}

// Each process makes others, for ever.
static _Noreturn void bomb(void) {
  for (;;)
    if (fork() < 0) sched_yield();
}

// count children that stay, then "ready": something to freeze and to kill.
static _Noreturn void crowd(int count) {
  for (int i = 0; i < count; ++i)
    if (fork() == 0)
      for (;;) pause();
  dprintf(1, "ready\n");
  for (;;) pause();
}

// A thread that makes the same harmless call again and again.
static void* repeat(void* call) {
  for (;;) {
    syscall((int)(intptr_t)call, 0, 0, 0);
    poll(NULL, 0, 5);
  }
  return NULL;
}

// A thread for each of some calls, here and in a child; the first threads wait, for ever. Says
// "ready".
static _Noreturn void threads(void) {
  static const int calls[] = {SYS_getppid, SYS_geteuid, SYS_getegid, SYS_getpgrp};
  static const int calls_of_child[] = {SYS_getuid, SYS_getgid, SYS_sched_yield};
  const int child = fork() == 0;
  const int* mine = child ? calls_of_child : calls;
  const size_t count = child ? sizeof calls_of_child / sizeof *mine : sizeof calls / sizeof *mine;
  for (size_t i = 0; i < count; ++i) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, repeat, (void*)(intptr_t)mine[i]) != 0) _exit(1);
  }
  if (!child) dprintf(1, "ready\n");
  for (;;) pause();
}

// What a call that may be asked for costs who makes it: `box rate CALL THREADS MILLISECONDS
// PAUSE_US`. Each thread makes it again and again; the program says how many there were in all, and
// of the first thread's how long they took.
struct rate {
  char call;  // m: mkdir of what is there; p: pwrite64 of a byte
  int first, pause_us;
  uint64_t end_ns, count;
  uint32_t* took_ns;
};
enum { kMostTimed = 1 << 20 };

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static void* make_calls(void* argument) {
  struct rate* rate = argument;
  const int fd = rate->call == 'p' ? open("/rate", O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
  for (uint64_t begin = now_ns(); begin < rate->end_ns; begin = now_ns()) {
    if (rate->call == 'p' ? pwrite(fd, "x", 1, 0) != 1
                          : mkdir("/proc", 0755) == 0 || errno != EEXIST)
      _exit(3);
    if (rate->first && rate->count < kMostTimed)
      rate->took_ns[rate->count] = (uint32_t)(now_ns() - begin);
    ++rate->count;
    if (rate->pause_us > 0) usleep((useconds_t)rate->pause_us);
  }
  return NULL;
}

static int by_size(const void* a, const void* b) {
  const uint32_t x = *(const uint32_t*)a, y = *(const uint32_t*)b;
  return x < y ? -1 : x > y;
}

static int measure_rate(char** argv) {
  enum { kMost = 64 };
  static struct rate rates[kMost];
  static uint32_t took[kMostTimed];
  pthread_t threads[kMost];
  const int count = atoi(argv[1]);
  if (count < 1 || count > kMost) return 2;
  const uint64_t end_ns = now_ns() + (uint64_t)atoi(argv[2]) * 1000000U;
  for (int i = 0; i < count; ++i) {
    rates[i] = (struct rate){argv[0][0], i == 0, atoi(argv[3]), end_ns, 0, took};
    if (pthread_create(&threads[i], NULL, make_calls, &rates[i]) != 0) return 1;
  }
  uint64_t all = 0;
  for (int i = 0; i < count; ++i) {
    pthread_join(threads[i], NULL);
    all += rates[i].count;
  }
  const size_t timed = rates[0].count < kMostTimed ? rates[0].count : kMostTimed;
  qsort(took, timed, sizeof *took, by_size);
  dprintf(1, "calls %llu p50_ns %u p99_ns %u\n", (unsigned long long)all, took[timed / 2],
          took[timed - 1 - timed / 100]);
  return 0;
}

// Becomes another program in a child, once the first process has ended and was reaped: what a
// session leaves behind.
static int orphan(char** argv) {
  const pid_t first = getpid();
  if (fork() != 0) return 0;
  while (kill(first, 0) == 0) poll(NULL, 0, 5);  // a zombie can still be signalled
  execv(argv[0], argv);
  dprintf(1, "execv -1 %d\n", errno);
  return 127;
}

// Tries each attack in a child of its own and says by which signal it ended, 0 for none.
static int child_attacks(int argc, char** argv) {
  for (int i = 0; i < argc; ++i) {
    int status = 0;
    const pid_t child = fork();
    if (child == 0) _exit(attack(argv[i]));
    if (child < 0 || waitpid(child, &status, 0) != child) return 1;
    dprintf(1, "%s ended by %d\n", argv[i], WIFSIGNALED(status) ? WTERMSIG(status) : 0);
  }
  return 0;
}

// Touches so many MiB of memory, one after the other.
static int eat(int mebibytes) {
  for (int i = 0; i < mebibytes; ++i) {
    char* memory = malloc(1 << 20);
    if (memory == NULL) return 3;
    memset(memory, i + 1, 1 << 20);
    __asm__ volatile("" : : "r"(memory) : "memory");
  }
  dprintf(1, "ate %d\n", mebibytes);
  return 0;
}

// The size of its terminal, now and whenever it changes.
static _Noreturn void size(void) {
  sigset_t changes;
  sigemptyset(&changes);
  sigaddset(&changes, SIGWINCH);
  sigprocmask(SIG_BLOCK, &changes, NULL);
  for (;;) {
    struct winsize now = {0};
    ioctl(0, TIOCGWINSZ, &now);
    dprintf(1, "%d columns, %d rows\n", now.ws_col, now.ws_row);
    sigwaitinfo(&changes, NULL);
  }
}

// Looks for the runtime's init of an exec session, as long as it is one, and opens its memory for
// writing. Says what came of it for each that it met, and ends once so many were met.
static int hunt(int count) {
  char path[64], name[16];
  int last = 0;
  dprintf(1, "ready\n");
  for (int met = 0, pid = getpid() + 1; met < count;
       pid = pid < getpid() + 400 ? pid + 1 : getpid() + 1) {
    snprintf(path, sizeof path, "/proc/%d/comm", pid);
    const int comm = open(path, O_RDONLY | O_CLOEXEC);
    if (comm < 0) continue;
    const ssize_t n = read(comm, name, sizeof name);
    close(comm);
    if (n < 5 || memcmp(name, "runc:", 5) != 0 || pid == last) continue;
    last = pid;
    snprintf(path, sizeof path, "/proc/%d/mem", pid);
    const int memory = open(path, O_RDWR | O_CLOEXEC);
    const int error = errno;
    // Gone, or its program runs by now: it was met too late to tell.
    if (memory < 0 && error == ENOENT) continue;
    ++met;
    dprintf(1, memory < 0 ? "init refused %d\n" : "init opened\n", error);
    if (memory >= 0) close(memory);
  }
  return 0;
}

static int flood(int count) {
  for (int i = 0; i < count; ++i) syscall(SYS_unshare, CLONE_NEWNS);
  dprintf(1, "flooded %d\n", count);
  return 0;
}

// One call outside the profile: always the same one, one with another argument each time, and one
// of another kind.
static long offer_one(uint64_t number) {
  if (number % 3 == 0) return try_novel();
  if (number % 3 == 1) return syscall(SYS_personality, number);
  return socket(AF_ALG, SOCK_SEQPACKET, (int)(number % 7));
}

// What `usurp` makes another process do: the attack, and its end.
static _Noreturn void act(const char* name) { _exit(attack(name)); }

// The address at which a `box tick` goes on that waits in poll(); 0 for every other process.
static uint64_t find_ticking(int pid) {
  char path[64], text[256];
  snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n < 10 || memcmp(text, "/box\0tick", 10) != 0) return 0;
  snprintf(path, sizeof path, "/proc/%d/syscall", pid);
  fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  n = read(fd, text, sizeof text - 1);
  close(fd);
  text[n > 0 ? n : 0] = '\0';
  const char* address = strrchr(text, ' ');
  return strtol(text, NULL, 10) == SYS_poll && address != NULL ? strtoull(address, NULL, 16) : 0;
}

// mov rdi, NAME; mov rax, act; and rsp, -16; call rax. Both programs are this one, at the same
// addresses; /proc/PID/mem writes where the program itself may not.
static int write_call_of_act(int pid, uint64_t where, const char* name) {
  unsigned char code[26] = {0x48,        0xbf,        [10] = 0x48, [11] = 0xb8, [20] = 0x48,
                            [21] = 0x83, [22] = 0xe4, [23] = 0xf0, [24] = 0xff, [25] = 0xd0};
  void (*const function)(const char*) = act;
  memcpy(code + 2, &name, sizeof name);
  memcpy(code + 12, &function, sizeof function);
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/mem", pid);
  const int memory = open(path, O_RDWR | O_CLOEXEC);
  if (memory < 0) return -1;
  const ssize_t n =
      lseek(memory, (off_t)where, SEEK_SET) < 0 ? -1 : write(memory, code, sizeof code);
  close(memory);
  return n == (ssize_t)sizeof code ? 0 : -1;
}

// Waits for a `box tick` of somebody else and makes it try the attack in its own place.
static int usurp(const char* wanted) {
  const char* name = NULL;
  for (size_t i = 0; i < sizeof kAttacks / sizeof kAttacks[0]; ++i)
    if (strcmp(kAttacks[i].name, wanted) == 0) name = kAttacks[i].name;
  if (name == NULL) return 2;
  for (int pid = 1;; pid = pid < 400 ? pid + 1 : 1) {
    const uint64_t where = find_ticking(pid);
    if (where != 0 && write_call_of_act(pid, where, name) == 0) break;
    if (pid == 400) poll(NULL, 0, 1);
  }
  for (;;) pause();
}

// Makes such calls for as long as the page in FILE asks for more, and counts in it what came back.
static int offer(const char* file) {
  const int fd = open(file, O_RDWR | O_CLOEXEC);
  volatile struct offers* page =
      mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (page == MAP_FAILED) return 1;
  while (page->unheard == 0) {
    if (page->begun >= page->wanted) {
      poll(NULL, 0, 1);
      continue;
    }
    const uint64_t number = page->begun;
    page->begun = number + 1;
    if (offer_one(number) != -1)
      ++page->ran;
    else if (errno == EPERM)
      ++page->denied;
    else if (errno == ENOSYS)
      ++page->unheard;
    else
      ++page->ran;
  }
  for (;;) pause();
}

int main(int argc, char** argv) {
  const char* verb = argc > 1 ? argv[1] : "";
  const int number = argc > 2 ? atoi(argv[2]) : 0;
  if (strcmp(verb, "entry") == 0) return entry(argc - 2, argv + 2);
  if (strcmp(verb, "true") == 0) return 0;
  if (strcmp(verb, "exit") == 0) return number;
  if (strcmp(verb, "cat") == 0) return cat();
  if (strcmp(verb, "ask") == 0) {
    dprintf(1, "ready\n");
    return cat();
  }
  if (strcmp(verb, "status") == 0) return status();
  if (strcmp(verb, "tick") == 0) return tick(number);
  if (strcmp(verb, "fork") == 0) return fork_many(number);
  if (strcmp(verb, "orphans") == 0) return orphans(number);
  if (strcmp(verb, "bomb") == 0) bomb();
  if (strcmp(verb, "crowd") == 0) crowd(number);
  if (strcmp(verb, "threads") == 0) threads();
  if (strcmp(verb, "eat") == 0) return eat(number);
  if (strcmp(verb, "orphan") == 0 && argc > 2) return orphan(argv + 2);
  if (strcmp(verb, "flood") == 0) return flood(number);
  if (strcmp(verb, "hunt") == 0) return hunt(number);
  if (strcmp(verb, "offer") == 0 && argc > 2) return offer(argv[2]);
  if (strcmp(verb, "usurp") == 0 && argc > 2) return usurp(argv[2]);
  if (strcmp(verb, "rate") == 0 && argc > 5) return measure_rate(argv + 2);
  if (strcmp(verb, "spin") == 0)
    for (;;) continue;
  if (strcmp(verb, "wait") == 0) {  // says ready, ends with 42 at SIGTERM
    signal(SIGTERM, on_term);
    dprintf(1, "ready\n");
    for (;;) pause();
  }
  if (strcmp(verb, "crash") == 0) __builtin_trap();
  if (strcmp(verb, "holder") ==
      0) {  // a grandchild keeps stdout open after the first process has gone
    dprintf(1, "held\n");
    if (fork() == 0)
      for (;;) pause();
    return 0;
  }
  if (strcmp(verb, "tty") == 0) {
    dprintf(1, "%s\n", isatty(0) && isatty(1) ? "terminal" : "no terminal");
    return 0;
  }
  if (strcmp(verb, "size") == 0) size();
  if (strcmp(verb, "write") == 0) return write_bytes(argc > 2 ? strtoll(argv[2], NULL, 10) : 0);
  if (strcmp(verb, "echo") == 0) {
    for (int i = 2; i < argc; ++i) dprintf(1, i + 1 < argc ? "%s " : "%s\n", argv[i]);
    return 0;
  }
  if (strcmp(verb, "err") == 0) {
    dprintf(1, "to stdout\n");
    dprintf(2, "to stderr\n");
    return 0;
  }
  if (strcmp(verb, "child") == 0) return child_attacks(argc - 2, argv + 2);
  if (strcmp(verb, "attack") == 0) {
    int result = 0;
    for (int i = 2; i < argc; ++i) result |= attack(argv[i]);
    return result;
  }
  dprintf(2,
          "usage: box entry FIFO PROGRAM... | attack NAME... | child NAME... | true exit cat ask "
          "write echo err status "
          "tick fork "
          "orphans bomb "
          "crowd eat flood hunt spin wait "
          "crash holder tty size [N] | orphan PROGRAM... | offer FILE | usurp NAME | "
          "rate CALL THREADS MILLISECONDS PAUSE_US\n");
  return 2;
}
