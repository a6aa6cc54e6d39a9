// SPDX-License-Identifier: Apache-2.0
#include "profiles/danger.h"

#include <algorithm>

#include "profiles/constants.h"

namespace ward::profiles {
namespace {

// Is there an argument that the filter admits and the kernel takes for `value`? These arguments are ints, so the kernel
// looks at the lower half only, and an exact 64-bit value such as 0x100000026 is AF_ALG to it.
bool admits(const ArgFilter& filter, std::uint32_t value) {
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
  for (const std::uint64_t value : filter->one_of) {
    if ((value & kNamespaceFlags) != 0) return "clone with " + format_argument_value("clone", 0, value);
  }
  return "";
}

}  // namespace

const std::vector<DangerousValue>& dangerous_values() {
  static const std::vector<DangerousValue> values = {
      {"socket", 0, 16},  // AF_NETLINK: wide kernel attack surface, reconfigures the network with CAP_NET_ADMIN
      {"socket", 0, 17},  // AF_PACKET
      {"socket", 0, 38},  // AF_ALG
      {"socket", 0, 40},  // AF_VSOCK: reaches the hypervisor
      {"prctl", 0, 22},   // PR_SET_SECCOMP: a nested filter that answers an errno hides violations
  };
  return values;
}

const std::vector<std::string_view>& dangerous_calls() {
  static const std::vector<std::string_view> calls = {"add_key",
                                                      "bpf",
                                                      "delete_module",
                                                      "finit_module",
                                                      "fsconfig",
                                                      "fsmount",
                                                      "fsopen",
                                                      "fspick",
                                                      "init_module",
                                                      "io_uring_enter",
                                                      "io_uring_register",
                                                      "io_uring_setup",
                                                      "kexec_file_load",
                                                      "kexec_load",
                                                      "keyctl",
                                                      "mount",
                                                      "mount_setattr",
                                                      "move_mount",
                                                      "open_by_handle_at",
                                                      "open_tree",
                                                      "perf_event_open",
                                                      "personality",
                                                      "pivot_root",
                                                      "process_vm_readv",
                                                      "process_vm_writev",
                                                      "ptrace",
                                                      "request_key",
                                                      "seccomp",
                                                      "setns",
                                                      "umount",
                                                      "umount2",
                                                      "unshare",
                                                      "userfaultfd"};
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
