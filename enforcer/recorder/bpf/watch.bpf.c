// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// Watches what no seccomp notification tells: who is ended by SIGSYS, who uses a capability that
// mode enforce would have cut or asks for one that it has, or is given privileges by a file while
// enforce would have forbidden that. Attached while the node governs containers, also while wardd
// is away. A task without a tag, and every ordinary exit, leaves at the first test. No program here
// is at the entry or end of system calls.
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "enforcer/recorder/bpf/task.bpf.h"
#include "enforcer/recorder/bpf/watch_tags.bpf.h"
#include "profiles/filter/watch_maps.h"

char LICENSE[] SEC("license") = "GPL";

const volatile __u64 ns_per_tick = 10000000;  // of /proc/<pid>/stat; set by the loader

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, WARD_WATCH_INITS);
  __type(key, __u32);
  __type(value, struct ward_watch_init);
} inits SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, WARD_WATCH_CONTAINERS);
  __type(key, __u64);
  __type(value, struct ward_watched);
} watched SEC(".maps");

// How often each capability was used. An entry that was pushed out is told of once more.
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 4096);
  __type(key, struct ward_use);
  __type(value, __u64);
} used SEC(".maps");

// For a thread group that dies, the foreign call of the thread that began it.
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 1024);
  __type(key, __u32);
  __type(value, struct ward_offence);
} offences SEC(".maps");

// What found no room in `seen`, by container.
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 4096);
  __type(key, __u64);
  __type(value, __u64);
} missed SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, WARD_WATCH_RING_BYTES);
} seen SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64);
} layout SEC(".maps");

static __always_inline struct ward_watch_tag* tag_of(struct task_struct* task) {
  if (!task->bpf_storage) return 0;  // most of the machine: no helper call for it
  return bpf_task_storage_get(&tags, task, 0, 0);
}

static __always_inline void count(void* map, const void* key) {
  __u64 one = 1;
  __u64* there = bpf_map_lookup_elem(map, key);
  if (there) {
    __sync_fetch_and_add(there, 1);
  } else {
    bpf_map_update_elem(map, key, &one, BPF_NOEXIST);
  }
}

static __always_inline struct ward_seen* make_seen(struct task_struct* task,
                                                   const struct ward_watch_tag* tag, __u32 kind) {
  struct ward_seen* event = bpf_ringbuf_reserve(&seen, sizeof(*event), 0);
  if (!event) {
    __u64 container = tag->container;
    count(&missed, &container);
    return 0;
  }
  event->container = tag->container;
  event->at_ns = bpf_ktime_get_ns();
  event->start_ns = task->group_leader->start_boottime;
  event->kind = kind;
  event->exec = tag->exec;
  event->pid = task->tgid;
  event->abi = WARD_NATIVE;
  event->nr = -1;
  event->capability = -1;
  bpf_get_current_comm(event->comm, sizeof(event->comm));
  return event;
}

// True for the first time that is told of; the others are counted.
static __always_inline bool is_first(const struct ward_watch_tag* tag, __u32 capability) {
  struct ward_use use = {tag->container, capability, tag->exec};
  __u64 one = 1;
  if (bpf_map_update_elem(&used, &use, &one, BPF_NOEXIST) == 0) return true;
  count(&used, &use);
  return false;
}

// The kernel calls it a secure execution where identity or capabilities came with the file.
static __always_inline void note_gain(struct task_struct* task, const struct ward_watch_tag* tag,
                                      struct linux_binprm* bprm) {
  if (!tag->gains || !BPF_CORE_READ_BITFIELD_PROBED(bprm, secureexec)) return;
  __u32 inode = BPF_CORE_READ(bprm, file, f_inode, i_ino);
  if (!is_first(tag, WARD_GAIN_BY | (inode & (WARD_GAIN_BY - 1)))) return;
  struct ward_seen* event = make_seen(task, tag, WARD_SEEN_GAIN);
  if (event) bpf_ringbuf_submit(event, 0);
}

