// SPDX-License-Identifier: Apache-2.0
// A profile and a policy as plain values. Everything that reads, writes, merges, compiles or
// explains profiles works on these; none of it does I/O on the node. docs/profile-format.md
// describes the YAML form.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "profiles/filter/terms.h"

namespace ward::profiles {

using filter::Action;
using filter::Layer;
using filter::Mode;
using filter::Origin;
using filter::Sessions;

enum class Refused { kLog, kAct };  // what the container's own filter refuses as well
enum class Missing { kRefuse, kBaseline, kLearn };
// What happens to calls that a profile does not list: profiles/posture.h.
enum class Posture { kStrict, kBalanced, kLenient };

// A condition on one scalar argument. Exactly one form is used:
//  one_of: the argument equals one of the values; masked: (argument & mask) is one of the values;
//  none_of: the lower half of the argument, which is all of an int to the kernel, is none of them.
struct ArgFilter {
  std::uint32_t index = 0;                  // 0..5
  std::optional<std::uint64_t> mask;        // absent: all bits; only with one_of
  std::vector<std::uint64_t> one_of;        // sorted, unique; empty exactly where none_of is not
  std::vector<std::uint64_t> none_of = {};  // sorted, unique, 32 bits each
  bool operator==(const ArgFilter&) const = default;
};

using ArgFilters = std::vector<ArgFilter>;  // sorted by index, one per index; all must hold

// One syscall in one layer. No filters: any arguments. `more` holds further lists of filters, each
// an alternative to `args`: what belongs together (a family, its type, its protocol) is allowed
// together and opens nothing else.
struct SyscallEntry {
  std::string name;
  ArgFilters args;
  std::vector<ArgFilters> more = {};  // none is empty, and there is none where `args` is
  bool operator==(const SyscallEntry&) const = default;
};

inline std::vector<ArgFilters> alternatives_of(const SyscallEntry& entry) {
  std::vector<ArgFilters> all = entry.more;
  all.insert(all.begin(), entry.args);
  return all;
}

using SyscallSet = std::map<std::string, SyscallEntry>;  // by name

// A person's signature for a call or a capability of the danger set.
struct Accept {
  std::string syscall;  // empty where it is for a capability or a bundle
  std::string reason;
  std::vector<ArgFilter> args;
  std::string capability = {};  // "CAP_SYS_PTRACE"
  std::string bundle = {};      // "getaddrinfo": harm/bundle.h. It lists its calls, too
  bool operator==(const Accept&) const = default;
};

struct Reaction {
  Action action = Action::kQuarantine;
  std::optional<Action> escalate_to;
  std::uint32_t escalate_after = 0;         // denials ...
  std::chrono::seconds escalate_window{0};  // ... within this time
  bool operator==(const Reaction&) const = default;
};

struct Boundary {
  std::chrono::milliseconds quiet{10'000};
  std::chrono::milliseconds latest{300'000};
  bool operator==(const Boundary&) const = default;
};

// The newest call that whoever made the profile knew of. What is newer was never left out on
// purpose.
struct NewestKnown {
  std::uint32_t number = 0;
  std::string name;
  bool operator==(const NewestKnown&) const = default;
};

struct Profile {
  std::string name;
  std::uint64_t version = 1;
  std::vector<std::string> extends;        // names of baselines
  std::vector<std::string> architectures;  // "x86_64"
  std::optional<NewestKnown> knows;        // absent: every call there is
  bool no_new_privileges = true;
  Posture posture = Posture::kStrict;
  bool rehearsal = false;  // for mode supervise alone: its makers have not seen a start
  Boundary boundary;
  std::map<Layer, SyscallSet> syscalls;  // kBoot, kServing, kExec
  std::vector<Accept> accept;
  std::vector<std::string> capabilities;  // "CAP_CHOWN", sorted, unique
  Reaction on_workload{Action::kQuarantine, {}, 0, {}};
  Reaction on_exec{Action::kDeny, {}, 0, {}};
  // What the program tries and its container's own filter refuses: no violation, the danger set
  // included. Allows nothing.
  SyscallSet refused;
  Refused on_refused = Refused::kLog;  // of the rest, except the danger set
  // Where it comes from, for people, and for the gate of enforce_after.h. It allows nothing and is
  // not part of the identity.
  std::map<std::string, std::string> provenance;
  bool operator==(const Profile&) const = default;
};

// The newest call that this machine's libseccomp names.
NewestKnown newest_known_here();

// Newer than all that the profile's maker knew: answered ENOSYS, like any call of a kernel that is
// too new.
bool is_newer_than(const Profile& profile, int nr);

struct Selector {  // each list: empty matches all; else globs, one must match
  std::vector<std::string> containerd_namespaces, kubernetes_namespaces, pods, containers, images;
  bool include_sandboxes = false, include_privileged = false, include_kube_system = false;
  bool operator==(const Selector&) const = default;
};

// Where something stands, for people. Two that say the same are the same wherever they stand.
struct Place {
  std::string file;
  std::uint32_t line = 0;
  bool operator==(const Place&) const { return true; }
};

// How much must have been recorded before `ward profile apply` takes a profile that a rule
// enforces: enforce_after.h.
struct EnforceAfter {
  std::uint32_t runs = 0;
  std::chrono::seconds recorded{0};  // over all runs
  // The 95 % bound on the share of further runs that show a new call, in percent.
  std::optional<std::uint32_t> new_in_a_run_at_most;
  bool operator==(const EnforceAfter&) const = default;
};

// When reactions that end containers, or stop them, become an outage of their own: so many of one
// workload, in so many different pods, within that time. Then `then` is done instead, which is
// never milder than deny, until as long again has passed without another.
struct StormGuard {
  std::uint32_t after = 5;
  std::chrono::seconds within{std::chrono::minutes(10)};
  std::uint32_t pods = 3;
  Action then = Action::kDeny;
  bool operator==(const StormGuard&) const = default;
};

// `amend: auto`: held calls outside of the profile are let run by the node itself once enough of
// its containers have made them (learn/amend.h).
struct Amend {
  std::uint32_t containers = 3;                       // different ones that made the call ...
  std::chrono::seconds over{std::chrono::hours(24)};  // ... the last so long after the first
  bool operator==(const Amend&) const = default;
};

struct PolicyRule {
  Selector selector;
  Mode mode = Mode::kOff;
  std::string profile;  // name; may use {container}, {pod}, {namespace}; empty with off and learn
  std::string
      workload;  // name recordings are kept under, same templates; empty: each container's own
  Missing missing = Missing::kRefuse;
  std::optional<Action> on_workload, on_exec;  // override the profile's
  std::optional<Refused> on_refused = {};      // likewise
  std::optional<EnforceAfter> enforce_after = {};
  std::optional<StormGuard> storm_guard = {};
  std::optional<Amend> amend = {};
  Sessions sessions = Sessions::kLayer;  // `exec` in YAML
  Place place = {};
  bool operator==(const PolicyRule&) const = default;
};

struct Policy {
  std::string name;
  std::vector<PolicyRule> rules;  // first match wins, over all policies in order of file name
  bool operator==(const Policy&) const = default;
};

}  // namespace ward::profiles
