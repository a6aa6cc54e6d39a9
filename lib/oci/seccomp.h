// SPDX-License-Identifier: Apache-2.0
// linux.seccomp of the OCI runtime specification as plain values, and names of system calls
// (libseccomp's tables). Used wherever a filter is made, cut down or evaluated. No JSON here: see
// bundle.h.
// Source: https://github.com/opencontainers/runtime-spec/blob/v1.1.0/config-linux.md#seccomp
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ward::oci {

enum class SeccompAction {
  kKillThread,
  kKillProcess,
  kTrap,
  kErrno,
  kTrace,
  kAllow,
  kLog,
  kNotify
};
// The last three are what a loaded program may test besides; no rule can say them, and no document
// brings or gets them.
enum class CompareOp { kNe, kLt, kLe, kEq, kGe, kGt, kMaskedEq, kMaskedNe, kMaskedLt, kMaskedGe };

struct SeccompArg {
  std::uint32_t index = 0;      // 0..5
  std::uint64_t value = 0;      // kMasked...: the mask
  std::uint64_t value_two = 0;  // kMasked...: what the masked argument is compared with
  CompareOp op = CompareOp::kEq;
  bool operator==(const SeccompArg&) const = default;
};

struct SeccompRule {
  std::vector<std::string> names;
  SeccompAction action = SeccompAction::kAllow;
  std::optional<std::uint32_t> errno_ret;
  std::vector<SeccompArg> args;  // empty: any; several on one index are OR'ed by runc (K3)
  bool operator==(const SeccompRule&) const = default;
};

struct Seccomp {
  SeccompAction default_action = SeccompAction::kAllow;
  std::optional<std::uint32_t> default_errno_ret;
  std::vector<std::string> architectures;  // "SCMP_ARCH_X86_64"
  // "SECCOMP_FILTER_FLAG_..."; an empty list is not the same to a runtime as none.
  std::optional<std::vector<std::string>> flags;
  std::string listener_path;
  std::string listener_metadata;
  std::vector<SeccompRule> rules;
  bool operator==(const Seccomp&) const = default;
};

std::string_view action_name(SeccompAction action);  // "SCMP_ACT_NOTIFY"
std::optional<SeccompAction> find_action(std::string_view name);
std::string_view compare_op_name(
    CompareOp op);  // "SCMP_CMP_MASKED_EQ"; of an operator that a rule can have
std::optional<CompareOp> find_compare_op(std::string_view name);

// Does the scalar satisfy the condition? The one place that gives comparisons their meaning.
bool holds(const SeccompArg& condition, std::uint64_t value);

// The native architecture only (K5).
std::uint32_t native_audit_arch();  // AUDIT_ARCH_X86_64
std::string native_scmp_arch();     // "SCMP_ARCH_X86_64"
// All whose programs this processor runs: for a filter that restricts nothing. A call of one that a
// filter does not list is killed by libseccomp's default.
std::vector<std::string> every_scmp_arch();
std::optional<int> find_syscall(
    std::string_view name);  // number; absent where this libseccomp does not know it
std::optional<std::string> find_syscall_name(int nr);
const std::map<std::string, int>& known_syscalls();  // all names that resolve natively
// Calls in the order in which kernels got them: a newer one has the larger value. It is the number,
// but for the two that were put into a gap. Source: arch/x86/entry/syscalls/syscall_64.tbl of
// Linux 6.11 and 6.18.
std::uint32_t order_of_appearance(int nr);
// " (did you mean 'openat'?)", or what to write instead of it; empty where nothing is near.
std::string hint_for_syscall(std::string_view misspelt);

}  // namespace ward::oci
