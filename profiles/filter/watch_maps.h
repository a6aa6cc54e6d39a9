/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What the shim, wardd and wardd's watching BPF programs (enforcer/recorder/bpf/watch.bpf.c) tell
 * each other through pinned maps: plain structs of fixed sizes. The shim writes `inits` and
 * `watched` before it lets a container's program begin, so that no start waits for wardd; the
 * programs write `seen`. A change here is another layout. */
#pragma once

#ifndef __bpf__
#include <linux/types.h>
#endif

enum {
  WARD_WATCH_INITS = 4096,
  WARD_WATCH_CONTAINERS = 16384,
  WARD_WATCH_RING_BYTES = 1 << 18,

  WARD_SEEN_DEATH = 1,      /* a process was ended by SIGSYS */
  WARD_SEEN_CAPABILITY = 2, /* the first use of one by a container */
  WARD_SEEN_GAIN =
      3, /* the first time that a program gave its process privileges (set-user-ID, of its file) */

  WARD_SEEN_DENIED = 4, /* the first time that a container asked for one that enforce has cut */

  WARD_GAIN_BY = 0x40000000,
  WARD_DENIED_BY = 0x20000000,

  WARD_NATIVE = 0,
  WARD_FOREIGN_32 = 1, /* int 0x80, or the entry of 32-bit programs */
  WARD_FOREIGN_X32 = 2,
};

/* inits: thread group of a runtime's init, under the filter and before its execve -> whose it is.
 */
struct ward_watch_init {
  __u64 container;
  __u64 start_ticks;  /* of its thread group: a number is given away again */
  __u64 capabilities; /* bit by number: what enforce would have cut */
  __u64 cut;          /* likewise: what it has cut */
  __u32 exec;         /* 1: an exec session */
  __u32 gains;        /* 1: enforce would have set no_new_privs */
};

/* watched: container -> who that is. */
struct ward_watched {
  char containerd_namespace[80];
  char container_id[128];
  char profile[64];
  char digest[72];
};

/* In the storage of each task of a watched container, once its program runs; inherited. */
struct ward_watch_tag {
  __u64 container;
  __u64 capabilities;
  __u64 cut;
  __u32 exec;
  __u32 user_ns; /* the container's: grants in namespaces of the program's making are not its own */
  __u32 gains;
  __u32 unused;
};

struct ward_seen {
  __u64 container;
  __u64 at_ns;    /* CLOCK_MONOTONIC */
  __u64 start_ns; /* of the thread group, since boot */
  __u32 kind;
  __u32 exec;
  __u32 pid; /* thread group, in the first pid namespace */
  __u32 abi; /* of a death: of the call that one of its threads died in */
  __s32 nr;  /* that call's number in its ABI; -1: not known */
  __s32 capability;
  char comm[16];
};

struct ward_use {
  __u64 container;
  /* or WARD_GAIN_BY, with the low bits of the program's inode; with WARD_DENIED_BY one that is cut
   */
  __u32 capability;
  __u32 exec;
};

struct ward_offence {
  __u32 abi;
  __s32 nr;
};
