// SPDX-License-Identifier: Apache-2.0
// What a workload was seen to do and its profile does not allow, because it is in the danger set:
// how it is said, the lines that would allow it, and whether a profile that was made without it
// allows it by now.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "profiles/profile.h"

namespace ward::profiles {

// Seen, and left out because it is in the danger set, or is a type of socket that came with it. The
// workload violates the profile, or lacks the capability, until a person signs for it.
struct LeftOut {
  std::string what;  // "unshare", "socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)", "CAP_SYS_PTRACE"
  std::string syscall;  // empty for a capability
  ArgFilters args;      // what of the call; empty: all of it
  Origin origin = Origin::kWorkload;
  std::uint64_t count = 0;  // 0: not known of these values
  std::uint32_t runs = 0;
};

// "socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), in 2 runs: asks the kernel for addresses and routes
// (getaddrinfo, ...)"
std::string describe(const LeftOut& left_out);

// The lines to add to a document, without indentation: under which key of `spec`, and what.
struct Suggestion {
  std::string key;    // "syscalls.serving", "syscalls.exec", "capabilities"; empty: the accept is
                      // all (a bundle)
  std::string entry;  // "{name: socket, args: [...]}"
  std::string
      accept;  // "{syscall: socket, reason: WHY, args: [...]}"; empty: it needs no signature
};
Suggestion suggest(const LeftOut& left_out, const std::vector<std::string>& capabilities);

// A document of write_yaml() with all suggestions at their places, as comments. `capabilities`: of
// the profile, for a bundle is not for every one.
std::string add_suggestions(const std::string& yaml, const std::vector<LeftOut>& left_out,
                            std::vector<std::string> capabilities);

// For the provenance, and back: those of provenance "leftOut" that the profile still does not
// allow, for people. What cannot be read there is passed over.
std::string join(const std::vector<LeftOut>& left_out);
std::vector<std::string> still_left_out(const Profile& profile);

}  // namespace ward::profiles
