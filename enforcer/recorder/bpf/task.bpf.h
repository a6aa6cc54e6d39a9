// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// What both programs ask of a task. Behind vmlinux.h and bpf_core_read.h.
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
