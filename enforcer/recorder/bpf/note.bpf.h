// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// The tables of a run, and how an event of a task gets into them: for the programs that record and
// for the one that takes in what runs already. Behind vmlinux.h and the helpers.
#pragma once

#include "record.h"
#include "task.bpf.h"

#define SIGNALS 64  // _NSIG
#define MAX_PID_NS_LEVEL 32

// Set by the loader; see WatchedArgument and the windows of profiles/learn/observation.h.
const volatile struct ward_watch watches[WARD_NRS];
const volatile __u64 fine_window_ns = 1;
const volatile __u64 coarse_window_ns = 1;

struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct ward_tag);
} tags SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, WARD_RUNS);
  __type(key, __u32);
  __type(value, struct ward_run);
} runs SEC(".maps");

struct tables_of_run {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, WARD_FIRST_CPU_TABLE);  // and the loader adds the CPUs
  __uint(key_size, sizeof(__u32));
  __uint(value_size, sizeof(union ward_table));
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, WARD_RUNS);
  __type(key, __u32);
  __array(values, struct tables_of_run);
} tables SEC(".maps");

static __always_inline struct ward_tag* tag_of(struct task_struct* task) {
  if (!task->bpf_storage) return 0;  // most of the machine: no helper call for it
  return bpf_task_storage_get(&tags, task, 0, 0);
}

static __always_inline struct ward_run* run_of(const struct ward_tag* tag) {
  __u32 slot = tag->slot;
  struct ward_run* run = bpf_map_lookup_elem(&runs, &slot);
  return run && run->generation == tag->generation ? run : 0;
}

static __always_inline union ward_table* table_of(__u32 slot, __u32 number) {
  void* inner = bpf_map_lookup_elem(&tables, &slot);
  return inner ? bpf_map_lookup_elem(inner, &number) : 0;
}

static __always_inline struct ward_shared* shared_of(__u32 slot) {
  union ward_table* table = table_of(slot, WARD_SHARED_TABLE);
  return table ? &table->shared : 0;
}

// The number that a task has in the pid namespace of a container that was joined; 0: it is outside.
static __always_inline __u32 number_within(struct task_struct* task, const struct ward_run* run) {
  struct pid* pid = BPF_CORE_READ(task, thread_pid);
  __u32 level = run->pid_level;
  // A dead task has none. As a number: see note_handler().
  if (!pid || level > MAX_PID_NS_LEVEL || BPF_CORE_READ(pid, level) < level) return 0;
  const char* numbers = (const char*)pid + bpf_core_field_offset(struct pid, numbers);
  struct upid number = {};
  if (bpf_core_read(&number, sizeof(number), numbers + level * bpf_core_type_size(struct upid)))
    return 0;
  return BPF_CORE_READ(number.ns, ns.inum) == run->pid_ns ? number.nr : 0;
}

static __always_inline void note_window(__u32* last, __u32* seen, __u32 window) {
  __u32 before = *last;
  // Forward only, and one winner: two CPUs in the same window count it once.
  if (before < window && __sync_val_compare_and_swap(last, before, window) == before)
    __sync_fetch_and_add(seen, 1);
}

static __always_inline void note_mark(struct ward_mark* mark, __u64 now) {
  if (!mark->first_ns) __sync_val_compare_and_swap(&mark->first_ns, 0, now);
  note_window(&mark->fine_window, &mark->fine_seen, now / fine_window_ns + 1);
  note_window(&mark->coarse_window, &mark->coarse_seen, now / coarse_window_ns + 1);
}

