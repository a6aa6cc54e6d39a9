// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// Takes in a container that runs already: looks at every task of the node, and gives those of the
// container's pid namespace the run's tag. Threads too, which no pidfd reaches before Linux 6.9.
// The maps are the recorder's own; this is loaded for one container, run until a pass finds nobody
// new, and goes.
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "note.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define ANCESTORS 32

// Set by the loader.
const volatile struct ward_tag model = {};  // what all tags of the run have in common
const volatile __u32 depth = 0;  // how far the container's pid namespace lies below wardd's

__u64 found = 0;    // tasks of the container
__u64 fresh = 0;    // of these, those that had no tag of the run
__u64 give_up = 0;  // set by wardd: who is found fresh now may have had children that are not

// The first process's descendants are the workload; what entered from outside is an exec session.
// One whose parent has ended belongs to the first process by then, for the kernel too.
static __always_inline int is_of_exec(struct task_struct* task, const struct ward_run* run) {
  struct task_struct* ancestor = BPF_CORE_READ(task, group_leader);
  for (int i = 0; i < ANCESTORS; i++) {
    __u32 number = number_within(ancestor, run);
    if (number == 1) return 0;
    if (!number) return 1;
    ancestor = BPF_CORE_READ(ancestor, real_parent, group_leader);
  }
  return 0;
}

// The call in which it waits, perhaps for ever, began before there was a tag. Of a task that is not
// in a call it is the last one that it made: that too is the container's.
static __always_inline void note_present_call(struct task_struct* task, struct ward_run* run,
                                              const struct ward_tag* tag) {
  const struct pt_regs* regs = (const struct pt_regs*)bpf_task_pt_regs(task);
  if (!regs) return;
  long id = number_of(regs);
  if (id < 0 || id >= WARD_NRS || is_foreign(task, id)) return;
  __u32 nr = id;
  __u32 origin = tag->exec & 1;
  note_cell(run, tag->slot, origin * WARD_NRS + nr, !origin);
  note_arguments(run, tag->slot, origin, nr, regs);
}

static __always_inline void note_handlers(struct task_struct* task, struct ward_run* run) {
  __u64 handled = 0;
  for (__u32 index = 0; index < SIGNALS; index++)
    if (has_handler(task, index)) handled |= 1ULL << index;
  __sync_fetch_and_or(&run->handled, handled);
}

SEC("iter/task")
int ward_join(struct bpf_iter__task* context) {
  struct task_struct* task = context->task;
  if (!task) return 0;
  __u32 slot = model.slot;
  struct ward_run* run = bpf_map_lookup_elem(&runs, &slot);
  if (!run || run->generation != model.generation) return 0;
  // We run in the one who reads, wardd.
  run->pid_level = BPF_CORE_READ(bpf_get_current_task_btf(), thread_pid, level) + depth;
  if (!number_within(task, run)) return 0;
  found++;
  struct ward_tag* there = bpf_task_storage_get(&tags, task, 0, 0);
  if (there && there->slot == slot && there->generation == model.generation) return 0;
  fresh++;
  struct ward_tag tag = model;
  tag.exec = is_of_exec(task, run);
  tag.first = number_within(BPF_CORE_READ(task, group_leader), run) == 1;
  if (there) {
    *there = tag;  // of a run that is over
  } else if (!bpf_task_storage_get(&tags, task, &tag, BPF_LOCAL_STORAGE_GET_F_CREATE)) {
    __sync_fetch_and_add(&run->lost, 1);
  }
  if (give_up) __sync_fetch_and_add(&run->lost, 1);
  note_present_call(task, run, &tag);
  if (tag.first && task->pid == task->tgid) note_handlers(task, run);
  return 0;
}
