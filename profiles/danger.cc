// SPDX-License-Identifier: Apache-2.0
#include "profiles/danger.h"

#include <algorithm>

#include "profiles/constants.h"
#include "profiles/harm/harm_table.h"

namespace ward::profiles {
namespace {

// Is there an argument that the filter admits and the kernel takes for `value`? These arguments are ints, so the kernel
// looks at the lower half only, and an exact 64-bit value such as 0x100000026 is AF_ALG to it.
bool admits(const ArgFilter& filter, std::uint32_t value) {
  if (!filter.none_of.empty()) return !std::binary_search(filter.none_of.begin(), filter.none_of.end(), value);
  const auto mask = static_cast<std::uint32_t>(filter.mask.value_or(~std::uint64_t{0}));
  return std::any_of(filter.one_of.begin(), filter.one_of.end(),
                     [&](std::uint64_t allowed) { return static_cast<std::uint32_t>(allowed) == (value & mask); });
}

const ArgFilter* find_filter(const std::vector<ArgFilter>& args, std::uint32_t index) {
  const auto found = std::find_if(args.begin(), args.end(), [&](const ArgFilter& f) { return f.index == index; });
  return found == args.end() ? nullptr : &*found;
}

// clone without a filter is safe, and so is one whose values carry no namespace flag. A mask that leaves flags open
// admits them.
std::string describe_clone(const SyscallEntry& entry) {
  const ArgFilter* filter = find_filter(entry.args, 0);
  if (filter == nullptr) return "";
  if (!filter->none_of.empty()) return "clone with any flag that noneOf does not name";
  for (const std::uint64_t value : filter->one_of) {
    if ((value & kNamespaceFlags) != 0) return "clone with " + format_argument_value("clone", 0, value);
  }
  return "";
}

}  // namespace

const std::vector<DangerousValue>& dangerous_values() {
  static const std::vector<DangerousValue> values = [] {
    std::vector<DangerousValue> found;
    for (const HarmCall& call : harm_calls()) {
      for (const HarmValue& value : call.values) {
        const HarmCondition& condition = value.conditions.front();
        if (value.harm != HarmClass::kDanger || condition.any) continue;
        for (const std::uint64_t number : condition.values)
          found.push_back({call.name, condition.index, static_cast<std::uint32_t>(number)});
      }
    }
    return found;
  }();
  return values;
}

// The rest stays within the container's namespaces, or can only use up what cgroups bound: CAP_SYS_RESOURCE,
// CAP_SYS_NICE, CAP_IPC_LOCK, CAP_NET_RAW, CAP_MKNOD (devices are for the cgroup to allow). Sources: capabilities(7),
// include/uapi/linux/capability.h, and the kernel's checks named in brackets.
const std::vector<DangerousCapability>& dangerous_capabilities() {
  static const std::vector<DangerousCapability> capabilities = {
      {"CAP_AUDIT_CONTROL", "switches the auditing of the whole host off [audit_netlink_ok]"},
      {"CAP_AUDIT_READ", "reads the audit records of the whole host [audit_multicast_bind]"},
      {"CAP_BPF", "loads programs into the kernel, where no namespace divides anything [bpf_token_capable]"},
      {"CAP_CHECKPOINT_RESTORE",
       "opens other processes' mapped files, disguises itself as one [proc_map_files, PR_SET_MM]"},
      {"CAP_DAC_READ_SEARCH", "opens any file of a file system by handle, beyond the container's root [may_decode_fh]"},
      {"CAP_MAC_ADMIN", "changes the rules of the host's security module [apparmor, smack]"},
      {"CAP_MAC_OVERRIDE", "ignores the rules of the host's security module [smack]"},
      {"CAP_NET_ADMIN",
       "opens netfilter and traffic control, the way to many a kernel bug; the host's own network where it is shared "
       "[ns_capable in net/]"},
      {"CAP_PERFMON", "reads kernel memory and other processes' activity by tracing [perfmon_capable]"},
      {"CAP_SYSLOG", "reads and clears the kernel's log, reads kernel addresses [check_syslog_permissions, kallsyms]"},
      {"CAP_SYS_ADMIN", "mounts, enters namespaces, and most of what root may [over 400 checks]"},
      {"CAP_SYS_BOOT", "loads another kernel [kexec_load]"},
      {"CAP_SYS_MODULE", "loads code into the kernel [init_module]"},
      {"CAP_SYS_PTRACE",
       "writes the memory of every process in sight, also of the runtime's init before it is confined "
       "[ptrace_may_access]"},
      {"CAP_SYS_RAWIO", "reads and writes physical memory, ports and disks [/dev/mem, iopl]"},
      {"CAP_SYS_TIME", "sets the clock of the whole host [do_settimeofday64]"},
  };
  return capabilities;
}

bool is_dangerous_capability(std::string_view name) {
  const auto& all = dangerous_capabilities();
  return std::any_of(all.begin(), all.end(), [&](const DangerousCapability& d) { return d.name == name; });
}

bool is_signed_for(const std::vector<Accept>& accept, std::string_view capability) {
  return std::any_of(accept.begin(), accept.end(), [&](const Accept& a) { return a.capability == capability; });
}

const std::vector<std::string_view>& dangerous_calls() {
  static const std::vector<std::string_view> calls = [] {
    std::vector<std::string_view> found;
    for (const HarmCall& call : harm_calls()) {
      if (call.harm == HarmClass::kDanger) found.push_back(call.name);
    }
    return found;
  }();
  return calls;
}

bool is_dangerous_call(std::string_view syscall) {
  return std::binary_search(dangerous_calls().begin(), dangerous_calls().end(), syscall);
}

bool is_dangerous_value(std::string_view syscall, std::uint32_t index, std::uint64_t value) {
  if (syscall == "clone" && index == 0) return (value & kNamespaceFlags) != 0;
  return std::any_of(dangerous_values().begin(), dangerous_values().end(), [&](const DangerousValue& d) {
    // Arguments of these calls are ints: the kernel drops the upper half, so must we.
    return d.syscall == syscall && d.index == index && d.value == (value & 0xFFFFFFFFU);
  });
}

std::string describe_danger(const SyscallEntry& entry) {
  if (is_dangerous_call(entry.name)) return entry.name;
  if (entry.name == "clone") return describe_clone(entry);
  for (const DangerousValue& dangerous : dangerous_values()) {
    if (dangerous.syscall != entry.name) continue;
    const ArgFilter* filter = find_filter(entry.args, dangerous.index);
    if (filter == nullptr || admits(*filter, dangerous.value)) {
      return entry.name + "(" + format_argument_value(entry.name, dangerous.index, dangerous.value) + ")";
    }
  }
  return "";
}

std::string describe_unsigned_danger(const SyscallEntry& entry, const std::vector<Accept>& accept) {
  // What is left of the entry when the signed values are taken away must not be dangerous any more.
  SyscallEntry rest = entry;
  for (const Accept& signature : accept) {
    if (signature.syscall != entry.name) continue;
    if (signature.args.empty()) return "";
    if (is_dangerous_call(entry.name)) {
      if (signature.args == entry.args) return "";
      continue;
    }
    for (const ArgFilter& signed_for : signature.args) {
      for (ArgFilter& filter : rest.args) {
        if (filter.index != signed_for.index || filter.mask != signed_for.mask) continue;
        if (!filter.none_of.empty()) {
          filter.none_of.insert(filter.none_of.end(), signed_for.one_of.begin(), signed_for.one_of.end());
          std::sort(filter.none_of.begin(), filter.none_of.end());
          continue;
        }
        std::erase_if(filter.one_of, [&](std::uint64_t value) {
          return std::binary_search(signed_for.one_of.begin(), signed_for.one_of.end(), value);
        });
      }
    }
  }
  return describe_danger(rest);
}

bool is_bypassable(const Profile& profile) {
  return std::any_of(profile.syscalls.begin(), profile.syscalls.end(),
                     [](const auto& layer) { return layer.second.contains("io_uring_setup"); });
}

}  // namespace ward::profiles
