// SPDX-License-Identifier: Apache-2.0
#include "profiles/left_out.h"

#include <algorithm>
#include <array>
#include <optional>

#include "lib/oci/capabilities.h"
#include "lib/oci/seccomp.h"
#include "profiles/argument_choices.h"
#include "profiles/effective.h"
#include "profiles/filter/constants.h"
#include "profiles/harm/bundle.h"
#include "profiles/harm/danger.h"
#include "profiles/merge.h"
#include "profiles/yaml/write_yaml.h"

namespace ward::profiles {
namespace {

constexpr std::string_view kProvenance = "leftOut";
constexpr std::string_view kSeparator = "; ";
constexpr std::size_t kMaxRead = 256;  // of one provenance

// What programs want with it, as far as that is known. The first that fits: a prefix of
// LeftOut::what.
struct Purpose {
  std::string_view what;
  std::string_view words;
};
constexpr std::array<Purpose, 21> kPurposes = {{
    {"socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)",
     "asks the kernel for addresses and routes (getaddrinfo, getifaddrs, if_nameindex)"},
    {"socket(AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE)", "asks the kernel for addresses and routes"},
    {"socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT)",
     "writes to the host's audit log (PAM, sshd, cron)"},
    {"socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER)", "reads and changes firewall rules"},
    {"socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT)", "listens for devices (udev)"},
    {"socket(AF_NETLINK, SOCK_DGRAM, NETLINK_KOBJECT_UEVENT)", "listens for devices (udev)"},
    {"socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG)", "lists sockets (ss)"},
    {"socket(AF_NETLINK", "talks to a part of the kernel"},
    {"socket(AF_PACKET", "sends and receives raw frames (dhcp clients, tcpdump)"},
    {"socket(AF_ALG", "uses the kernel's cryptography"},
    {"socket(AF_VSOCK", "talks to the hypervisor"},
    {"prctl(PR_SET_SECCOMP)", "makes a filter of its own (a sandbox)"},
    {"seccomp", "makes a filter of its own (a sandbox)"},
    {"io_uring_", "asynchronous I/O; programs fall back to another where it is denied"},
    {"clone(", "makes namespaces (a sandbox)"},
    {"unshare", "makes namespaces (a sandbox)"},
    {"setns", "enters namespaces"},
    {"personality", "asks for or changes the execution domain (debuggers, setarch)"},
    {"ptrace", "looks into other processes (debuggers, crash reporters)"},
    {"keyctl", "uses the kernel's keyrings"},
    {"userfaultfd", "handles its own page faults (virtual machines, some garbage collectors)"},
}};

std::string_view purpose_of(const std::string& what) {
  for (const Purpose& purpose : kPurposes) {
    if (what.rfind(purpose.what, 0) == 0) return purpose.words;
  }
  return "";
}

void insert_before(std::string& text, std::string_view line, const std::string& lines) {
  const std::size_t at = text.find(line);
  if (at != std::string::npos) text.insert(at, lines);
}

// "socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)", as describe_call() writes it: values from argument
// 0 on, or the one of a socket's type.
std::optional<SyscallEntry> parse_call(std::string_view text) {
  const std::size_t open = text.find('(');
  SyscallEntry entry{std::string(text.substr(0, open)), {}};
  if (!oci::find_syscall(entry.name)) return std::nullopt;
  if (open == std::string_view::npos) return entry;
  if (text.back() != ')') return std::nullopt;
  std::string_view values = text.substr(open + 1, text.size() - open - 2);
  std::uint32_t index = entry.name == "socket" && values.rfind("SOCK_", 0) == 0 ? 1 : 0;
  while (!values.empty() && index < 6) {
    const std::size_t comma = std::min(values.find(", "), values.size());
    const bool protocol = entry.name == "socket" && index == 2;
    const auto value = filter::parse_argument_value(
        protocol ? filter::kNetlinkSocket : std::string_view(entry.name), index,
        values.substr(0, comma));
    if (!value) return std::nullopt;
    ArgFilter filter{index, std::nullopt, {*value}, {}};
    if (entry.name == "socket" && index == 1) filter.mask = kSocketTypeMask;
    if (entry.name == "clone") filter.mask = kNamespaceFlags;
    entry.args.push_back(std::move(filter));
    values.remove_prefix(std::min(comma + 2, values.size()));
    ++index;
  }
  return entry;
}

// Does the profile allow some call of that kind by now? Generous: it is only asked to leave a
// warning out.
bool allows(const Profile& profile, const SyscallEntry& wanted) {
  const SyscallSet effective = effective_union(profile);
  const auto found = effective.find(wanted.name);
  if (found == effective.end()) return false;
  if (wanted.args.empty() || found->second.args.empty())
    return wanted.name != "clone" || wanted.args.empty();
  const auto alternatives = alternatives_of(found->second);
  return std::any_of(alternatives.begin(), alternatives.end(), [&](const ArgFilters& args) {
    return std::all_of(wanted.args.begin(), wanted.args.end(), [&](const ArgFilter& value) {
      return std::all_of(args.begin(), args.end(), [&](const ArgFilter& filter) {
        return filter.index != value.index || filter.one_of.empty() ||
               std::any_of(filter.one_of.begin(), filter.one_of.end(), [&](std::uint64_t one) {
                 return ((one ^ value.one_of.front()) & filter.mask.value_or(~0ULL) &
                         value.mask.value_or(~0ULL)) == 0;
               });
      });
    });
  });
}

}  // namespace

std::string describe(const LeftOut& left_out) {
  std::string text = left_out.what + ", ";
  if (left_out.count > 0)
    text += std::to_string(left_out.count) + (left_out.count == 1 ? " time " : " times ");
  text += "in " + std::to_string(left_out.runs) + (left_out.runs == 1 ? " run" : " runs");
  if (left_out.origin == Origin::kExec) text += ", by exec sessions";
  const std::string_view purpose = purpose_of(left_out.what);
  return text + (purpose.empty() ? "" : ": ") + std::string(purpose);
}

Suggestion suggest(const LeftOut& left_out, const std::vector<std::string>& capabilities) {
  Accept accept{left_out.syscall, "WHY", left_out.args, {}};
  if (left_out.syscall.empty()) {
    accept.capability = left_out.what;
    return {"capabilities", left_out.what, format_accept(accept)};
  }
  const Bundle* bundle = bundle_of(left_out.syscall, left_out.args);
  if (bundle != nullptr && left_out.origin == Origin::kWorkload &&
      std::find(capabilities.begin(), capabilities.end(), bundle->too_much) == capabilities.end())
    return {"", "", format_accept({"", "WHY", {}, {}, std::string(bundle->name)})};
  const bool dangerous = !describe_danger({left_out.syscall, left_out.args}).empty();
  return {left_out.origin == Origin::kExec ? "syscalls.exec" : "syscalls.serving",
          format_entry(left_out.syscall, left_out.args), dangerous ? format_accept(accept) : ""};
}

std::string add_suggestions(const std::string& yaml, const std::vector<LeftOut>& left_out,
                            std::vector<std::string> capabilities) {
  for (const LeftOut& one : left_out)
    if (one.syscall.empty()) capabilities.push_back(one.what);  // once it is signed for
  std::string serving, exec, to_hold, accept;
  for (const LeftOut& one : left_out) {
    const Suggestion lines = suggest(one, capabilities);
    if (lines.key == "capabilities") {
      to_hold += "  # for " + lines.entry + ": add it to the list here\n";
    } else if (!lines.key.empty()) {
      (lines.key == "syscalls.exec" ? exec : serving) += "      # " + lines.entry + ",\n";
    }
    const std::string line = lines.accept.empty() ? "" : "  #   - " + lines.accept + "\n";
    if (accept.find(line) == std::string::npos) accept += line;  // a bundle may be meant twice
  }
  std::string text = yaml;
  const auto add_to_layer = [&](std::string_view layer, const std::string& lines) {
    const std::string key = "    " + std::string(layer) + ": [\n";
    const std::size_t at = text.find(key);
    if (at != std::string::npos) text.insert(at + key.size(), lines);
  };
  add_to_layer("serving", serving);
  add_to_layer("exec", exec);
  if (!accept.empty()) accept = "  # accept:\n" + accept;
  insert_before(text, "  capabilities: [", accept + to_hold);
  return text;
}

std::string join(const std::vector<LeftOut>& left_out) {
  std::string text;
  for (const LeftOut& one : left_out)
    text += (text.empty() ? "" : std::string(kSeparator)) + one.what;
  return text;
}

std::vector<std::string> still_left_out(const Profile& profile) {
  std::vector<std::string> out;
  const auto found = profile.provenance.find(std::string(kProvenance));
  if (found == profile.provenance.end()) return out;
  std::string_view rest = found->second;
  for (std::size_t read = 0; !rest.empty() && read < kMaxRead; ++read) {
    const std::size_t end = std::min(rest.find(kSeparator), rest.size());
    const std::string what(rest.substr(0, end));
    rest.remove_prefix(std::min(end + kSeparator.size(), rest.size()));
    if (oci::find_capability(what)) {
      const auto& held = profile.capabilities;
      if (std::find(held.begin(), held.end(), what) == held.end()) out.push_back(what);
    } else if (const auto call = parse_call(what); call && !allows(profile, *call)) {
      out.push_back(what);
    }
  }
  return out;
}

}  // namespace ward::profiles
