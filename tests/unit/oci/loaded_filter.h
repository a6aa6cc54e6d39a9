// SPDX-License-Identifier: Apache-2.0
// An OCI filter as the runtime loads it (libseccomp, rule by rule) and what its program answers to a call: classic BPF
// run in user space. The oracle for filters of this folder.
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <map>
#include <stdexcept>
#include <vector>

#include "lib/oci/seccomp_intersect.h"

namespace ward::oci {

inline std::uint32_t scmp_action(SeccompAction action, std::uint32_t errno_ret) {
  switch (action) {
    case SeccompAction::kKillThread: return SCMP_ACT_KILL_THREAD;
    case SeccompAction::kKillProcess: return SCMP_ACT_KILL_PROCESS;
    case SeccompAction::kTrap: return SCMP_ACT_TRAP;
    case SeccompAction::kErrno: return SCMP_ACT_ERRNO(errno_ret);
    case SeccompAction::kTrace: return SCMP_ACT_TRACE(errno_ret);
    case SeccompAction::kAllow: return SCMP_ACT_ALLOW;
    case SeccompAction::kLog: return SCMP_ACT_LOG;
    case SeccompAction::kNotify: return SCMP_ACT_NOTIFY;
  }
  throw std::logic_error("action");
}

inline scmp_arg_cmp scmp_condition(const SeccompArg& arg) {
  static const std::map<CompareOp, scmp_compare> kOps = {{CompareOp::kNe, SCMP_CMP_NE},
                                                         {CompareOp::kLt, SCMP_CMP_LT},
                                                         {CompareOp::kLe, SCMP_CMP_LE},
                                                         {CompareOp::kEq, SCMP_CMP_EQ},
                                                         {CompareOp::kGe, SCMP_CMP_GE},
                                                         {CompareOp::kGt, SCMP_CMP_GT},
                                                         {CompareOp::kMaskedEq, SCMP_CMP_MASKED_EQ}};
  return {arg.index, kOps.at(arg.op), arg.value, arg.value_two};
}

class LoadedFilter {
 public:
  explicit LoadedFilter(const Seccomp& seccomp) {
    const std::uint32_t fallback = scmp_action(seccomp.default_action, seccomp.default_errno_ret.value_or(EPERM));
    scmp_filter_ctx context = seccomp_init(fallback);
    if (context == nullptr) throw std::runtime_error("seccomp_init");
    for (const SeccompRule& rule : seccomp.rules) {
      const std::uint32_t action = scmp_action(rule.action, rule.errno_ret.value_or(EPERM));
      if (action == fallback) continue;  // as runc does
      for (const std::string& name : rule.names) add(context, action, name, rule.args);
    }
    const int fd = ::memfd_create("filter", MFD_CLOEXEC);
    const int exported = seccomp_export_bpf(context, fd);
    seccomp_release(context);
    if (exported != 0) throw std::runtime_error("seccomp_export_bpf");
    program_.resize(static_cast<std::size_t>(::lseek(fd, 0, SEEK_END)) / sizeof(sock_filter));
    if (::pread(fd, program_.data(), program_.size() * sizeof(sock_filter), 0) < 0) throw std::runtime_error("pread");
    ::close(fd);
  }

  [[nodiscard]] std::size_t instructions() const { return program_.size(); }

  [[nodiscard]] Answer answer(int nr, const CallArgs& args) const {
    const std::uint32_t raw = run(nr, args, native_audit_arch());
    const std::uint32_t data = raw & SECCOMP_RET_DATA;
    switch (raw & SECCOMP_RET_ACTION_FULL) {
      case SECCOMP_RET_KILL_PROCESS: return {SeccompAction::kKillProcess, 0};
      case SECCOMP_RET_KILL_THREAD: return {SeccompAction::kKillThread, 0};
      case SECCOMP_RET_TRAP: return {SeccompAction::kTrap, 0};
      case SECCOMP_RET_ERRNO: return {SeccompAction::kErrno, data};
      case SECCOMP_RET_USER_NOTIF: return {SeccompAction::kNotify, 0};
      case SECCOMP_RET_TRACE: return {SeccompAction::kTrace, data};
      case SECCOMP_RET_LOG: return {SeccompAction::kLog, 0};
      case SECCOMP_RET_ALLOW: return {SeccompAction::kAllow, 0};
      default: throw std::runtime_error("unknown answer");
    }
  }

  [[nodiscard]] std::uint32_t run(int nr, const CallArgs& args, std::uint32_t arch) const {
    seccomp_data data{};
    data.nr = nr;
    data.arch = arch;
    for (std::size_t i = 0; i < args.size(); ++i) data.args[i] = args[i];
    std::uint32_t a = 0;
    for (std::size_t pc = 0; pc < program_.size(); ++pc) {
      const sock_filter& op = program_[pc];
      switch (op.code) {
        case BPF_LD | BPF_W | BPF_ABS: std::memcpy(&a, reinterpret_cast<const char*>(&data) + op.k, sizeof a); break;
        case BPF_ALU | BPF_AND | BPF_K: a &= op.k; break;
        case BPF_JMP | BPF_JA: pc += op.k; break;
        case BPF_JMP | BPF_JEQ | BPF_K: pc += a == op.k ? op.jt : op.jf; break;
        case BPF_JMP | BPF_JGT | BPF_K: pc += a > op.k ? op.jt : op.jf; break;
        case BPF_JMP | BPF_JGE | BPF_K: pc += a >= op.k ? op.jt : op.jf; break;
        case BPF_JMP | BPF_JSET | BPF_K: pc += (a & op.k) != 0 ? op.jt : op.jf; break;
        case BPF_RET | BPF_K: return op.k;
        default: throw std::runtime_error("unexpected instruction");
      }
    }
    throw std::runtime_error("program without an end");
  }

 private:
  static void add(scmp_filter_ctx context, std::uint32_t action, const std::string& name,
                  const std::vector<SeccompArg>& args) {
    const int nr = seccomp_syscall_resolve_name(name.c_str());
    if (nr == __NR_SCMP_ERROR) return;
    std::vector<scmp_arg_cmp> conditions;
    std::map<unsigned, int> count;
    for (const SeccompArg& arg : args) {
      conditions.push_back(scmp_condition(arg));
      ++count[arg.index];
    }
    bool repeated = false;
    for (const auto& [index, n] : count) repeated = repeated || n > 1;
    if (!repeated) {
      check(seccomp_rule_add_array(context, action, nr, static_cast<unsigned>(conditions.size()), conditions.data()));
      return;
    }
    for (const scmp_arg_cmp& one : conditions) check(seccomp_rule_add_array(context, action, nr, 1, &one));
  }
  static void check(int result) {
    // The same rule twice is no fault.
    if (result != 0 && result != -EEXIST) throw std::runtime_error("seccomp_rule_add: " + std::to_string(result));
  }

  std::vector<sock_filter> program_;
};

}  // namespace ward::oci
