// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// What our programs ask of a task. Behind vmlinux.h and bpf_core_read.h.
#pragma once

#define TS_COMPAT 0x0002  // arch/x86/include/asm/thread_info.h
#define X32_SYSCALL_BIT 0x40000000
#define SIGSYS 31

// A set of capabilities is one number since Linux 6.3 and was two halves before. (What stands
// behind three underscores is nothing to the loader, which looks for fields.)
struct cred___number {
  struct {
    __u64 val;
  } cap_effective;
} __attribute__((preserve_access_index));
struct cred___halves {
  struct {
    __u32 cap[2];
  } cap_effective;
} __attribute__((preserve_access_index));

static __always_inline int is_effective(const struct cred* cred, __u32 capability) {
  const struct cred___number* number = (const void*)cred;
  if (bpf_core_field_exists(number->cap_effective.val))
    return (number->cap_effective.val >> capability) & 1;
  const struct cred___halves* halves = (const void*)cred;
  const __u32 half = capability < 32 ? halves->cap_effective.cap[0] : halves->cap_effective.cap[1];
  return (half >> (capability & 31)) & 1;
}

static __always_inline __u64 argument(const struct pt_regs* regs, __u8 index) {
#if defined(__TARGET_ARCH_x86)
  switch (index) {
    case 0: return regs->di;
    case 1: return regs->si;
    case 2: return regs->dx;
    case 3: return regs->r10;
    case 4: return regs->r8;
    default: return regs->r9;
  }
#elif defined(__TARGET_ARCH_arm64)
  switch (index) {
    case 0: return regs->orig_x0;
    case 1: return regs->regs[1];
    case 2: return regs->regs[2];
    case 3: return regs->regs[3];
    case 4: return regs->regs[4];
    default: return regs->regs[5];
  }
#else
#error "which registers hold the arguments of a system call on this architecture?"
#endif
}

static __always_inline int is_foreign(const struct task_struct* task, long id) {
#if defined(__TARGET_ARCH_x86)
  return (id & X32_SYSCALL_BIT) || (task->thread_info.status & TS_COMPAT);
#else
  return 0;
#endif
}

static __always_inline long number_of(const struct pt_regs* regs) {
#if defined(__TARGET_ARCH_x86)
  return regs->orig_ax;
#else
  return regs->syscallno;
#endif
}
