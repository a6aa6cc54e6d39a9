/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What the BPF programs write and the recorder reads: plain structs with fixed sizes, included by
 * both sides. Times are CLOCK_MONOTONIC. A change here is another layout: recordings pinned by an
 * older wardd are then dropped aloud. */
#pragma once

#ifndef __bpf__
#include <linux/types.h>
#endif

enum {
  WARD_RUNS = 256,
  WARD_RUN_ID_BYTES = 128,
  WARD_NRS = 512, /* native numbers; what is above is counted as unknown */
  WARD_CAPS = 64,
  WARD_SETS = 32,          /* watched (syscall, argument) pairs */
  WARD_SET_VALUES = 32,    /* distinct values kept of each */
  WARD_WATCHED_ARGS = 3,   /* watched arguments of one syscall, at most */
  WARD_REFUSED_VALUES = 2, /* origin + this: the values of refused calls */
  WARD_PROGRAMS = 64,
  WARD_PROGRAM_BYTES = 112,
  WARD_SIGNALS_OUTSIDE =
      32, /* kinds of signals kept that came from outside, which no container may crowd out */
  WARD_SIGNALS_WITHIN = 64, /* and of all others */
  WARD_SIGNALS = WARD_SIGNALS_OUTSIDE + WARD_SIGNALS_WITHIN,

  /* Who sent a signal. */
  WARD_FROM_OUTSIDE = 0, /* a process that is not of the container */
  WARD_FROM_WORKLOAD = 1,
  WARD_FROM_EXEC = 2,
  WARD_FROM_KERNEL = 3, /* the end of a child, a timer, a terminal, a fault, too little memory */

  /* To whom. */
  WARD_TO_FIRST = 0, /* the process whose end is the container's */
  WARD_TO_OTHER = 1,
  WARD_TO_EXEC = 2,

  /* Which table an event of a task belongs to. */
  WARD_BANK_WORKLOAD = 0,
  WARD_BANK_EXEC = 1,
  WARD_BANK_RUNTIME_WORKLOAD = 2, /* under the filter, before the container's own program */
  WARD_BANK_RUNTIME_EXEC = 3,
  WARD_BANK_REFUSED_WORKLOAD =
      4, /* tried by the container's own program, and refused by a filter */
  WARD_BANK_REFUSED_EXEC = 5,
  WARD_BANKS = 6,

  /* A run has so many cells: one per bank and number, one per origin and capability, one for any
     call. */
  WARD_FIRST_CAP = WARD_BANKS * WARD_NRS, /* + origin * WARD_CAPS + capability */
  WARD_ANY_CALL = WARD_FIRST_CAP +
                  2 * WARD_CAPS, /* any call of the workload: its windows are those with activity */
  WARD_CELLS = WARD_ANY_CALL + 1,
};

/* In the task-local storage of every task of a run. */
struct ward_tag {
  __u32 slot;
  __u32 generation; /* of the slot: a task that outlived its run must not write into the next one */
  __u32 base_filters; /* seccomp filters of the runtime process when it was tagged; more: the
                         container's is in force */
  __u32 user_ns; /* the container's: grants in user namespaces of the program's making are not its
                    capabilities */
  __u32 exec;    /* 1: an exec session */
  __u32 program; /* 1: the runtime has handed over to the container's own program */
  __u32 in_call; /* 1: the task entered a call, so no filter refused it, and has not come back from
                    it */
  __u32 first;   /* 1: a thread of the process that the runtime handed over to */
  __u32 joined;  /* 1: of a container that ran when its recording began, perhaps without a filter:
                    all  its calls count */
  __u32 named;   /* 1 + the place of its program in ward_shared.programs; 0: it has none */
};