// The first exec under the filter of whom the shim announced: the container's own program begins.
SEC("tp_btf/sched_process_exec")
int BPF_PROG(ward_watch_exec, struct task_struct* task, pid_t old_pid, struct linux_binprm* bprm) {
  if (!task->seccomp.filter_count.counter) return 0;
  struct ward_watch_tag* known = tag_of(task);
  if (known) {
    note_gain(task, known, bprm);
    return 0;
  }
  __u32 group = task->tgid;
  struct ward_watch_init* init = bpf_map_lookup_elem(&inits, &group);
  if (!init || task->group_leader->start_boottime / ns_per_tick != init->start_ticks) return 0;
  struct ward_watch_tag tag = {};
  tag.container = init->container;
  tag.capabilities = init->capabilities;
  tag.cut = init->cut;
  tag.exec = init->exec;
  tag.user_ns = task->cred->user_ns->ns.inum;
  tag.gains = init->gains;
  bpf_task_storage_get(&tags, task, &tag, BPF_LOCAL_STORAGE_GET_F_CREATE);
  bpf_map_delete_elem(&inits, &group);
  note_gain(task, &tag, bprm);
  return 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(ward_watch_newtask, struct task_struct* child, u64 clone_flags) {
  struct ward_watch_tag* tag = tag_of(bpf_get_current_task_btf());
  if (tag) bpf_task_storage_get(&tags, child, tag, BPF_LOCAL_STORAGE_GET_F_CREATE);
  return 0;
}

// Every thread of a group that a signal ends has its number as exit code; the last one tells.
SEC("tp_btf/sched_process_exit")
int BPF_PROG(ward_watch_exit, struct task_struct* task) {
  if ((task->exit_code & 0x7f) != SIGSYS) return 0;
  struct task_struct* current = bpf_get_current_task_btf();
  struct ward_watch_tag* tag = tag_of(current);
  if (!tag) return 0;
  __u32 group = current->tgid;
#if defined(__TARGET_ARCH_x86)
  // The thread dies on the way out of the very call, whose number is still there.
  struct pt_regs* regs = (struct pt_regs*)bpf_task_pt_regs(current);
  long nr = regs->orig_ax;
  struct ward_offence offence = {WARD_NATIVE, (__s32)nr};
  if (current->thread_info.status & TS_COMPAT) {
    offence.abi = WARD_FOREIGN_32;
  } else if (nr >= 0 && (nr & X32_SYSCALL_BIT)) {
    offence.abi = WARD_FOREIGN_X32;
    offence.nr = (__s32)(nr & ~X32_SYSCALL_BIT);
  }
  if (offence.abi != WARD_NATIVE) bpf_map_update_elem(&offences, &group, &offence, BPF_ANY);
#endif
  if (current->signal->live.counter > 0) return 0;
  struct ward_seen* event = make_seen(current, tag, WARD_SEEN_DEATH);
  struct ward_offence* found = bpf_map_lookup_elem(&offences, &group);
  if (event) {
    if (found) {
      event->abi = found->abi;
      event->nr = found->nr;
    }
    bpf_ringbuf_submit(event, 0);
  }
  if (found) bpf_map_delete_elem(&offences, &group);
  return 0;
}

static __always_inline void note_capability(const struct cred* cred, int cap) {
  struct task_struct* task = bpf_get_current_task_btf();
  struct ward_watch_tag* tag = tag_of(task);
  __u32 capability = cap;
  if (!tag || capability >= 64 || !((tag->capabilities >> capability) & 1)) return;
  if (cred != task->real_cred || !is_effective(cred, capability)) return;
  if (cred->user_ns->ns.inum != tag->user_ns) return;
  if (!is_first(tag, capability)) return;
  struct ward_seen* event = make_seen(task, tag, WARD_SEEN_CAPABILITY);
  if (!event) return;
  event->capability = cap;
  bpf_ringbuf_submit(event, 0);
}

// Only what would have been granted, had the container kept it: a check against another user
// namespace is none of its own.
static __always_inline void note_denial(const struct cred* cred, struct user_namespace* target_ns,
                                        int cap) {
  struct task_struct* task = bpf_get_current_task_btf();
  struct ward_watch_tag* tag = tag_of(task);
  __u32 capability = cap;
  if (!tag || capability >= 64 || !((tag->cut >> capability) & 1)) return;
  if (cred != task->real_cred || is_effective(cred, capability)) return;
  if (BPF_CORE_READ(target_ns, ns.inum) != tag->user_ns) return;
  if (!is_first(tag, WARD_DENIED_BY | capability)) return;
  struct ward_seen* event = make_seen(task, tag, WARD_SEEN_DENIED);
  if (!event) return;
  event->capability = cap;
  bpf_ringbuf_submit(event, 0);
}

// The tracepoint is of Linux 6.14; before, the end of the function itself. One of the two is
// loaded.
SEC("tp_btf/cap_capable")
int BPF_PROG(ward_watch_capable, const struct cred* cred, struct user_namespace* target_ns,
             const struct user_namespace* capable_ns, int cap, int ret) {
  if (!ret) {
    note_capability(cred, cap);
  } else {
    note_denial(cred, target_ns, cap);
  }
  return 0;
}

SEC("fexit/cap_capable")
int BPF_PROG(ward_watch_capable_exit, const struct cred* cred, struct user_namespace* target_ns,
             int cap, unsigned int options, int ret) {
  if (!ret) {
    note_capability(cred, cap);
  } else {
    note_denial(cred, target_ns, cap);
  }
  return 0;
}
