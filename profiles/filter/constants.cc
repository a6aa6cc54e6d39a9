// SPDX-License-Identifier: Apache-2.0
// Values are the kernel's ABI (include/uapi), written as numbers: the headers of the machine that
// builds may be older.
#include "profiles/filter/constants.h"

#include <optional>
#include <span>
#include <vector>

#include "lib/base/escape.h"
#include "lib/oci/nearest.h"

namespace ward::filter {
namespace {

struct Constant {
  std::string_view name;
  std::uint64_t value;
};

constexpr Constant kAddressFamilies[] = {
    {"AF_UNSPEC", 0},   {"AF_UNIX", 1}, {"AF_INET", 2},     {"AF_AX25", 3},       {"AF_IPX", 4},
    {"AF_INET6", 10},   {"AF_KEY", 15}, {"AF_NETLINK", 16}, {"AF_PACKET", 17},    {"AF_RDS", 21},
    {"AF_PPPOX", 24},   {"AF_CAN", 29}, {"AF_TIPC", 30},    {"AF_BLUETOOTH", 31}, {"AF_IUCV", 32},
    {"AF_RXRPC", 33},   {"AF_ALG", 38}, {"AF_NFC", 39},     {"AF_VSOCK", 40},     {"AF_KCM", 41},
    {"AF_QIPCRTR", 42}, {"AF_SMC", 43}, {"AF_XDP", 44},     {"AF_MCTP", 45}};
constexpr Constant kSocketTypes[] = {{"SOCK_STREAM", 1}, {"SOCK_DGRAM", 2},     {"SOCK_RAW", 3},
                                     {"SOCK_RDM", 4},    {"SOCK_SEQPACKET", 5}, {"SOCK_DCCP", 6},
                                     {"SOCK_PACKET", 10}};
constexpr Constant kCloneFlags[] = {{"CLONE_NEWTIME", 0x80},
                                    {"CLONE_VM", 0x100},
                                    {"CLONE_FS", 0x200},
                                    {"CLONE_FILES", 0x400},
                                    {"CLONE_SIGHAND", 0x800},
                                    {"CLONE_PIDFD", 0x1000},
                                    {"CLONE_PTRACE", 0x2000},
                                    {"CLONE_VFORK", 0x4000},
                                    {"CLONE_PARENT", 0x8000},
                                    {"CLONE_THREAD", 0x10000},
                                    {"CLONE_NEWNS", 0x20000},
                                    {"CLONE_SYSVSEM", 0x40000},
                                    {"CLONE_SETTLS", 0x80000},
                                    {"CLONE_PARENT_SETTID", 0x100000},
                                    {"CLONE_CHILD_CLEARTID", 0x200000},
                                    {"CLONE_DETACHED", 0x400000},
                                    {"CLONE_UNTRACED", 0x800000},
                                    {"CLONE_CHILD_SETTID", 0x1000000},
                                    {"CLONE_NEWCGROUP", 0x2000000},
                                    {"CLONE_NEWUTS", 0x4000000},
                                    {"CLONE_NEWIPC", 0x8000000},
                                    {"CLONE_NEWUSER", 0x10000000},
                                    {"CLONE_NEWPID", 0x20000000},
                                    {"CLONE_NEWNET", 0x40000000},
                                    {"CLONE_IO", 0x80000000}};
constexpr Constant kPrctl[] = {{"PR_SET_PDEATHSIG", 1},
                               {"PR_GET_PDEATHSIG", 2},
                               {"PR_GET_DUMPABLE", 3},
                               {"PR_SET_DUMPABLE", 4},
                               {"PR_GET_UNALIGN", 5},
                               {"PR_SET_UNALIGN", 6},
                               {"PR_GET_KEEPCAPS", 7},
                               {"PR_SET_KEEPCAPS", 8},
                               {"PR_GET_FPEMU", 9},
                               {"PR_SET_FPEMU", 10},
                               {"PR_GET_FPEXC", 11},
                               {"PR_SET_FPEXC", 12},
                               {"PR_GET_TIMING", 13},
                               {"PR_SET_TIMING", 14},
                               {"PR_SET_NAME", 15},
                               {"PR_GET_NAME", 16},
                               {"PR_GET_ENDIAN", 19},
                               {"PR_SET_ENDIAN", 20},
                               {"PR_GET_SECCOMP", 21},
                               {"PR_SET_SECCOMP", 22},
                               {"PR_CAPBSET_READ", 23},
                               {"PR_CAPBSET_DROP", 24},
                               {"PR_GET_TSC", 25},
                               {"PR_SET_TSC", 26},
                               {"PR_GET_SECUREBITS", 27},
                               {"PR_SET_SECUREBITS", 28},
                               {"PR_SET_TIMERSLACK", 29},
                               {"PR_GET_TIMERSLACK", 30},
                               {"PR_TASK_PERF_EVENTS_DISABLE", 31},
                               {"PR_TASK_PERF_EVENTS_ENABLE", 32},
                               {"PR_MCE_KILL", 33},
                               {"PR_MCE_KILL_GET", 34},
                               {"PR_SET_MM", 35},
                               {"PR_SET_CHILD_SUBREAPER", 36},
                               {"PR_GET_CHILD_SUBREAPER", 37},
                               {"PR_SET_NO_NEW_PRIVS", 38},
                               {"PR_GET_NO_NEW_PRIVS", 39},
                               {"PR_GET_TID_ADDRESS", 40},
                               {"PR_SET_THP_DISABLE", 41},
                               {"PR_GET_THP_DISABLE", 42},
                               {"PR_MPX_ENABLE_MANAGEMENT", 43},
                               {"PR_MPX_DISABLE_MANAGEMENT", 44},
                               {"PR_SET_FP_MODE", 45},
                               {"PR_GET_FP_MODE", 46},
                               {"PR_CAP_AMBIENT", 47},
                               {"PR_SVE_SET_VL", 50},
                               {"PR_SVE_GET_VL", 51},
                               {"PR_GET_SPECULATION_CTRL", 52},
                               {"PR_SET_SPECULATION_CTRL", 53},
                               {"PR_PAC_RESET_KEYS", 54},
                               {"PR_SET_TAGGED_ADDR_CTRL", 55},
                               {"PR_GET_TAGGED_ADDR_CTRL", 56},
                               {"PR_SET_IO_FLUSHER", 57},
                               {"PR_GET_IO_FLUSHER", 58},
                               {"PR_SET_SYSCALL_USER_DISPATCH", 59},
                               {"PR_PAC_SET_ENABLED_KEYS", 60},
                               {"PR_PAC_GET_ENABLED_KEYS", 61},
                               {"PR_SCHED_CORE", 62},
                               {"PR_SME_SET_VL", 63},
                               {"PR_SME_GET_VL", 64},
                               {"PR_SET_MDWE", 65},
                               {"PR_GET_MDWE", 66},
                               {"PR_SET_MEMORY_MERGE", 67},
                               {"PR_GET_MEMORY_MERGE", 68},
                               {"PR_RISCV_V_SET_CONTROL", 69},
                               {"PR_RISCV_V_GET_CONTROL", 70},
                               {"PR_RISCV_SET_ICACHE_FLUSH_CTX", 71},
                               {"PR_PPC_GET_DEXCR", 72},
                               {"PR_PPC_SET_DEXCR", 73},
                               {"PR_GET_SHADOW_STACK_STATUS", 74},
                               {"PR_SET_SHADOW_STACK_STATUS", 75},
                               {"PR_LOCK_SHADOW_STACK_STATUS", 76},
                               {"PR_TIMER_CREATE_RESTORE_IDS", 77},
                               {"PR_FUTEX_HASH", 78},
                               {"PR_SET_VMA", 0x53564d41},
                               {"PR_SET_PTRACER", 0x59616d61}};
constexpr Constant kSocketLevels[] = {{"SOL_IP", 0},        {"SOL_SOCKET", 1}, {"SOL_TCP", 6},
                                      {"SOL_UDP", 17},      {"SOL_IPV6", 41},  {"SOL_SCTP", 132},
                                      {"SOL_UDPLITE", 136}, {"SOL_RAW", 255},  {"SOL_PACKET", 263},
                                      {"SOL_NETLINK", 270}, {"SOL_ALG", 279},  {"SOL_TLS", 282},
                                      {"SOL_MPTCP", 284},   {"SOL_VSOCK", 287}};
constexpr Constant kPersonality[] = {{"PER_LINUX", 0},
                                     {"PER_LINUX32", 8},
                                     {"UNAME26", 0x20000},
                                     {"ADDR_NO_RANDOMIZE", 0x40000},
                                     {"READ_IMPLIES_EXEC", 0x400000},
                                     {"ADDR_LIMIT_32BIT", 0x800000},
                                     {"ADDR_COMPAT_LAYOUT", 0x200000},
                                     {"PERSONALITY_QUERY", 0xffffffff}};
constexpr Constant kFcntl[] = {
    {"F_DUPFD", 0},         {"F_GETFD", 1},         {"F_SETFD", 2},
    {"F_GETFL", 3},         {"F_SETFL", 4},         {"F_GETLK", 5},
    {"F_SETLK", 6},         {"F_SETLKW", 7},        {"F_SETOWN", 8},
    {"F_GETOWN", 9},        {"F_SETSIG", 10},       {"F_GETSIG", 11},
    {"F_SETOWN_EX", 15},    {"F_GETOWN_EX", 16},    {"F_OFD_GETLK", 36},
    {"F_OFD_SETLK", 37},    {"F_OFD_SETLKW", 38},   {"F_SETLEASE", 1024},
    {"F_GETLEASE", 1025},   {"F_NOTIFY", 1026},     {"F_DUPFD_CLOEXEC", 1030},
    {"F_SETPIPE_SZ", 1031}, {"F_GETPIPE_SZ", 1032}, {"F_ADD_SEALS", 1033},
    {"F_GET_SEALS", 1034}};
constexpr Constant kIoctl[] = {
    {"TCGETS", 0x5401},         {"TCSETS", 0x5402},     {"TCSETSW", 0x5403},
    {"TCSETSF", 0x5404},        {"TIOCSCTTY", 0x540e},  {"TIOCGPGRP", 0x540f},
    {"TIOCSPGRP", 0x5410},      {"TIOCSTI", 0x5412},    {"TIOCGWINSZ", 0x5413},
    {"TIOCSWINSZ", 0x5414},     {"FIONREAD", 0x541b},   {"TIOCLINUX", 0x541c},
    {"FIONBIO", 0x5421},        {"TIOCNOTTY", 0x5422},  {"TIOCGPTN", 0x80045430},
    {"TIOCSPTLCK", 0x40045431}, {"FIONCLEX", 0x5450},   {"FIOCLEX", 0x5451},
    {"FIOASYNC", 0x5452},       {"FICLONE", 0x40049409}};
constexpr Constant kProtection[] = {{"PROT_NONE", 0x0},
                                    {"PROT_READ", 0x1},
                                    {"PROT_WRITE", 0x2},
                                    {"PROT_EXEC", 0x4},
                                    {"PROT_GROWSDOWN", 0x1000000},
                                    {"PROT_GROWSUP", 0x2000000}};
constexpr Constant kSeccomp[] = {{"SECCOMP_SET_MODE_STRICT", 0},
                                 {"SECCOMP_SET_MODE_FILTER", 1},
                                 {"SECCOMP_GET_ACTION_AVAIL", 2},
                                 {"SECCOMP_GET_NOTIF_SIZES", 3}};

constexpr Constant kNetlink[] = {
    {"NETLINK_ROUTE", 0},       {"NETLINK_USERSOCK", 2},       {"NETLINK_FIREWALL", 3},
    {"NETLINK_SOCK_DIAG", 4},   {"NETLINK_NFLOG", 5},          {"NETLINK_XFRM", 6},
    {"NETLINK_SELINUX", 7},     {"NETLINK_ISCSI", 8},          {"NETLINK_AUDIT", 9},
    {"NETLINK_FIB_LOOKUP", 10}, {"NETLINK_CONNECTOR", 11},     {"NETLINK_NETFILTER", 12},
    {"NETLINK_IP6_FW", 13},     {"NETLINK_DNRTMSG", 14},       {"NETLINK_KOBJECT_UEVENT", 15},
    {"NETLINK_GENERIC", 16},    {"NETLINK_SCSITRANSPORT", 18}, {"NETLINK_ECRYPTFS", 19},
    {"NETLINK_RDMA", 20},       {"NETLINK_CRYPTO", 21},        {"NETLINK_SMC", 22}};

struct Vocabulary {
  std::string_view syscall;
  std::uint32_t index;
  std::span<const Constant> constants;
  bool flags;  // may be joined by '|'
};

constexpr Vocabulary kVocabularies[] = {
    {"socket", 0, kAddressFamilies, false},
    {"socketpair", 0, kAddressFamilies, false},
    {"socket", 1, kSocketTypes, false},
    {"socketpair", 1, kSocketTypes, false},
    {kNetlinkSocket, 0, kAddressFamilies, false},
    {kNetlinkSocket, 1, kSocketTypes, false},
    {kNetlinkSocket, 2, kNetlink, false},
    {"clone", 0, kCloneFlags, true},
    {"unshare", 0, kCloneFlags, true},
    {"setns", 1, kCloneFlags, true},
    {"prctl", 0, kPrctl, false},
    {"setsockopt", 1, kSocketLevels, false},
    {"getsockopt", 1, kSocketLevels, false},
    {"personality", 0, kPersonality, false},
    {"fcntl", 1, kFcntl, false},
    {"ioctl", 1, kIoctl, false},
    {"mmap", 2, kProtection, true},
    {"mprotect", 2, kProtection, true},
    {"pkey_mprotect", 2, kProtection, true},
    {"seccomp", 0, kSeccomp, false},
};

const Vocabulary* find_vocabulary(std::string_view syscall, std::uint32_t index) {
  for (const Vocabulary& vocabulary : kVocabularies) {
    if (vocabulary.syscall == syscall && vocabulary.index == index) return &vocabulary;
  }
  return nullptr;
}

std::optional<std::uint64_t> find_value(const Vocabulary* vocabulary, std::string_view name) {
  if (vocabulary == nullptr) return std::nullopt;
  for (const Constant& constant : vocabulary->constants) {
    if (constant.name == name) return constant.value;
  }
  return std::nullopt;
}

std::string some_of(const std::vector<std::string_view>& names) {
  constexpr std::size_t kEnough = 4;
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < kEnough; ++i)
    text += (i == 0 ? "" : ", ") + std::string(names[i]);
  return text + (names.size() > kEnough ? " and so on" : "");
}

Result<std::uint64_t> parse_word(const Vocabulary* vocabulary, std::string_view word) {
  if (!word.empty() && word.front() >= '0' && word.front() <= '9') return parse_number(word);
  if (const auto value = find_value(vocabulary, word)) return *value;
  std::string message = "unknown value '" + escape(word, 60) + "'";
  if (vocabulary == nullptr) {
    message += ": this argument has no named values, write a number such as 16 or 0x10";
  } else {
    std::vector<std::string_view> names;
    for (const Constant& constant : vocabulary->constants) names.push_back(constant.name);
    const std::string near = oci::hint(word, names);
    const bool protocol = vocabulary->syscall == kNetlinkSocket && vocabulary->index == 2;
    const std::string all =
        protocol ? ": protocols have names in the family AF_NETLINK only (" + some_of(names) + ")"
                 : ": the names are " + some_of(names);
    message += near.empty() ? all + "; or write a number such as 16 or 0x10" : near;
  }
  return fail(Code::kInvalidArgument, message);
}

std::string format_flags(const Vocabulary& vocabulary, std::uint64_t value) {
  std::string text;
  for (const Constant& constant : vocabulary.constants) {
    if (constant.value == 0 || (value & constant.value) != constant.value) continue;
    text += (text.empty() ? "" : "|");
    text += constant.name;
    value &= ~constant.value;
  }
  if (value != 0) text += (text.empty() ? "" : "|") + format_hex(value);
  return text;
}

}  // namespace