struct ward_run {
  __u64 generation; /* 0: the slot is free */
  __u64 begun_ns;
  __s64 begun_wall_ns;
  __u64 program_ns; /* first exec of the container's own program; 0: not yet */
  __u64 lost;       /* tasks that could not be tagged, events without a place */
  __u64 foreign;    /* calls through another ABI */
  __u64 unknown;    /* native numbers >= WARD_NRS */
  __u64 exec_sessions;
  __u64 handled;     /* bit n - 1: the first process has or had a handler for signal n */
  __u64 exit_ns;     /* end of the first process; 0: not yet */
  __u64 exit_status; /* as wait(2) tells it */
  __u64 signals_overflowed;
  __u64 programs_overflowed;
  __u64 joined;          /* 1: the container ran when the recording began */
  __u64 pid_ns;          /* then: the inode of its pid namespace ... */
  __u64 pid_level;       /* ... and how deep that lies */
  __u64 misses_at_begin; /* of all programs, see bpf_prog_info.recursion_misses */
  char id[WARD_RUN_ID_BYTES];
};

/* One per CPU and cell: all that most events touch. */
struct ward_count {
  __u64 count;
  __u64 tick;          /* jiffies of the last event */
  __u64 last_ns;       /* to a tick */
  __u64 window_end_ns; /* before it, this CPU has nothing new to say about the cell but its count */
};

/* Shared by the CPUs, written once per CPU, cell and fine window. */
struct ward_mark {
  __u64 first_ns;
  __u32 fine_window; /* 1 + index of the last window it was seen in */
  __u32 fine_seen;   /* in so many windows */
  __u32 coarse_window;
  __u32 coarse_seen;
};

/* Filled from the front with cmpxchg, never emptied. Values are stored XOR WARD_VALUE_KEY, so that
 * 0 means free. */
struct ward_values {
  __u64 overflowed;
  __u64 stored[WARD_SET_VALUES];
};
#define WARD_VALUE_KEY 0x9e3779b97f4a7c15ULL

struct ward_program {
  __u64 key;     /* hash of the name; 0: free */
  __u64 foreign; /* its calls through another ABI */
  char name[WARD_PROGRAM_BYTES];
};

/* One kind: a number, a receiver and a sender. */
struct ward_signal {
  __u64 key; /* WARD_SIGNAL_KEY; 0: free */
  __u64 delivered;
  __u64 ignored; /* or without room in the receiver's queue */
  __u64 last_ns; /* when one was last delivered */
};
#define WARD_SIGNAL_KEY(number, to, from) ((__u64)(number) | (__u64)(to) << 8 | (__u64)(from) << 16)

struct ward_shared {
  struct ward_mark marks[WARD_CELLS];
  /* By origin, of calls that ran and then of those that were refused; the runtime layer's are
   * nobody's business. */
  struct ward_values values[2 * WARD_REFUSED_VALUES][WARD_SETS];
  struct ward_values tuples[2 * WARD_REFUSED_VALUES]; /* likewise, of the one call that has any */
  struct ward_program programs[WARD_PROGRAMS];
  struct ward_values unknown;               /* numbers >= WARD_NRS, refused or not */
  struct ward_signal signals[WARD_SIGNALS]; /* those from outside come first */
};

struct ward_cpu {
  struct ward_count counts[WARD_CELLS];
};

/* A run's tables are one array of these, so that a run comes and goes with one map: first the
 * shared one, then each CPU's. No per-CPU map: two lookups that the kernel turns into instructions
 * are cheaper than one that it calls. */
union ward_table {
  struct ward_shared shared;
  struct ward_cpu cpu;
};
enum { WARD_SHARED_TABLE = 0, WARD_FIRST_CPU_TABLE = 1 };

/* Which arguments of one syscall are watched, and in which set each goes. */
struct ward_watch {
  __u8 count;
  __u8 index[WARD_WATCHED_ARGS];
  __u8 set[WARD_WATCHED_ARGS];
  __u8 tuple; /* 1: the first three arguments are also kept together, packed: see WARD_TUPLE */
};

/* Family, type and protocol of a socket in one number. What does not fit makes the set overflow. */
#define WARD_TUPLE_FITS(a, b, c) (!((a) >> 16) && !((b) >> 24) && !((c) >> 24))
#define WARD_TUPLE(a, b, c) ((__u64)(a) << 48 | (__u64)(b) << 24 | (__u64)(c))
