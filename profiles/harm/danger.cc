// SPDX-License-Identifier: Apache-2.0
#include "profiles/harm/danger.h"

#include <algorithm>

#include "profiles/argument_choices.h"
#include "profiles/filter/constants.h"
#include "profiles/harm/harm_table.h"
#include "profiles/merge.h"

namespace ward::profiles {
namespace {

// Is there an argument that the filter admits and the kernel takes for `value`? These arguments are
// ints, so the kernel looks at the lower half only, and an exact 64-bit value such as 0x100000026
// is AF_ALG to it.
bool admits(const ArgFilter& filter, std::uint32_t value) {
  if (!filter.none_of.empty())
    return !std::binary_search(filter.none_of.begin(), filter.none_of.end(), value);
  const auto mask = static_cast<std::uint32_t>(filter.mask.value_or(~std::uint64_t{0}));
  return std::any_of(filter.one_of.begin(), filter.one_of.end(), [&](std::uint64_t allowed) {
    return static_cast<std::uint32_t>(allowed) == (value & mask);
  });
}

const ArgFilter* find_filter(const std::vector<ArgFilter>& args, std::uint32_t index) {
  const auto found =
      std::find_if(args.begin(), args.end(), [&](const ArgFilter& f) { return f.index == index; });
  return found == args.end() ? nullptr : &*found;
}

// Signatures compare like the kernel's filter: each filtered argument of the signature, all bits
// under the mask. One for a family says nothing of another, and one for a family with a protocol
// nothing of the family's other protocols.
bool is_signed_whole(const std::vector<Accept>& accept, std::string_view syscall,
                     const ArgFilters& args) {
  return std::any_of(accept.begin(), accept.end(), [&](const Accept& a) {
    if (a.syscall != syscall) return false;
    return a.args.empty() || (is_dangerous_call(syscall) && !args.empty() && covers(a.args, args));
  });
}

// The filter with only those values that the kernel takes for `value`.
ArgFilter restrict_to(const ArgFilter& filter, std::uint32_t value) {
  if (!filter.none_of.empty()) return {filter.index, std::nullopt, {value}, {}};
  ArgFilter meant = filter;
  const auto compared = static_cast<std::uint32_t>(filter.mask.value_or(~std::uint64_t{0}));
  std::erase_if(meant.one_of, [&](std::uint64_t one) {
    return static_cast<std::uint32_t>(one) != (value & compared);
  });
  return meant;
}

bool is_signed_value(const std::vector<Accept>& accept, const DangerousValue& dangerous,
                     const ArgFilter& filter, const ArgFilters& args) {
  return std::any_of(accept.begin(), accept.end(), [&](const Accept& a) {
    const ArgFilter* named =
        a.syscall == dangerous.syscall ? find_filter(a.args, dangerous.index) : nullptr;
    if (named == nullptr ||
        !covers(ArgFilters{*named}, ArgFilters{restrict_to(filter, dangerous.value)}))
      return false;
    return std::all_of(a.args.begin(), a.args.end(), [&](const ArgFilter& also) {
      return also.index == dangerous.index || covers(ArgFilters{also}, args);
    });
  });
}

// clone without a filter is safe, and so is one whose values carry no namespace flag. A mask that
// leaves flags open admits them.
std::optional<UnsignedDanger> find_clone_danger(const ArgFilters& args,
                                                const std::vector<Accept>& accept) {
  const ArgFilter* filter = find_filter(args, 0);
  if (filter == nullptr) return std::nullopt;
  if (!filter->none_of.empty())
    return UnsignedDanger{"clone with any flag that noneOf does not name", {}};
  for (const std::uint64_t value : filter->one_of) {
    if ((value & kNamespaceFlags) == 0) continue;
    ArgFilters meant = args;
    for (ArgFilter& one : meant) {
      if (one.index == 0) one.one_of = {value};
    }
    const bool is_signed = std::any_of(accept.begin(), accept.end(), [&](const Accept& a) {
      return a.syscall == "clone" && find_filter(a.args, 0) != nullptr && covers(a.args, meant);
    });
    if (!is_signed)
      return UnsignedDanger{"clone with " + filter::format_argument_value("clone", 0, value),
                            meant};
  }
  return std::nullopt;
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

// The rest stays within the container's namespaces, or can only use up what cgroups bound:
// CAP_SYS_RESOURCE, CAP_SYS_NICE, CAP_IPC_LOCK, CAP_NET_RAW, CAP_MKNOD (devices are for the cgroup
// to allow). Sources: capabilities(7), include/uapi/linux/capability.h, and the kernel's checks
// named in brackets.
const std::vector<DangerousCapability>& dangerous_capabilities() {
  static const std::vector<DangerousCapability> capabilities = {
      {"CAP_AUDIT_CONTROL", "switches the auditing of the whole host off [audit_netlink_ok]"},
      {"CAP_AUDIT_READ", "reads the audit records of the whole host [audit_multicast_bind]"},
      {"CAP_BPF",
       "loads programs into the kernel, where no namespace divides anything [bpf_token_capable]"},
      {"CAP_CHECKPOINT_RESTORE",
       "opens other processes' mapped files, disguises itself as one [proc_map_files, PR_SET_MM]"},
      {"CAP_DAC_READ_SEARCH",
       "opens any file of a file system by handle, beyond the container's root [may_decode_fh]"},
      {"CAP_MAC_ADMIN", "changes the rules of the host's security module [apparmor, smack]"},
      {"CAP_MAC_OVERRIDE", "ignores the rules of the host's security module [smack]"},
      {"CAP_NET_ADMIN",
       "opens netfilter and traffic control, the way to many a kernel bug; the host's own network "
       "where it is shared "
       "[ns_capable in net/]"},
      {"CAP_PERFMON",
       "reads kernel memory and other processes' activity by tracing [perfmon_capable]"},
      {"CAP_SYSLOG",
       "reads and clears the kernel's log, reads kernel addresses [check_syslog_permissions, "
       "kallsyms]"},
      {"CAP_SYS_ADMIN", "mounts, enters namespaces, and most of what root may [over 400 checks]"},
      {"CAP_SYS_BOOT", "loads another kernel [kexec_load]"},
      {"CAP_SYS_MODULE", "loads code into the kernel [init_module]"},
      {"CAP_SYS_PTRACE",
       "writes the memory of every process in sight, also of the runtime's init before it is "
       "confined "
       "[ptrace_may_access]"},
      {"CAP_SYS_RAWIO", "reads and writes physical memory, ports and disks [/dev/mem, iopl]"},
      {"CAP_SYS_TIME", "sets the clock of the whole host [do_settimeofday64]"},
  };
  return capabilities;
}

bool is_dangerous_capability(std::string_view name) {
  const auto& all = dangerous_capabilities();
  return std::any_of(all.begin(), all.end(),
                     [&](const DangerousCapability& d) { return d.name == name; });
}

bool is_signed_for(const std::vector<Accept>& accept, std::string_view capability) {
  return std::any_of(accept.begin(), accept.end(),
                     [&](const Accept& a) { return a.capability == capability; });
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
  return std::any_of(
      dangerous_values().begin(), dangerous_values().end(), [&](const DangerousValue& d) {
        // Arguments of these calls are ints: the kernel drops the upper half, so must we.
        return d.syscall == syscall && d.index == index && d.value == (value & 0xFFFFFFFFU);
      });
}

std::string describe_danger(const SyscallEntry& entry) {
  return describe_unsigned_danger(entry, {});
}

std::vector<UnsignedDanger> find_unsigned_dangers(const SyscallEntry& entry,
                                                  const std::vector<Accept>& accept) {
  std::vector<UnsignedDanger> all;
  for (const ArgFilters& args : alternatives_of(entry)) {
    if (is_signed_whole(accept, entry.name, args)) continue;
    if (is_dangerous_call(entry.name)) all.push_back({entry.name, args});
    if (entry.name == "clone") {
      if (auto danger = find_clone_danger(args, accept)) all.push_back(std::move(*danger));
      continue;
    }
    for (const DangerousValue& dangerous : dangerous_values()) {
      if (dangerous.syscall != entry.name) continue;
      const ArgFilter* filter = find_filter(args, dangerous.index);
      if (filter != nullptr && !admits(*filter, dangerous.value)) continue;
      if (filter != nullptr && is_signed_value(accept, dangerous, *filter, args)) continue;
      const std::string value =
          filter::format_argument_value(entry.name, dangerous.index, dangerous.value);
      UnsignedDanger danger{entry.name + "(" + value + ")", args};
      for (ArgFilter& one : danger.args) {
        if (one.index == dangerous.index) one = restrict_to(one, dangerous.value);
      }
      all.push_back(std::move(danger));
    }
  }
  return all;
}

std::optional<UnsignedDanger> find_unsigned_danger(const SyscallEntry& entry,
                                                   const std::vector<Accept>& accept) {
  auto all = find_unsigned_dangers(entry, accept);
  if (all.empty()) return std::nullopt;
  return std::move(all.front());
}

std::string describe_unsigned_danger(const SyscallEntry& entry, const std::vector<Accept>& accept) {
  const auto danger = find_unsigned_danger(entry, accept);
  return danger ? danger->what : "";
}

std::string describe_call(std::string_view syscall, const ArgFilters& args) {
  std::string values;
  for (const ArgFilter& filter : args) {
    std::string any_of;
    for (const std::uint64_t value : filter.one_of) {
      any_of += (any_of.empty() ? "" : "|") +
                filter::format_argument_value(vocabulary_of(syscall, args), filter.index, value);
    }
    values += (values.empty() ? "" : ", ") + any_of;
  }
  return std::string(syscall) + (values.empty() ? "" : "(" + values + ")");
}

}  // namespace ward::profiles
