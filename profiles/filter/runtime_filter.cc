// SPDX-License-Identifier: Apache-2.0
#include "profiles/filter/runtime_filter.h"

#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>

#include "lib/base/escape.h"
#include "lib/base/unique_fd.h"

namespace ward::filter {
namespace {

constexpr std::uint32_t kX32Bit = 0x40000000;
// libseccomp takes no error number of which the low 16 bits are as many (MAX_ERRNO of the kernel)
// or more.
constexpr std::uint32_t kMaxErrno = 4095;
constexpr std::size_t kMaxShownName = 64;

// Those of runc 1.1.5; later ones know more.
constexpr std::array<std::string_view, 16> kArchsOfEveryRuntime = {
    "SCMP_ARCH_X86",     "SCMP_ARCH_X86_64",   "SCMP_ARCH_X32",         "SCMP_ARCH_ARM",
    "SCMP_ARCH_AARCH64", "SCMP_ARCH_MIPS",     "SCMP_ARCH_MIPS64",      "SCMP_ARCH_MIPS64N32",
    "SCMP_ARCH_MIPSEL",  "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PPC",
    "SCMP_ARCH_PPC64",   "SCMP_ARCH_PPC64LE",  "SCMP_ARCH_S390",        "SCMP_ARCH_S390X"};
constexpr std::string_view kArchPrefix = "SCMP_ARCH_";

using Filter = std::unique_ptr<void, void (*)(void*)>;

std::uint32_t to_scmp(oci::SeccompAction action, const std::optional<std::uint32_t>& errno_ret) {
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

// libseccomp compares a name with every one that it knows, and a document may bring a million.
class Numbers {
 public:
  std::optional<int> of(const std::string& name) {
    const auto [known, added] = numbers_.try_emplace(name, __NR_SCMP_ERROR);
    if (added) known->second = ::seccomp_syscall_resolve_name(name.c_str());
    if (known->second == __NR_SCMP_ERROR) return std::nullopt;
    return known->second;
  }

 private:
  std::map<std::string, int> numbers_;
};

bool is_known_to_every_runtime(std::string_view arch) {
  return std::find(kArchsOfEveryRuntime.begin(), kArchsOfEveryRuntime.end(), arch) !=
         kArchsOfEveryRuntime.end();
}

// libseccomp has the names of the specification in small letters. 0: it does not know it.
std::uint32_t token_of(std::string_view arch) {
  if (!arch.starts_with(kArchPrefix)) return 0;
  std::string name;
  for (const char letter : arch.substr(kArchPrefix.size())) {
    if (letter >= 'a' && letter <= 'z') return 0;
    name += letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  }
  return ::seccomp_arch_resolve_name(name.c_str());
}

// One that libseccomp does not know is left to the runtime: carried_architectures().
Result<void> add_architectures(const Filter& filter, const oci::Seccomp& seccomp) {
  for (const std::string& arch : seccomp.architectures) {
    const std::uint32_t token = token_of(arch);
    const int result = token == 0 ? 0 : ::seccomp_arch_add(filter.get(), token);
    if (result < 0 && result != -EEXIST) {
      return fail_errno("architectures: libseccomp cannot add " + escape(arch, kMaxShownName) +
                            " to a filter of this machine",
                        -result);
    }
  }
  return {};
}

Result<void> check_errno(oci::SeccompAction action, const std::optional<std::uint32_t>& number) {
  if (action != oci::SeccompAction::kErrno || !number || (*number & 0xFFFFU) < kMaxErrno) return {};
  return fail(Code::kInvalidArgument, std::to_string(*number) +
                                          " is no error number that a runtime loads: the low " +
                                          "16 bits must be below " + std::to_string(kMaxErrno));
}

Result<void> add(const Filter& filter, std::uint32_t action, int nr,
                 const std::vector<scmp_arg_cmp>& conditions) {
  const int result = ::seccomp_rule_add_array(
      filter.get(), action, nr, static_cast<unsigned>(conditions.size()), conditions.data());
  return result < 0 ? Result<void>(fail_errno("libseccomp refuses the rule", -result))
                    : Result<void>();
}

// Several conditions on one index become a rule each, which is an OR (K39).
Result<void> add_rule(const Filter& filter, const oci::SeccompRule& rule, std::uint32_t action,
                      int nr) {
  std::vector<scmp_arg_cmp> conditions;
  std::array<int, 6> uses{};
  bool repeated = false;
  for (const oci::SeccompArg& arg : rule.args) {
    if (arg.index >= uses.size()) {
      return fail(Code::kInvalidArgument,
                  "index " + std::to_string(arg.index) + ": a call has arguments 0 to 5");
    }
    conditions.push_back({arg.index, to_scmp(arg.op), arg.value, arg.value_two});
    repeated = repeated || ++uses.at(arg.index) > 1;
  }
  if (!repeated) return add(filter, action, nr, conditions);
  for (const scmp_arg_cmp& condition : conditions) {
    if (auto added = add(filter, action, nr, {condition}); !added) return added;
  }
  return {};
}

// The highest number named; rules that are not loaded count as well.
Result<int> add_rules(const Filter& filter, const oci::Seccomp& seccomp,
                      std::uint32_t default_action) {
  Numbers numbers;
  int highest = 0;
  for (std::size_t i = 0; i < seccomp.rules.size(); ++i) {
    const oci::SeccompRule& rule = seccomp.rules[i];
    const std::string place = "syscalls[" + std::to_string(i) + "]";
    const std::uint32_t action = to_scmp(rule.action, rule.errno_ret);
    for (const std::string& name : rule.names) {
      if (name.empty())
        return fail(Code::kInvalidArgument, place + ": an empty name is no system call");
      if (name == "write" && rule.action == oci::SeccompAction::kNotify) {
        return fail(Code::kInvalidArgument,
                    place + ": the runtime takes no SCMP_ACT_NOTIFY for write");
      }
      const auto nr = numbers.of(name);
      if (!nr) continue;
      highest = std::max(highest, *nr);
      if (action == default_action) continue;
      if (auto taken = check_errno(rule.action, rule.errno_ret); !taken) {
        return fail_with(place + ".errnoRet", std::move(taken).error());
      }
      if (auto added = add_rule(filter, rule, action, *nr); !added) {
        return fail_with(place + ", " + escape(name, kMaxShownName), std::move(added).error());
      }
    }
  }
  return highest;
}

Result<std::vector<sock_filter>> export_program(const Filter& filter) {
  const UniqueFd memory(::memfd_create("filter", MFD_CLOEXEC));
  if (!memory) return fail_errno("memfd_create");
  const int result = ::seccomp_export_bpf(filter.get(), memory.get());
  if (result < 0) return fail_errno("libseccomp makes no program of the rules", -result);
  const off_t size = ::lseek(memory.get(), 0, SEEK_END);
  if (size < 0) return fail_errno("lseek");
  std::vector<sock_filter> program(static_cast<std::size_t>(size) / sizeof(sock_filter));
  if (::pread(memory.get(), program.data(), static_cast<std::size_t>(size), 0) != size)
    return fail_errno("pread");
  return program;
}

// As the runtime sees it: a tracer is to know what it does.
bool allows_by_default(const oci::Seccomp& seccomp) {
  return seccomp.default_action == oci::SeccompAction::kAllow ||
         seccomp.default_action == oci::SeccompAction::kLog ||
         seccomp.default_action == oci::SeccompAction::kTrace;
}

// Numbers above the highest one named answer ENOSYS: the last two instructions are "go on with the
// filter" and that.
void prepend_stub(std::vector<sock_filter>& program, int highest) {
  const std::vector<sock_filter> stub = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, oci::native_audit_arch(), 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, kX32Bit, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, static_cast<std::uint32_t>(highest), 1, 0),
      BPF_STMT(BPF_JMP | BPF_JA, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
  };
  program.insert(program.begin(), stub.begin(), stub.end());
}

}  // namespace

RuntimeHabits habits_of_version(std::string_view text) {
  constexpr std::string_view kBefore = "runc version ";
  const std::size_t at = text.find(kBefore);
  if (at == std::string_view::npos) return {};
  std::array<unsigned, 3> version{};
  const char* from = text.data() + at + kBefore.size();
  const char* const end = text.data() + text.size();
  for (unsigned& number : version) {
    const auto [next, error] = std::from_chars(from, end, number);
    if (error != std::errc()) break;
    from = next;
    if (from == end || *from != '.') break;
    ++from;
  }
  return {.stub_where_unlisted = version >= std::array<unsigned, 3>{1, 1, 15}};
}

std::vector<std::string> carried_architectures(const oci::Seccomp& seccomp) {
  std::vector<std::string> carried;
  for (const std::string& arch : seccomp.architectures) {
    if (arch == oci::native_scmp_arch() || !is_known_to_every_runtime(arch))
      carried.push_back(arch);
  }
  return carried;
}

bool notifies(const oci::Seccomp& seccomp) {
  return std::any_of(seccomp.rules.begin(), seccomp.rules.end(), [](const oci::SeccompRule& rule) {
    return rule.action == oci::SeccompAction::kNotify && !rule.names.empty();
  });
}

bool lists_native_arch(const oci::Seccomp& seccomp) {
  const auto& listed = seccomp.architectures;
  return std::find(listed.begin(), listed.end(), oci::native_scmp_arch()) != listed.end();
}

bool depends_on_habits(const oci::Seccomp& seccomp) {
  return !allows_by_default(seccomp) && !lists_native_arch(seccomp);
}

Result<FilterProgram> make_runtime_filter(const oci::Seccomp& seccomp,
                                          const RuntimeHabits& habits) {
  if (seccomp.default_action == oci::SeccompAction::kNotify) {
    return fail(Code::kInvalidArgument,
                "defaultAction: the runtime takes no SCMP_ACT_NOTIFY there");
  }
  if (auto taken = check_errno(seccomp.default_action, seccomp.default_errno_ret); !taken) {
    return fail_with("defaultErrnoRet", std::move(taken).error());
  }
  const std::uint32_t default_action = to_scmp(seccomp.default_action, seccomp.default_errno_ret);
  const Filter filter(::seccomp_init(default_action), ::seccomp_release);
  if (!filter) return fail(Code::kInvalidArgument, "defaultAction: libseccomp does not take it");
  if (auto added = add_architectures(filter, seccomp); !added)
    return tl::unexpected(std::move(added).error());
  const auto highest = add_rules(filter, seccomp, default_action);
  if (!highest) return tl::unexpected(highest.error());
  auto program = export_program(filter);
  if (!program) return tl::unexpected(std::move(program).error());
  const bool has_stub =
      !allows_by_default(seccomp) && (lists_native_arch(seccomp) || habits.stub_where_unlisted);
  if (has_stub && *highest > 0) prepend_stub(*program, *highest);
  return FilterProgram::check(*std::move(program));
}

}  // namespace ward::filter
