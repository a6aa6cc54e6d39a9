// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// A sampled window: for a moment the calls are seen that profiles let run without asking anybody
// and do not list. Whose a task is, the tag says that watch.bpf.c has given it; what is looked for
// in its container is set before this is attached. A task without a tag leaves at the first load,
// and a call that is not looked for after three look-ups.
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "enforcer/recorder/bpf/sample.h"
#include "enforcer/recorder/bpf/task.bpf.h"
#include "enforcer/recorder/bpf/watch_tags.bpf.h"
#include "profiles/filter/watch_maps.h"

char LICENSE[] SEC("license") = "GPL";

#define OF_EXEC 0x8000

const volatile struct ward_sample_bits bits[WARD_SAMPLED_NRS];  // set by the loader

// Filled by wardd alone.
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, WARD_SAMPLED_CONTAINERS);
  __type(key, __u64);
  __type(value, struct ward_sampled);
} sampled SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, WARD_SAMPLED_SETS);
  __type(key, __u32);
  __type(value, struct ward_sample_set);
} sets SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, WARD_SAMPLED_CALLS);
  __type(key, struct ward_sample_key);
  __type(value, struct ward_sample);
} calls SEC(".maps");

static __always_inline __u64 way_of(__u32 nr, const struct pt_regs* regs) {
  const volatile struct ward_sample_bits* under = &bits[nr & (WARD_SAMPLED_NRS - 1)];
  __u64 hash = 0xcbf29ce484222325ULL;
  for (int i = 0; i < 6; i++) hash = (hash ^ (argument(regs, i) & under->of[i])) * 0x100000001b3ULL;
  return hash;
}

// A place is taken before it is filled: what two CPUs take at once for the same call is given away,
// and costs its set no more than that.
static __always_inline int take_place(struct ward_sample_set* set, __u32 exec, __u32 nr) {
  __u8* ways = &set->ways[exec & 1][nr & (WARD_SAMPLED_NRS - 1)];
  if (*ways >= WARD_SAMPLED_WAYS || set->calls >= WARD_SAMPLED_PER_SET) return 0;
  *ways += 1;
  __sync_fetch_and_add(&set->calls, 1);
  return 1;
}

static __always_inline void describe(struct ward_sample* sample, struct task_struct* task,
                                     __u64 container, const struct pt_regs* regs) {
  sample->count = 1;
  sample->container = container;
  sample->start_ns = task->group_leader->start_boottime;
  for (int i = 0; i < 6; i++) sample->args[i] = argument(regs, i);
  sample->pid = task->tgid;
  sample->tid = task->pid;
  bpf_get_current_comm(sample->comm, sizeof(sample->comm));
}

SEC("tp_btf/sys_enter")
int BPF_PROG(ward_sample_enter, struct pt_regs* regs, long id) {
  struct task_struct* task = bpf_get_current_task_btf();
  if (!task->bpf_storage) return 0;  // most of the machine: no helper call for it
  struct ward_watch_tag* tag = bpf_task_storage_get(&tags, task, 0, 0);
  if (!tag) return 0;
  __u64 container = tag->container;
  struct ward_sampled* in = bpf_map_lookup_elem(&sampled, &container);
  if (!in) return 0;
  __u32 number = in->set, nr = id, exec = tag->exec & 1;
  struct ward_sample_set* set = bpf_map_lookup_elem(&sets, &number);
  if (!set || nr >= WARD_SAMPLED_NRS || is_foreign(task, id)) return 0;
  if (!((set->wanted[exec][nr / 64] >> (nr % 64)) & 1)) return 0;

  struct ward_sample_key key = {in->window, number, nr | (exec ? OF_EXEC : 0), way_of(nr, regs)};
  struct ward_sample* there = bpf_map_lookup_elem(&calls, &key);
  if (!there && take_place(set, exec, nr)) {
    struct ward_sample fresh = {};
    describe(&fresh, task, container, regs);
    if (bpf_map_update_elem(&calls, &key, &fresh, BPF_NOEXIST) == 0) return 0;
    there = bpf_map_lookup_elem(&calls, &key);  // another CPU was first
  }
  if (there) {
    __sync_fetch_and_add(&there->count, 1);
  } else {
    __sync_fetch_and_add(&set->dropped, 1);
  }
  return 0;
}
