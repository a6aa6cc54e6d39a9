// SPDX-License-Identifier: Apache-2.0
#include "tests/support/seccomp_evaluator.h"

#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "lib/base/unique_fd.h"

namespace ward::testing {
namespace {

constexpr std::uint32_t kX32Bit = 0x40000000;

std::uint32_t to_scmp(oci::SeccompAction action, std::optional<std::uint32_t> errno_ret) {
  switch (action) {
    case oci::SeccompAction::kKillThread: return SCMP_ACT_KILL_THREAD;
    case oci::SeccompAction::kKillProcess: return SCMP_ACT_KILL_PROCESS;
    case oci::SeccompAction::kTrap: return SCMP_ACT_TRAP;
    case oci::SeccompAction::kErrno: return SCMP_ACT_ERRNO(errno_ret.value_or(EPERM));
    case oci::SeccompAction::kTrace: return SCMP_ACT_TRACE(errno_ret.value_or(EPERM));
    case oci::SeccompAction::kAllow: return SCMP_ACT_ALLOW;
    case oci::SeccompAction::kLog: return SCMP_ACT_LOG;
    case oci::SeccompAction::kNotify: return SCMP_ACT_NOTIFY;
  }
  std::abort();
}

scmp_compare to_scmp(oci::CompareOp op) {
  switch (op) {
    case oci::CompareOp::kNe: return SCMP_CMP_NE;
    case oci::CompareOp::kLt: return SCMP_CMP_LT;
    case oci::CompareOp::kLe: return SCMP_CMP_LE;
    case oci::CompareOp::kEq: return SCMP_CMP_EQ;
    case oci::CompareOp::kGe: return SCMP_CMP_GE;
    case oci::CompareOp::kGt: return SCMP_CMP_GT;
    case oci::CompareOp::kMaskedEq: return SCMP_CMP_MASKED_EQ;
    default: std::abort();  // no rule has it
  }
}

Result<void> add(scmp_filter_ctx filter, std::uint32_t action, int nr,
                 const std::vector<scmp_arg_cmp>& conditions) {
  const int result = seccomp_rule_add_array(
      filter, action, nr, static_cast<unsigned>(conditions.size()), conditions.data());
  if (result < 0) return fail_errno("seccomp_rule_add of number " + std::to_string(nr), -result);
  return {};
}

// One OCI rule for one name. Several conditions on one index become a rule each: runc's "old
// behaviour", an OR (note K3).
Result<void> add_rule(scmp_filter_ctx filter, const oci::SeccompRule& rule, std::uint32_t action,
                      int nr) {
  std::vector<scmp_arg_cmp> conditions;
  std::array<int, 6> uses{};
  bool repeated = false;
  for (const oci::SeccompArg& arg : rule.args) {
    if (arg.index > 5) return fail(Code::kInvalidArgument, "argument index above 5");
    conditions.push_back({arg.index, to_scmp(arg.op), arg.value, arg.value_two});
    repeated = repeated || ++uses.at(arg.index) > 1;
  }
  if (!repeated) return add(filter, action, nr, conditions);
  for (const scmp_arg_cmp& condition : conditions) {
    if (auto added = add(filter, action, nr, {condition}); !added) return added;
  }
  return {};
}

Result<void> check_flags(const oci::Seccomp& seccomp, const Stock& stock) {
  if (!seccomp.flags || seccomp.flags->empty()) return {};
  if (!stock.takes_flags) return fail(Code::kInvalidArgument, "runc 1.1 refuses flags");
  for (const std::string& flag : *seccomp.flags) {
    const bool known = flag == "SECCOMP_FILTER_FLAG_TSYNC" || flag == "SECCOMP_FILTER_FLAG_LOG" ||
                       flag == "SECCOMP_FILTER_FLAG_SPEC_ALLOW";
    if (!known) return fail(Code::kInvalidArgument, "runc does not know flag " + flag);
  }
  return {};
}

Result<void> check(const oci::Seccomp& seccomp) {
  if (seccomp.default_action == oci::SeccompAction::kNotify) {
    return fail(Code::kInvalidArgument, "runc refuses SCMP_ACT_NOTIFY as default action");
  }
  for (const oci::SeccompRule& rule : seccomp.rules) {
    for (const std::string& name : rule.names) {
      if (name.empty()) return fail(Code::kInvalidArgument, "runc refuses an empty name");
      if (name == "write" && rule.action == oci::SeccompAction::kNotify) {
        return fail(Code::kInvalidArgument, "runc refuses SCMP_ACT_NOTIFY on write");
      }
    }
  }
  return {};
}

struct Arch {
  const char* name;
  std::uint32_t token;
};
constexpr Arch kArchs[] = {{"SCMP_ARCH_X86", SCMP_ARCH_X86},
                           {"SCMP_ARCH_X86_64", SCMP_ARCH_X86_64},
                           {"SCMP_ARCH_X32", SCMP_ARCH_X32},
                           {"SCMP_ARCH_ARM", SCMP_ARCH_ARM},
                           {"SCMP_ARCH_AARCH64", SCMP_ARCH_AARCH64},
                           {"SCMP_ARCH_MIPS", SCMP_ARCH_MIPS},
                           {"SCMP_ARCH_MIPS64", SCMP_ARCH_MIPS64},
                           {"SCMP_ARCH_MIPS64N32", SCMP_ARCH_MIPS64N32},
                           {"SCMP_ARCH_MIPSEL", SCMP_ARCH_MIPSEL},
                           {"SCMP_ARCH_MIPSEL64", SCMP_ARCH_MIPSEL64},
                           {"SCMP_ARCH_MIPSEL64N32", SCMP_ARCH_MIPSEL64N32},
                           {"SCMP_ARCH_PPC", SCMP_ARCH_PPC},
                           {"SCMP_ARCH_PPC64", SCMP_ARCH_PPC64},
                           {"SCMP_ARCH_PPC64LE", SCMP_ARCH_PPC64LE},
                           {"SCMP_ARCH_S390", SCMP_ARCH_S390},
                           {"SCMP_ARCH_S390X", SCMP_ARCH_S390X}};

Result<void> add_architectures(scmp_filter_ctx filter,
                               const std::vector<std::string>& architectures) {
  for (const std::string& name : architectures) {
    const auto* const arch = std::find_if(std::begin(kArchs), std::end(kArchs),
                                          [&](const Arch& known) { return known.name == name; });
    if (arch == std::end(kArchs))
      return fail(Code::kInvalidArgument, "unknown architecture " + name);
    const int result = seccomp_arch_add(filter, arch->token);
    if (result < 0 && result != -EEXIST) return fail_errno("seccomp_arch_add", -result);
  }
  return {};
}

Result<std::vector<sock_filter>> export_program(scmp_filter_ctx filter) {
  const UniqueFd memory(memfd_create("filter", MFD_CLOEXEC));
  if (memory.get() < 0) return fail_errno("memfd_create");
  const int result = seccomp_export_bpf(filter, memory.get());
  if (result < 0) return fail_errno("seccomp_export_bpf", -result);
  const off_t size = lseek(memory.get(), 0, SEEK_END);
  std::vector<sock_filter> program(static_cast<std::size_t>(size) / sizeof(sock_filter));
  if (pread(memory.get(), program.data(), static_cast<std::size_t>(size), 0) != size)
    return fail_errno("pread");
  return program;
}

bool jumps(const sock_filter& instruction, std::uint32_t accumulator) {
  switch (BPF_OP(instruction.code)) {
    case BPF_JEQ: return accumulator == instruction.k;
    case BPF_JGT: return accumulator > instruction.k;
    case BPF_JGE: return accumulator >= instruction.k;
    case BPF_JSET: return (accumulator & instruction.k) != 0;
    default:
      std::fprintf(stderr, "BPF jump 0x%x is not known here\n", instruction.code);
      std::abort();
  }
}

// The instructions that libseccomp emits. An unknown one ends the test: a guess would be no oracle.
std::uint32_t run(const std::vector<sock_filter>& program, const seccomp_data& data) {
  std::uint32_t accumulator = 0;
  for (std::size_t pc = 0; pc < program.size(); ++pc) {
    const sock_filter& instruction = program[pc];
    switch (instruction.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        if (instruction.k + sizeof(accumulator) > sizeof(data)) std::abort();
        std::memcpy(&accumulator, reinterpret_cast<const char*>(&data) + instruction.k,
                    sizeof(accumulator));
        break;
      case BPF_ALU | BPF_AND | BPF_K: accumulator &= instruction.k; break;
      case BPF_JMP | BPF_JA: pc += instruction.k; break;
      case BPF_RET | BPF_K: return instruction.k;
      default:
        if (BPF_CLASS(instruction.code) != BPF_JMP || BPF_SRC(instruction.code) != BPF_K) {
          std::fprintf(stderr, "BPF instruction 0x%x is not known here\n", instruction.code);
          std::abort();
        }
        pc += jumps(instruction, accumulator) ? instruction.jt : instruction.jf;
    }
  }
  std::abort();  // the kernel would have refused a program without a final return
}

}  // namespace

Result<SeccompEvaluator> SeccompEvaluator::compile(const oci::Seccomp& seccomp,
                                                   const Stock& stock) {
  if (auto checked = check(seccomp); !checked) return tl::unexpected<Error>(checked.error());
  if (auto checked = check_flags(seccomp, stock); !checked)
    return tl::unexpected<Error>(checked.error());
  const std::uint32_t default_action = to_scmp(seccomp.default_action, seccomp.default_errno_ret);
  const std::unique_ptr<void, void (*)(void*)> filter(seccomp_init(default_action),
                                                      seccomp_release);
  if (!filter) return fail(Code::kInvalidArgument, "seccomp_init refused the default action");
  if (auto added = add_architectures(filter.get(), seccomp.architectures); !added)
    return tl::unexpected<Error>(added.error());
  SeccompEvaluator evaluator;
  std::size_t names = 0;
  for (const oci::SeccompRule& rule : seccomp.rules) names += rule.names.size();
  if (stock.optimizes && names > 32) seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  for (const oci::SeccompRule& rule : seccomp.rules) {
    const std::uint32_t action = to_scmp(rule.action, rule.errno_ret);
    for (const std::string& name : rule.names) {
      const int nr = seccomp_syscall_resolve_name(name.c_str());
      if (nr == __NR_SCMP_ERROR) continue;  // runc skips what this libseccomp does not know
      evaluator.last_nr_ = std::max(evaluator.last_nr_, nr);
      if (action == default_action) continue;  // runc skips these, libseccomp would refuse them
      if (auto added = add_rule(filter.get(), rule, action, nr); !added) {
        return fail_with("rule for " + name, added.error());
      }
    }
  }
  // runc's stub, for filters that do not allow by default (or leave it to a tracer) and name a call
  // above 0.
  const bool allows = seccomp.default_action == oci::SeccompAction::kAllow ||
                      seccomp.default_action == oci::SeccompAction::kLog ||
                      seccomp.default_action == oci::SeccompAction::kTrace;
  const auto& listed = seccomp.architectures;
  const bool lists_native =
      std::find(listed.begin(), listed.end(), oci::native_scmp_arch()) != listed.end();
  evaluator.has_stub_ =
      !allows && evaluator.last_nr_ > 0 && (lists_native || stock.stub_where_unlisted);
  auto program = export_program(filter.get());
  if (!program) return tl::unexpected<Error>(program.error());
  evaluator.program_ = std::move(*program);
  return evaluator;
}

std::uint32_t SeccompEvaluator::evaluate(int nr, const std::array<std::uint64_t, 6>& args,
                                         std::uint32_t arch) const {
  const bool native =
      arch == oci::native_audit_arch() && (static_cast<std::uint32_t>(nr) & kX32Bit) == 0;
  if (has_stub_ && native && nr > last_nr_) return SECCOMP_RET_ERRNO | ENOSYS;
  seccomp_data data{};
  data.nr = nr;
  data.arch = arch;
  for (std::size_t i = 0; i < args.size(); ++i) data.args[i] = args.at(i);
  return run(program_, data);
}

std::uint32_t SeccompEvaluator::evaluate(int nr, const std::array<std::uint64_t, 6>& args) const {
  return evaluate(nr, args, oci::native_audit_arch());
}

std::uint32_t evaluate(const oci::Seccomp& seccomp, int nr,
                       const std::array<std::uint64_t, 6>& args, std::uint32_t arch) {
  const auto evaluator = SeccompEvaluator::compile(seccomp);
  if (!evaluator) {
    std::fprintf(stderr, "runc would refuse this filter: %s\n", evaluator.error().message.c_str());
    std::abort();
  }
  return evaluator->evaluate(nr, args, arch);
}

}  // namespace ward::testing
