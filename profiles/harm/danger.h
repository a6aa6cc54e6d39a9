// SPDX-License-Identifier: Apache-2.0
// The danger set: calls, and values of arguments, that learning alone never allows. A profile that
// allows one needs an `accept` with a reason. Which ones they are, and why, stands in
// harm/classes.yaml: class danger.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "profiles/profile.h"

namespace ward::profiles {

inline constexpr std::uint64_t kNamespaceFlags =
    0x7E020000;  // CLONE_NEWNS, CGROUP, UTS, IPC, USER, PID, NET

// Dangerous whatever its arguments: mount, ptrace, bpf, ...
bool is_dangerous_call(std::string_view syscall);
const std::vector<std::string_view>& dangerous_calls();  // sorted

struct DangerousValue {
  std::string_view syscall;
  std::uint32_t index;
  std::uint32_t value;
};
const std::vector<DangerousValue>&
dangerous_values();  // clone's flags are a mask, so they are not here: kNamespaceFlags

// Capabilities that reach beyond the container: into the runtime's init, other processes' memory,
// the kernel, or what no namespace divides. A profile that lists one needs a signature of its own.
struct DangerousCapability {
  std::string_view name;
  std::string_view reason;  // what it opens, for people
};
const std::vector<DangerousCapability>& dangerous_capabilities();  // sorted by name
bool is_dangerous_capability(std::string_view name);
bool is_signed_for(const std::vector<Accept>& accept, std::string_view capability);

// Dangerous with this value: socket(AF_ALG), prctl(PR_SET_SECCOMP), clone with a namespace flag.
bool is_dangerous_value(std::string_view syscall, std::uint32_t index, std::uint64_t value);

// What of the entry is dangerous, for people: "" where nothing is. An entry without a filter on an
// argument that has dangerous values allows them all; clone is the exception, because the compiler
// filters its namespace flags.
std::string describe_danger(const SyscallEntry& entry);

// What of an entry no `accept` covers. A signature covers the whole call where it has no arguments,
// else what it names, all of it together: one for socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE) says
// nothing about AF_ALG, nor about AF_NETLINK with another protocol.
struct UnsignedDanger {
  std::string what;  // "socket(AF_NETLINK)"
  ArgFilters args;  // those of a signature for exactly this; empty: it takes one for the whole call
};
std::vector<UnsignedDanger> find_unsigned_dangers(const SyscallEntry& entry,
                                                  const std::vector<Accept>& accept);
std::optional<UnsignedDanger> find_unsigned_danger(const SyscallEntry& entry,
                                                   const std::vector<Accept>& accept);
std::string describe_unsigned_danger(const SyscallEntry& entry,
                                     const std::vector<Accept>& accept);  // "": nothing

// "socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)", of all values that the filters name.
std::string describe_call(std::string_view syscall, const ArgFilters& args);

}  // namespace ward::profiles