std::string format_hex(std::uint64_t value) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string digits;
  do {
    digits.insert(digits.begin(), kDigits[value & 15U]);
    value >>= 4U;
  } while (value != 0);
  return "0x" + digits;
}

Result<std::uint64_t> parse_number(std::string_view text) {
  const bool is_hex = text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
  const auto malformed = [&] {
    return fail(
        Code::kInvalidArgument,
        "'" + escape(text, 60) + "' is not a whole number from 0 to 2^64-1, such as 16 or 0x10");
  };
  const std::string_view digits = is_hex ? text.substr(2) : text;
  const std::uint64_t base = is_hex ? 16 : 10;
  // A leading zero would be read as octal by some people and tools.
  if (digits.empty() || (!is_hex && digits.size() > 1 && digits[0] == '0')) return malformed();
  std::uint64_t value = 0;
  for (const char c : digits) {
    std::uint64_t digit = 16;
    if (c >= '0' && c <= '9') digit = static_cast<std::uint64_t>(c - '0');
    if (c >= 'a' && c <= 'f') digit = static_cast<std::uint64_t>(c - 'a') + 10;
    if (c >= 'A' && c <= 'F') digit = static_cast<std::uint64_t>(c - 'A') + 10;
    if (digit >= base || value > (~std::uint64_t{0} - digit) / base) return malformed();
    value = value * base + digit;
  }
  return value;
}

