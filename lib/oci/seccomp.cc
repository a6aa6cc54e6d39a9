// SPDX-License-Identifier: Apache-2.0
#include "lib/oci/seccomp.h"

#include <linux/audit.h>
#include <seccomp.h>

#include <array>
#include <cstdlib>
#include <memory>

#include "lib/oci/nearest.h"

namespace ward::oci {
namespace {

struct ActionName {
  SeccompAction action;
  std::string_view name;
};
// SCMP_ACT_KILL comes after SCMP_ACT_KILL_THREAD: both read as kill-thread, the clear one is
// written.
constexpr std::array<ActionName, 9> kActions{
    {{SeccompAction::kKillThread, "SCMP_ACT_KILL_THREAD"},
     {SeccompAction::kKillThread, "SCMP_ACT_KILL"},
     {SeccompAction::kKillProcess, "SCMP_ACT_KILL_PROCESS"},
     {SeccompAction::kTrap, "SCMP_ACT_TRAP"},
     {SeccompAction::kErrno, "SCMP_ACT_ERRNO"},
     {SeccompAction::kTrace, "SCMP_ACT_TRACE"},
     {SeccompAction::kAllow, "SCMP_ACT_ALLOW"},
     {SeccompAction::kLog, "SCMP_ACT_LOG"},
     {SeccompAction::kNotify, "SCMP_ACT_NOTIFY"}}};

struct OpName {
  CompareOp op;
  std::string_view name;
};
constexpr std::array<OpName, 7> kOps{{{CompareOp::kNe, "SCMP_CMP_NE"},
                                      {CompareOp::kLt, "SCMP_CMP_LT"},
                                      {CompareOp::kLe, "SCMP_CMP_LE"},
                                      {CompareOp::kEq, "SCMP_CMP_EQ"},
                                      {CompareOp::kGe, "SCMP_CMP_GE"},
                                      {CompareOp::kGt, "SCMP_CMP_GT"},
                                      {CompareOp::kMaskedEq, "SCMP_CMP_MASKED_EQ"}}};

// Above every number in use and below the x32 bit; libseccomp answers at once for a number it does
// not know.
constexpr int kSyscallSearchEnd = 1024;

struct Arch {
  std::uint32_t audit;
  std::string_view scmp;
};
constexpr Arch native_arch() {
#if defined(__x86_64__)
  return {AUDIT_ARCH_X86_64, "SCMP_ARCH_X86_64"};
#elif defined(__aarch64__)
  return {AUDIT_ARCH_AARCH64, "SCMP_ARCH_AARCH64"};
#else
#error "Ward's filters are written for x86_64 and aarch64"
#endif
}

}  // namespace

std::string_view action_name(SeccompAction action) {
  for (const ActionName& entry : kActions) {
    if (entry.action == action) return entry.name;
  }
  std::abort();
}

std::optional<SeccompAction> find_action(std::string_view name) {
  for (const ActionName& entry : kActions) {
    if (entry.name == name) return entry.action;
  }
  return std::nullopt;
}

std::string_view compare_op_name(CompareOp op) {
  for (const OpName& entry : kOps) {
    if (entry.op == op) return entry.name;
  }
  std::abort();
}

std::optional<CompareOp> find_compare_op(std::string_view name) {
  for (const OpName& entry : kOps) {
    if (entry.name == name) return entry.op;
  }
  return std::nullopt;
}

bool holds(const SeccompArg& condition, std::uint64_t value) {
  switch (condition.op) {
    case CompareOp::kNe: return value != condition.value;
    case CompareOp::kLt: return value < condition.value;
    case CompareOp::kLe: return value <= condition.value;
    case CompareOp::kEq: return value == condition.value;
    case CompareOp::kGe: return value >= condition.value;
    case CompareOp::kGt: return value > condition.value;
    case CompareOp::kMaskedEq: return (value & condition.value) == condition.value_two;
    case CompareOp::kMaskedNe: return (value & condition.value) != condition.value_two;
    case CompareOp::kMaskedLt: return (value & condition.value) < condition.value_two;
    case CompareOp::kMaskedGe: return (value & condition.value) >= condition.value_two;
  }
  std::abort();
}

std::uint32_t native_audit_arch() { return native_arch().audit; }

std::string native_scmp_arch() { return std::string(native_arch().scmp); }

std::vector<std::string> every_scmp_arch() {
#if defined(__x86_64__)
  return {native_scmp_arch(), "SCMP_ARCH_X86", "SCMP_ARCH_X32"};
#elif defined(__aarch64__)
  return {native_scmp_arch(), "SCMP_ARCH_ARM"};
#endif
}

std::optional<int> find_syscall(std::string_view name) {
  // Negative numbers are libseccomp's own for calls that exist on other architectures only.
  const int nr = ::seccomp_syscall_resolve_name(std::string(name).c_str());
  if (nr < 0) return std::nullopt;
  return nr;
}

std::optional<std::string> find_syscall_name(int nr) {
  if (nr < 0) return std::nullopt;
  const std::unique_ptr<char, decltype(&std::free)> name(
      ::seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, nr), &std::free);
  if (!name) return std::nullopt;
  return std::string(name.get());
}

const std::map<std::string, int>& known_syscalls() {
  static const std::map<std::string, int> kKnown = [] {
    std::map<std::string, int> known;
    for (int nr = 0; nr < kSyscallSearchEnd; ++nr) {
      if (auto name = find_syscall_name(nr)) known.emplace(*std::move(name), nr);
    }
    return known;
  }();
  return kKnown;
}

std::uint32_t order_of_appearance(int nr) {
#if defined(__x86_64__)
  constexpr int kUretprobe = 335, kUprobe = 336;
  if (nr == kUretprobe) return 462;  // as mseal, of 6.10: the last one before it
  if (nr == kUprobe) return 469;     // as file_setattr, of 6.17
#endif
  return static_cast<std::uint32_t>(nr);
}

std::string hint_for_syscall(std::string_view misspelt) {
  if (misspelt == "ALL" || misspelt == "all" || misspelt.find('*') != std::string_view::npos) {
    return ": no word and no pattern stands for several of them, list each that is needed";
  }
  Nearest nearest(misspelt);
  for (int nr = 0; nr < kSyscallSearchEnd; ++nr) {
    if (const auto name = find_syscall_name(nr)) nearest.offer(*name);
  }
  return nearest.hint();
}

}  // namespace ward::oci
