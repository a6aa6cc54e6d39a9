// SPDX-License-Identifier: Apache-2.0
#include "profiles/harm/bundle.h"

#include <linux/netlink.h>
#include <sys/socket.h>

#include <algorithm>

#include "profiles/argument_choices.h"
#include "profiles/harm/danger.h"
#include "profiles/merge.h"

namespace ward::profiles {
namespace {

// glibc's getaddrinfo, getifaddrs and if_nameindex: a socket of NETLINK_ROUTE, bound to an address,
// one question without flags, and the answer. Addresses are known by their length alone: a short
// one of AF_UNIX fits as well.
Bundle make_getaddrinfo() {
  const ArgFilters route = {{0, std::nullopt, {AF_NETLINK}},
                            {1, kSocketTypeMask, {SOCK_DGRAM, SOCK_RAW}},
                            {2, std::nullopt, {NETLINK_ROUTE}}};
  const std::uint64_t address = sizeof(sockaddr_nl);
  return {"getaddrinfo",
          "CAP_NET_ADMIN",
          "changes routes and addresses by the same socket",
          {{"socket", route},
           {"bind", {{2, std::nullopt, {address}}}},
           {"getsockname", {}},
           {"sendto", {{3, std::nullopt, {0}}, {5, std::nullopt, {address}}}},
           {"recvmsg", {}}}};
}

}  // namespace

const std::vector<Bundle>& bundles() {
  static const std::vector<Bundle> all = {make_getaddrinfo()};
  return all;
}

const Bundle* find_bundle(std::string_view name) {
  const auto found = std::find_if(bundles().begin(), bundles().end(),
                                  [&](const Bundle& bundle) { return bundle.name == name; });
  return found == bundles().end() ? nullptr : &*found;
}

std::string bundle_names() {
  std::string text;
  for (const Bundle& bundle : bundles())
    text += (text.empty() ? "" : ", ") + std::string(bundle.name);
  return text;
}

const Bundle* bundle_of(std::string_view syscall, const ArgFilters& args) {
  for (const Bundle& bundle : bundles()) {
    for (const SyscallEntry& call : bundle.calls)
      if (call.name == syscall && !describe_danger(call).empty() && covers(call.args, args))
        return &bundle;
  }
  return nullptr;
}

std::vector<Accept> without_bundles(const std::vector<Accept>& accept) {
  std::vector<Accept> out;
  for (const Accept& one : accept) {
    const Bundle* bundle = one.bundle.empty() ? nullptr : find_bundle(one.bundle);
    if (one.bundle.empty()) out.push_back(one);
    if (bundle == nullptr) continue;
    for (const SyscallEntry& call : bundle->calls)
      if (!describe_danger(call).empty()) out.push_back({call.name, one.reason, call.args, {}, {}});
  }
  return out;
}

}  // namespace ward::profiles
