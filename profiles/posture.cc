// SPDX-License-Identifier: Apache-2.0
#include "profiles/posture.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "lib/base/escape.h"
#include "profiles/argument_choices.h"
#include "profiles/harm/danger.h"
#include "profiles/harm/harm_table.h"
#include "profiles/merge.h"
#include "profiles/words.h"

namespace ward::profiles {
namespace {

// Nothing where no part of the call is as mild as that.
std::optional<SyscallEntry> entry_at_most(const HarmCall& call, HarmClass most) {
  const auto alternatives = alternatives_at_most(call, most);
  if (alternatives.empty()) return std::nullopt;
  return unite_alternatives(std::string(call.name), alternatives);
}

// A filter spells out what does not match, too: for a value a condition, for a mask one for each
// bit. Only what may be hot is worth more than a few.
bool is_cheap(const std::vector<std::vector<ArgFilter>>& alternatives) {
  constexpr std::size_t kFew = 4;
  std::size_t values = 0;
  for (const ArgFilters& filters : alternatives) {
    if (filters.size() > 1 || (!filters.empty() && filters.front().mask)) return false;
    if (!filters.empty()) values += filters.front().one_of.size();
  }
  return values <= kFew;
}

SyscallSet make_allowed() {
  SyscallSet set;
  for (const HarmCall& call : harm_calls()) {
    const auto alternatives =
        alternatives_at_most(call, call.hot ? HarmClass::kHeld : HarmClass::kSelf);
    if (alternatives.empty() || (!call.hot && !is_cheap(alternatives))) continue;
    const std::string name(call.name);
    set[name] = unite_alternatives(name, alternatives);
  }
  return set;
}

SyscallSet make_exec_layer() {
  SyscallSet set;
  const auto add = [&set](std::string_view name, std::vector<ArgFilters> alternatives = {{}}) {
    set[std::string(name)] = unite_alternatives(std::string(name), alternatives);
  };
  for (const char* name : {"execve", "fork", "vfork"}) add(name);
  add("clone", {{{0, kNamespaceFlags, {0}}}});
  add("socket", {{{0, std::nullopt, {AF_UNIX, AF_INET, AF_INET6}},
                  {1, kSocketTypeMask, {SOCK_STREAM, SOCK_DGRAM}}}});
  // On those sockets: the resolvers of both C libraries, and clients.
  for (const char* name :
       {"connect", "sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "recvmmsg"})
    add(name);
  // musl's resolver gives its socket an address before it asks: without, no name is found. The
  // address of an IP socket by its length; nobody connects to it, for there is no listen. Datagrams
  // that are sent to it arrive.
  add("bind", {{{2, std::nullopt, {sizeof(sockaddr_in), sizeof(sockaddr_in6)}}}});
  return set;
}

}  // namespace

SyscallSet allowed_by(Posture posture) {
  static const SyscallSet balanced = make_allowed();
  return posture == Posture::kStrict ? SyscallSet() : balanced;
}

SyscallSet allowed_to_exec_by(Posture posture) {
  static const SyscallSet balanced = make_exec_layer();
  return posture == Posture::kStrict ? SyscallSet() : balanced;
}

HarmClass tolerated_at_most(Posture posture) {
  return posture == Posture::kLenient ? HarmClass::kReach : HarmClass::kHeld;
}

SyscallSet tolerated_by(Posture posture, const SyscallSet& in_filter) {
  SyscallSet set;
  if (posture == Posture::kStrict) return set;
  for (const HarmCall& call : harm_calls()) {
    if (call.name == "clone3") continue;  // every filter answers it ENOSYS, unseen
    const HarmClass most = tolerated_at_most(posture);
    // A call with values of its own is at least reach otherwise.
    const bool whole = most >= HarmClass::kReach && call.harm <= most;
    auto entry = whole ? SyscallEntry{std::string(call.name), {}} : entry_at_most(call, most);
    if (!entry) continue;
    const auto found = in_filter.find(entry->name);
    if (found == in_filter.end() || !covers_entry(found->second, *entry))
      set[entry->name] = std::move(*entry);
  }
  return set;
}

Result<Posture> parse_posture(std::string_view word) {
  const auto& names = posture_names();
  const auto found = std::find(names.begin(), names.end(), word);
  if (found != names.end()) return static_cast<Posture>(found - names.begin());
  return fail(Code::kInvalidArgument,
              "'" + escape(word, 60) + "' is no posture: write strict, balanced or lenient");
}

}  // namespace ward::profiles
