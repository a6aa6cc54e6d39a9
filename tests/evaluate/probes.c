// SPDX-License-Identifier: Apache-2.0
// The first system calls of public exploits and of what intruders do afterwards, each once, as the
// program of a container: "NAME NUMBER ARG0..ARG5 RESULT ERRNO" for each. What is let run does no
// harm: descriptors are -1, paths lead nowhere, children end at once. Static, so that the image
// matters as little as it can.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct probe {
  const char* name;
  const char* why;
  long number;
  uintptr_t args[6];
};

#define P(pointer) ((uintptr_t)(pointer))
#define NOFD ((uintptr_t)-1)
static const char kNowhere[] = "/nowhere/to/be/found";
static char page[4096] __attribute__((aligned(4096)));
// AF_INET, port 4444, 127.0.0.1: where nobody listens.
static const unsigned char kPeer[16] = {2, 0, 0x11, 0x5c, 127, 0, 0, 1};

static const struct probe kProbes[] = {
    // Ways to more privileges in the kernel.
    {"unshare-user",
     "CVE-2022-0185, CVE-2023-0386: a user namespace",
     SYS_unshare,
     {CLONE_NEWUSER}},
    {"unshare-net",
     "CVE-2024-1086: a network to configure",
     SYS_unshare,
     {CLONE_NEWUSER | CLONE_NEWNET}},
    {"unshare-mount", "a mount namespace for what follows", SYS_unshare, {CLONE_NEWNS}},
    {"clone-user", "the same by clone", SYS_clone, {CLONE_NEWUSER | SIGCHLD}},
    {"setns", "into the namespaces of the host", SYS_setns, {NOFD, CLONE_NEWNS}},
    {"mount-cgroup",
     "CVE-2022-0492: release_agent",
     SYS_mount,
     {P("cgroup"), P(kNowhere), P("cgroup"), 0, P("memory")}},
    {"mount-bind", "files of the host", SYS_mount, {P("/"), P(kNowhere), 0, MS_BIND}},
    {"umount", "what hides /proc from a container", SYS_umount2, {P(kNowhere), MNT_DETACH}},
    {"pivot-root", "another root", SYS_pivot_root, {P(kNowhere), P(kNowhere)}},
    {"fsopen", "CVE-2022-0185: the configuration of a mount", SYS_fsopen, {P("ext4")}},
    {"fsconfig", "CVE-2022-0185: its overflow", SYS_fsconfig, {NOFD, 1, P("a"), P("b")}},
    {"open-tree", "a detached mount", SYS_open_tree, {NOFD, P(kNowhere), 1}},
    {"move-mount", "and put over a file", SYS_move_mount, {NOFD, P(kNowhere), NOFD, P(kNowhere)}},
    {"mount-setattr",
     "read-only no longer",
     SYS_mount_setattr,
     {NOFD, P(kNowhere), 0, P(page), 32}},
    {"bpf", "CVE-2021-3490, CVE-2020-8835: the verifier", SYS_bpf, {5, P(page), 128}},
    {"perf", "CVE-2013-2094, CVE-2022-1729", SYS_perf_event_open, {P(page), 0, NOFD, NOFD}},
    {"userfaultfd", "stops the kernel in the middle of a copy", SYS_userfaultfd, {0}},
    {"io-uring", "CVE-2022-2602, CVE-2023-2598", SYS_io_uring_setup, {8, P(page)}},
    {"io-uring-register", "CVE-2023-2598: fixed buffers", SYS_io_uring_register, {NOFD, 0}},
    {"add-key", "CVE-2016-0728: keyrings", SYS_add_key, {P("user"), P("a"), P(page), 1, NOFD - 1}},
    {"keyctl", "CVE-2016-0728: joins a session", SYS_keyctl, {1, 0}},
    {"request-key", "CVE-2017-15299", SYS_request_key, {P("user"), P("a"), 0, 0}},
    {"modify-ldt", "CVE-2015-5157: segments", SYS_modify_ldt, {0, P(page), 16}},
    {"move-pages", "CVE-2022-2590's kin: where pages are", SYS_move_pages, {0, 0}},
    {"mbind", "CVE-2016-3070's kin: where pages go", SYS_mbind, {0, 0}},
    {"af-alg", "CVE-2019-8912: cryptography", SYS_socket, {AF_ALG, SOCK_SEQPACKET}},
    {"af-packet", "CVE-2017-7308, CVE-2020-14386", SYS_socket, {AF_PACKET, SOCK_RAW, 0x300}},
    {"netfilter",
     "CVE-2022-1015, CVE-2024-1086: nf_tables",
     SYS_socket,
     {AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER}},
    {"xfrm", "CVE-2017-16939", SYS_socket, {AF_NETLINK, SOCK_RAW, NETLINK_XFRM}},
    {"vsock", "CVE-2021-26708, CVE-2025-21756", SYS_socket, {AF_VSOCK, SOCK_STREAM}},
    {"raw", "CVE-2017-17712; forged packets", SYS_socket, {AF_INET, SOCK_RAW, 1}},
    {"tipc", "CVE-2022-0435", SYS_socket, {30, SOCK_SEQPACKET}},
    {"bluetooth", "CVE-2020-12351", SYS_socket, {31, SOCK_SEQPACKET}},
    {"dccp", "CVE-2017-6074", SYS_socket, {AF_INET6, 6}},
    {"splice", "CVE-2022-0847 (dirty pipe)", SYS_splice, {NOFD, 0, NOFD, 0, 1}},
    {"vmsplice", "CVE-2008-0600; dirty pipe's kin", SYS_vmsplice, {NOFD, P(page), 0}},
    {"msgget", "CVE-2021-22555: messages to lay over freed memory", SYS_msgget, {IPC_PRIVATE}},
    {"semget", "CVE-2018-1000028's kin: arrays in kernel memory", SYS_semget, {IPC_PRIVATE, 0}},
    {"setxattr",
     "CVE-2021-3493; memory of a chosen size",
     SYS_setxattr,
     {P(kNowhere), P("user.a"), P(page), 64}},
    {"waitid", "CVE-2017-5123", SYS_waitid, {0, 0, 0, 4}},
    {"madvise", "CVE-2016-5195 (dirty cow)", SYS_madvise, {P(page), 4096, MADV_NORMAL}},
    {"self-mem",
     "CVE-2016-5195 (dirty cow): the other half",
     SYS_openat,
     {(uintptr_t)AT_FDCWD, P("/proc/self/mem"), O_RDWR}},
    {"recvmmsg", "CVE-2014-0038", SYS_recvmmsg, {NOFD}},
    {"timerfd", "objects of a known size", SYS_timerfd_create, {9999}},
    // Ways out of the container, and over the machine.
    {"ptrace", "another process's registers", SYS_ptrace, {PTRACE_ATTACH, 0x7fffffff}},
    {"vm-write", "another process's memory", SYS_process_vm_writev, {0x7fffffff}},
    {"vm-read", "secrets in it", SYS_process_vm_readv, {0x7fffffff}},
    {"by-handle",
     "shocker: files of the host by number",
     SYS_open_by_handle_at,
     {NOFD, P(page), 0}},
    {"to-handle",
     "shocker: the first half",
     SYS_name_to_handle_at,
     {(uintptr_t)AT_FDCWD, P(kNowhere), P(page), P(page)}},
    {"init-module", "a rootkit", SYS_init_module, {0, 0, P("")}},
    {"finit-module", "the same from a file", SYS_finit_module, {NOFD, P(""), 0}},
    {"kexec", "another kernel", SYS_kexec_load, {0, 0, 0, 0}},
    {"chroot", "the double chroot", SYS_chroot, {P(kNowhere)}},
    {"mknod",
     "a disk of the host",
     SYS_mknodat,
     {(uintptr_t)AT_FDCWD, P(kNowhere), S_IFBLK | 0600, 0x800}},
    {"reboot", "the machine", SYS_reboot, {0}},
    {"swapon", "a device as memory", SYS_swapon, {P(kNowhere)}},
    {"syslog", "addresses of the kernel", SYS_syslog, {3, P(page), 100}},
    {"iopl", "ports", SYS_iopl, {3}},
    {"settime", "the machine's clock", SYS_clock_settime, {0, 0}},
    {"sethostname", "the name", SYS_sethostname, {P("a"), 1}},
    {"fanotify", "what others open", SYS_fanotify_init, {0, 0}},
    {"pidfd-getfd", "another process's descriptors", SYS_pidfd_getfd, {NOFD, 0, 0}},
    {"kcmp", "what processes share", SYS_kcmp, {1, 1, 0, 0, 0}},
    {"tiocsti", "words into somebody's terminal", SYS_ioctl, {NOFD, TIOCSTI, P("a")}},
    // What an intruder does next.
    {"personality", "no random addresses", SYS_personality, {ADDR_NO_RANDOMIZE}},
    {"set-mm",
     "another name in the list of processes",
     SYS_prctl,
     {PR_SET_MM, PR_SET_MM_ARG_START}},
    {"seccomp", "a filter of its own", SYS_seccomp, {1, 0, P(page)}},
    {"shell", "a program", SYS_execve, {P(kNowhere), 0, 0}},
    {"execveat", "a program without a file", SYS_execveat, {NOFD, P(""), 0, 0, AT_EMPTY_PATH}},
    {"memfd", "where that program lies", SYS_memfd_create, {P("a"), 0}},
    {"fork", "a process that stays", SYS_clone, {SIGCHLD}},
    {"write-execute",
     "code from outside",
     SYS_mmap,
     {0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, NOFD, 0}},
    {"make-executable",
     "the same in two steps",
     SYS_mprotect,
     {P(page), 4096, PROT_READ | PROT_WRITE | PROT_EXEC}},
    {"client", "a socket", SYS_socket, {AF_INET, SOCK_STREAM}},
    {"connect", "to its master: a reverse shell", SYS_connect, {NOFD, P(kPeer), 16}},
    {"bind", "waits for its master: a port", SYS_bind, {NOFD, P(kPeer), 16}},
    {"listen", "waits for its master: and a queue", SYS_listen, {NOFD, 1}},
    {"setuid", "root again", SYS_setuid, {0}},
    {"setresuid", "root again", SYS_setresuid, {0, 0, 0}},
    {"capset", "capabilities again", SYS_capset, {0, 0}},
    {"kill-others", "ends what is in its way", SYS_kill, {0x7fffffff, SIGKILL}},
    {"shmget", "memory between processes", SYS_shmget, {IPC_PRIVATE, 4096, 0600}},
    {"shadow", "passwords", SYS_openat, {(uintptr_t)AT_FDCWD, P("/etc/shadow"), O_RDONLY}},
    {"environ",
     "secrets of the first process",
     SYS_openat,
     {(uintptr_t)AT_FDCWD, P("/proc/1/environ"), O_RDONLY}},
    {"cron",
     "comes back after the next start",
     SYS_openat,
     {(uintptr_t)AT_FDCWD, P("/nowhere/cron.d/x"), O_WRONLY | O_CREAT, 0600}},
    {"set-user-id",
     "a door for later",
     SYS_fchmodat,
     {(uintptr_t)AT_FDCWD, P(kNowhere), S_ISUID | 0755}},
    {"unlink", "removes its traces", SYS_unlink, {P(kNowhere)}},
};

int main(int argc, char** argv) {
  (void)argv;
  for (size_t i = 0; i < sizeof kProbes / sizeof kProbes[0]; ++i) {
    const struct probe* p = &kProbes[i];
    if (argc > 1) {  // only what there is
      dprintf(1, "%s %s\n", p->name, p->why);
      continue;
    }
    const uintptr_t* a = p->args;
    errno = 0;
    const long result = syscall(p->number, a[0], a[1], a[2], a[3], a[4], a[5]);
    const int error = errno;
    if (result == 0 && p->number == SYS_clone) _exit(0);
    dprintf(1, "%s %ld %lu %lu %lu %lu %lu %lu %ld %d\n", p->name, p->number, a[0], a[1], a[2],
            a[3], a[4], a[5], result, error);
  }
  return 0;
}
