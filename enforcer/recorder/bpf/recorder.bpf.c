// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// The recorder's kernel side. Tasks of a recorded run carry a tag in their task-local storage,
// copied to every child; all others leave at the first load. A call counts from the moment the
// container's filter is in force. What a call costs a recorded task is ward_sys_enter's fast path:
// one per-CPU cell until the window is over.
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "note.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define SIGNAL_GROUP_EXIT 0x00000004  // include/linux/sched/signal.h
#define CLONE_THREAD 0x00010000
#define SEND_SIG_NOINFO 0
#define SEND_SIG_PRIV 1
#define SI_USER 0
#define SI_QUEUE -1
#define SI_TKILL -6

const volatile __u32 rt_sigaction_nr = ~0U;

// What the maps mean; compared before pinned ones are adopted.
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64);
} layout SEC(".maps");

static __always_inline int filtered(const struct task_struct* task, const struct ward_tag* tag) {
  return tag->joined || (__u32)task->seccomp.filter_count.counter > tag->base_filters;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(ward_sys_enter, struct pt_regs* regs, long id) {
  struct task_struct* task = bpf_get_current_task_btf();
  struct ward_tag* tag = tag_of(task);
  if (!tag) return 0;
  tag->in_call =
      1;  // also of the call that loads the filter, from which the task comes back filtered
  if (!filtered(task, tag)) return 0;
  struct ward_run* run = run_of(tag);
  if (!run) return 0;
  if (is_foreign(task, id)) {
    note_foreign(run, tag);
    return 0;
  }
  __u32 nr = id;
  if (nr >= WARD_NRS) {
    note_unknown(run, tag->slot, nr);
    return 0;
  }
  __u32 origin = tag->exec & 1;
  __u32 bank = tag->program ? origin : WARD_BANK_RUNTIME_WORKLOAD + origin;
  note_cell(run, tag->slot, bank * WARD_NRS + nr, bank == WARD_BANK_WORKLOAD);
  if (tag->program) note_arguments(run, tag->slot, origin, nr, regs);
  return 0;
}

static __always_inline void note_refused(struct task_struct* task, struct ward_tag* tag,
                                         const struct pt_regs* regs) {
  if (!tag->program || !filtered(task, tag)) return;
  struct ward_run* run = run_of(tag);
  long id = number_of(regs);
  if (!run || id < 0) return;
  if (is_foreign(task, id)) {
    note_foreign(run, tag);
    return;
  }
  __u32 nr = id;
  if (nr >= WARD_NRS) {
    note_unknown(run, tag->slot, nr);
    return;
  }
  __u32 origin = tag->exec & 1;
  note_cell(run, tag->slot, (WARD_BANK_REFUSED_WORKLOAD + origin) * WARD_NRS + nr, 0);
  note_arguments(run, tag->slot, WARD_REFUSED_VALUES + origin, nr, regs);
}

// The first process asked for a handler. What it has now is read, not what it asked for. One that
// it gave up counts: some programs give up all when they end.
static __always_inline void note_handler(struct task_struct* task, struct ward_tag* tag,
                                         const struct pt_regs* regs) {
  __u32 index = (__u32)argument(regs, 0) - 1;
  struct ward_run* run = run_of(tag);
  if (!run || index >= SIGNALS || is_foreign(task, number_of(regs))) return;
  if (has_handler(task, index)) __sync_fetch_and_or(&run->handled, 1ULL << index);
}

// The kernel asks the filter before ward_sys_enter: of a refused call it only comes back. So do a
// new task, whose tag is that of its parent in the middle of the call, and one whose number a
// tracer has taken (-1).
SEC("tp_btf/sys_exit")
int BPF_PROG(ward_sys_exit, struct pt_regs* regs, long ret) {
  struct task_struct* task = bpf_get_current_task_btf();
  struct ward_tag* tag = tag_of(task);
  if (!tag) return 0;
  if (!tag->in_call) note_refused(task, tag, regs);
  tag->in_call = 0;
  if (tag->first && !tag->exec && number_of(regs) == rt_sigaction_nr && !ret)
    note_handler(task, tag, regs);
  return 0;
}

// The end of the container's first process, with the status that its parent is told.
static __always_inline void note_end(struct task_struct* task, struct ward_tag* tag) {
  struct ward_run* run = run_of(tag);
  if (!run || task->signal->live.counter > 0) return;
  run->exit_status =
      (__u32)(task->signal->flags & SIGNAL_GROUP_EXIT ? task->signal->group_exit_code
                                                      : task->group_leader->exit_code);
  run->exit_ns = bpf_ktime_get_ns();
}

// A thread among others that a filter killed (SECCOMP_RET_KILL_THREAD) does not come back. All
// other kills do: the signal is met on the way out.
SEC("tp_btf/sched_process_exit")
int BPF_PROG(ward_task_exit, struct task_struct* task) {
  struct ward_tag* tag = tag_of(task);
  if (!tag) return 0;
  if (tag->first && !tag->exec) note_end(task, tag);
  if (tag->in_call) return 0;
  if (task->exit_code != SIGSYS || (task->signal->flags & SIGNAL_GROUP_EXIT)) return 0;
  note_refused(task, tag, (const struct pt_regs*)bpf_task_pt_regs(task));
  return 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(ward_task_newtask, struct task_struct* child, u64 clone_flags) {
  struct ward_tag* tag = tag_of(bpf_get_current_task_btf());
  if (!tag) return 0;
  struct ward_run* run = run_of(tag);
  if (!run) return 0;
  struct ward_tag* copy = bpf_task_storage_get(&tags, child, tag, BPF_LOCAL_STORAGE_GET_F_CREATE);
  if (!copy) {
    __sync_fetch_and_add(&run->lost, 1);
  } else if (!(clone_flags & CLONE_THREAD)) {
    copy->first = 0;
  }
  return 0;
}

// Its place, counted from 1; 0 where it has none.
static __always_inline __u32 note_program(struct ward_run* run, __u32 slot, const char* name) {
  char copy[WARD_PROGRAM_BYTES] = {};
  struct ward_shared* shared = shared_of(slot);
  if (!shared || bpf_probe_read_kernel_str(copy, sizeof(copy), name) < 0) {
    __sync_fetch_and_add(&run->lost, 1);
    return 0;
  }
  __u64 key = 0xcbf29ce484222325ULL;  // FNV-1a over the whole field
  for (int i = 0; i < WARD_PROGRAM_BYTES; i++) key = (key ^ (__u8)copy[i]) * 0x100000001b3ULL;
  key |= 1;
  for (int i = 0; i < WARD_PROGRAMS; i++) {
    __u64 there = __sync_val_compare_and_swap(&shared->programs[i].key, 0, key);
    if (there == key) return i + 1;
    if (there) continue;
    __builtin_memcpy(shared->programs[i].name, copy, sizeof(copy));
    return i + 1;
  }
  __sync_fetch_and_add(&run->programs_overflowed, 1);
  return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(ward_exec, struct task_struct* task, pid_t old_pid, struct linux_binprm* bprm) {
  struct ward_tag* tag = tag_of(task);
  struct ward_run* run = tag ? run_of(tag) : 0;
  if (!run) return 0;
  // The runtime's own execs come before its filter. Where the container has none, they come before
  // the runtime has entered it.
  if (!filtered(task, tag)) {
    if (!run->joined || !number_within(task, run)) return 0;
    tag->joined = 1;
  }
  if (!tag->program) {
    tag->user_ns = task->cred->user_ns->ns.inum;
    tag->program = 1;
    tag->first = 1;
    if (tag->exec) {
      __sync_fetch_and_add(&run->exec_sessions, 1);
    } else {
      __sync_val_compare_and_swap(&run->program_ns, 0, bpf_ktime_get_ns());
    }
  }
  if (tag->first && !tag->exec) run->handled = 0;  // no handler outlives an exec
  tag->named = note_program(run, tag->slot, bprm->filename);
  return 0;
}

// Who is asked is the process that makes it happen, unless the kernel does so on its own, often in
// the midst of somebody else. (A process may claim a timer of its own making: then the kernel is
// named for it.)
static __always_inline __u32 sender_of(const struct ward_tag* receiver,
                                       struct kernel_siginfo* info) {
  unsigned long special = (unsigned long)info;
  if (special == SEND_SIG_PRIV) return WARD_FROM_KERNEL;
  if (special != SEND_SIG_NOINFO) {
    int code = BPF_CORE_READ(info, si_code);
    if (code != SI_USER && code != SI_QUEUE && code != SI_TKILL) return WARD_FROM_KERNEL;
  }
  struct ward_tag* tag = tag_of(bpf_get_current_task_btf());
  if (!tag || tag->slot != receiver->slot || tag->generation != receiver->generation ||
      !tag->program)
    return WARD_FROM_OUTSIDE;  // the runtime, too
  return tag->exec ? WARD_FROM_EXEC : WARD_FROM_WORKLOAD;
}

static __always_inline void note_signal(struct ward_run* run, struct ward_signal* kinds, __u32 room,
                                        __u64 key, int ignored) {
  for (__u32 i = 0; i < room; i++) {
    __u64 there = kinds[i].key;
    if (!there) there = __sync_val_compare_and_swap(&kinds[i].key, 0, key);
    if (there && there != key) continue;
    if (ignored) {
      __sync_fetch_and_add(&kinds[i].ignored, 1);
    } else {
      __sync_fetch_and_add(&kinds[i].delivered, 1);
      kinds[i].last_ns = bpf_ktime_get_ns();
    }
    return;
  }
  __sync_fetch_and_add(&run->signals_overflowed, 1);
}

SEC("tp_btf/signal_generate")
int BPF_PROG(ward_signal_generate, int number, struct kernel_siginfo* info,
             struct task_struct* task, int group, int result) {
  struct ward_tag* tag = tag_of(task);
  if (!tag || !tag->program || result == TRACE_SIGNAL_ALREADY_PENDING)
    return 0;  // the one that waits was counted
  struct ward_run* run = run_of(tag);
  if (!run) return 0;
  struct ward_shared* shared = shared_of(tag->slot);
  if (!shared) {
    __sync_fetch_and_add(&run->lost, 1);
    return 0;
  }
  __u32 from = sender_of(tag, info);
  __u32 to = tag->exec ? WARD_TO_EXEC : tag->first ? WARD_TO_FIRST : WARD_TO_OTHER;
  __u64 key = WARD_SIGNAL_KEY(number, to, from);
  int ignored = result == TRACE_SIGNAL_IGNORED || result == TRACE_SIGNAL_OVERFLOW_FAIL;
  if (from == WARD_FROM_OUTSIDE) {
    note_signal(run, shared->signals, WARD_SIGNALS_OUTSIDE, key, ignored);
  } else {
    note_signal(run, shared->signals + WARD_SIGNALS_OUTSIDE, WARD_SIGNALS_WITHIN, key, ignored);
  }
  return 0;
}

static __always_inline void note_capability(const struct cred* cred, int cap) {
  struct task_struct* task = bpf_get_current_task_btf();
  struct ward_tag* tag = tag_of(task);
  if (!tag || !tag->program) return;
  // The kernel acting in another's name: overlayfs asks with the credentials of whoever mounted it.
  if (cred != task->real_cred) return;
  // Granted for owning a child user namespace, or within one: nothing the container's capability
  // sets need.
  __u32 capability = cap;
  if (capability >= WARD_CAPS || !is_effective(cred, capability)) return;
  if (cred->user_ns->ns.inum != tag->user_ns) return;
  struct ward_run* run = run_of(tag);
  if (run) note_cell(run, tag->slot, WARD_FIRST_CAP + (tag->exec & 1) * WARD_CAPS + capability, 0);
}

// The tracepoint is of Linux 6.14; before, the end of the function itself. One of the two is
// loaded.
SEC("tp_btf/cap_capable")
int BPF_PROG(ward_cap_capable, const struct cred* cred, struct user_namespace* target_ns,
             const struct user_namespace* capable_ns, int cap, int ret) {
  if (!ret) note_capability(cred, cap);
  return 0;
}

SEC("fexit/cap_capable")
int BPF_PROG(ward_cap_capable_exit, const struct cred* cred, struct user_namespace* target_ns,
             int cap, unsigned int options, int ret) {
  if (!ret) note_capability(cred, cap);
  return 0;
}