Result<std::uint64_t> parse_argument_value(std::string_view syscall, std::uint32_t index,
                                           std::string_view text) {
  const Vocabulary* vocabulary = find_vocabulary(syscall, index);
  if (text.find('|') == std::string_view::npos) return parse_word(vocabulary, text);
  if (vocabulary == nullptr || !vocabulary->flags) {
    return fail(Code::kInvalidArgument,
                "'" + escape(text, 60) + "': values of this argument cannot be joined by '|'");
  }
  std::uint64_t value = 0;
  while (true) {
    const std::size_t bar = text.find('|');
    auto word = parse_word(vocabulary, text.substr(0, bar));
    if (!word) return word;
    value |= *word;
    if (bar == std::string_view::npos) return value;
    text.remove_prefix(bar + 1);
  }
}

std::string format_argument_value(std::string_view syscall, std::uint32_t index,
                                  std::uint64_t value) {
  const Vocabulary* vocabulary = find_vocabulary(syscall, index);
  if (vocabulary != nullptr) {
    for (const Constant& constant : vocabulary->constants) {
      if (constant.value == value) return std::string(constant.name);
    }
    if (vocabulary->flags && value != 0) return format_flags(*vocabulary, value);
  }
  return value > 0xFFFF ? format_hex(value) : std::to_string(value);
}

}  // namespace ward::filter