static __always_inline void note_cell(struct ward_run* run, __u32 slot, __u32 cell,
                                      int workload_call) {
  union ward_table* table = table_of(slot, WARD_FIRST_CPU_TABLE + bpf_get_smp_processor_id());
  if (!table || cell >= WARD_ANY_CALL) {
    __sync_fetch_and_add(&run->lost, 1);
    return;
  }
  struct ward_count* count = &table->cpu.counts[cell];
  count->count++;
  // Jiffies are one load, the clock is not (and tracing programs may not use the coarse one): once
  // a tick is enough.
  __u64 tick = bpf_jiffies64();
  if (count->tick == tick) return;
  count->tick = tick;
  __u64 now = bpf_ktime_get_ns();
  count->last_ns = now;
  if (now < count->window_end_ns) return;
  struct ward_shared* shared = shared_of(slot);
  if (!shared) {
    __sync_fetch_and_add(&run->lost, 1);
    return;
  }
  count->window_end_ns = (now / fine_window_ns + 1) * fine_window_ns;
  note_mark(&shared->marks[cell], now);
  if (workload_call) note_mark(&shared->marks[WARD_ANY_CALL], now);
}

static __always_inline void note_value(struct ward_values* values, __u64 value) {
  __u64 stored = value ^ WARD_VALUE_KEY;
  for (int i = 0; i < WARD_SET_VALUES && stored; i++) {
    __u64 there = values->stored[i];
    if (!there) there = __sync_val_compare_and_swap(&values->stored[i], 0, stored);
    if (!there || there == stored) return;
  }
  values->overflowed = 1;  // full, or the one value that cannot be told from a free place
}

// `list`: the origin, and for refused calls WARD_REFUSED_VALUES more.
static __always_inline void note_arguments(struct ward_run* run, __u32 slot, __u32 list, __u32 nr,
                                           const struct pt_regs* regs) {
  __u32 watched = watches[nr].count;
  if (!watched) return;
  struct ward_shared* shared = shared_of(slot);
  if (!shared) {
    __sync_fetch_and_add(&run->lost, 1);
    return;
  }
  for (__u32 i = 0; i < WARD_WATCHED_ARGS; i++) {
    if (i >= watched) break;
    __u32 set = watches[nr].set[i] & (WARD_SETS - 1);
    note_value(&shared->values[list & (2 * WARD_REFUSED_VALUES - 1)][set],
               argument(regs, watches[nr].index[i]));
  }
  if (!watches[nr].tuple) return;
  // The kernel takes three ints: it does not look at the upper halves either.
  __u32 a = argument(regs, 0), b = argument(regs, 1), c = argument(regs, 2);
  struct ward_values* tuples = &shared->tuples[list & (2 * WARD_REFUSED_VALUES - 1)];
  if (WARD_TUPLE_FITS(a, b, c)) {
    note_value(tuples, WARD_TUPLE(a, b, c));
  } else {
    tuples->overflowed = 1;
  }
}

// Its program is known by the name that was executed last: an executable of another ABI, or one
// that uses both.
static __always_inline void note_foreign(struct ward_run* run, const struct ward_tag* tag) {
  __sync_fetch_and_add(&run->foreign, 1);
  struct ward_shared* shared = shared_of(tag->slot);
  __u32 place = tag->named - 1;
  if (shared && place < WARD_PROGRAMS) __sync_fetch_and_add(&shared->programs[place].foreign, 1);
}

// No profile can name such a number, and none need: under every one it is refused.
static __always_inline void note_unknown(struct ward_run* run, __u32 slot, __u32 nr) {
  __sync_fetch_and_add(&run->unknown, 1);
  struct ward_shared* shared = shared_of(slot);
  if (shared) note_value(&shared->unknown, nr);
}

// `index`: the signal's number less one.
static __always_inline int has_handler(struct task_struct* task, __u32 index) {
  // Read as a number: kernels before 6.2 let no index be added to a pointer that they know.
  const char* sighand = (const char*)BPF_CORE_READ(task, sighand);
  const char* action = sighand + bpf_core_field_offset(struct sighand_struct, action) +
                       index * bpf_core_type_size(struct k_sigaction);
  unsigned long handler = 0;  // the first field, SIG_DFL (0) or SIG_IGN (1) where there is none
  return !bpf_probe_read_kernel(&handler, sizeof(handler), action) && handler > 1;
}
