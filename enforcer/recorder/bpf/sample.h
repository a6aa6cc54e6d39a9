/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What a sampled window (sample.bpf.c) is told and writes: plain structs of fixed sizes,
 * included by both sides. Nothing of it is pinned, so no older version ever meets it. */
#pragma once

#ifndef __bpf__
#include <linux/types.h>
#endif

enum {
  WARD_SAMPLED_NRS = 512,         /* native numbers; no profile lists one above */
  WARD_SAMPLED_CONTAINERS = 4096, /* in one window */
  WARD_SAMPLED_SETS = 256,        /* likewise; containers of one profile share theirs */
  WARD_SAMPLED_CALLS = 8192,      /* different ones in one window */
  WARD_SAMPLED_PER_SET = 512,     /* of these, so that no profile's containers take all places */
  WARD_SAMPLED_WAYS = 16,         /* of these, of one number and origin */
};

/* sampled: the container of a tag (watch_maps.h) -> what is looked for in it. */
struct ward_sampled {
  __u32 set;
  __u32 window;
};

/* sets: bit by number, of the workload and of exec sessions; and what is taken of its places. */
struct ward_sample_set {
  __u64 wanted[2][WARD_SAMPLED_NRS / 64];
  __u8 ways[2][WARD_SAMPLED_NRS];
  __u32 calls;
  __u32 dropped; /* calls without a place */
};

/* Calls that agree in these bits of their arguments are one. */
struct ward_sample_bits {
  __u64 of[6];
};

struct ward_sample_key {
  __u32 window;
  __u16 set;
  __u16 nr_exec; /* the number, and 0x8000 for an exec session */
  __u64 way;     /* a hash of the arguments under ward_sample_bits */
};

/* The first one is described. */
struct ward_sample {
  __u64 count;
  __u64 container;
  __u64 start_ns; /* of the thread group, since boot */
  __u64 args[6];
  __u32 pid; /* thread group, in the first pid namespace */
  __u32 tid;
  char comm[16];
};
