// SPDX-License-Identifier: Apache-2.0
#include "profiles/learn/generate.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "lib/base/escape.h"
#include "lib/oci/capabilities.h"
#include "lib/oci/seccomp.h"
#include "profiles/baselines/baselines.h"
#include "profiles/canonical.h"
#include "profiles/diff.h"
#include "profiles/enforce_after.h"
#include "profiles/filter/constants.h"
#include "profiles/harm/danger.h"
#include "profiles/learn/coverage.h"
#include "profiles/learn/life.h"
#include "profiles/learn/socket_types.h"
#include "profiles/learn/unite.h"
#include "profiles/learn/unlearnable.h"
#include "profiles/merge.h"
#include "profiles/validate.h"
#include "profiles/words.h"
#include "profiles/yaml/write_yaml.h"

namespace ward::profiles {
namespace {

constexpr std::uint64_t kIntMask = 0xFFFFFFFF;

using CallsByName = std::map<std::string, const UnitedCall*>;

// Calls without a name are told by describe_unknown().
CallsByName calls_of(const UnitedCalls& calls, Origin origin) {
  CallsByName out;
  for (const auto& [nr, origins] : calls) {
    const auto seen = origins.find(origin);
    const auto name = oci::find_syscall_name(nr);
    if (seen != origins.end() && name) out.emplace(*name, &seen->second);
  }
  return out;
}

class Generator {
 public:
  Generator(const Observations& observations, const United& united, Generated& out)
      : observations_(observations), united_(united), out_(out) {}

  void run() {
    const SyscallSet serving = make_layer(Origin::kWorkload);
    const SyscallSet exec = make_layer(Origin::kExec);
    Profile& profile = out_.profile;
    profile.syscalls[Layer::kServing] = serving;
    const SyscallSet& base = *find_baseline("ward-baseline");
    for (const auto& [name, entry] : exec) {
      const auto also = serving.find(name);
      const bool covered =
          base.contains(name) || (also != serving.end() && covers_entry(also->second, entry));
      if (!covered) profile.syscalls[Layer::kExec].emplace(name, entry);
    }
    add_refused();
    add_capabilities();
    decide_privileges();
    if (const std::string unknown = describe_unknown(observations_.runs); !unknown.empty())
      out_.warnings.push_back(unknown);
    warn_of_what_was_not_lived();
  }

 private:
  SyscallSet make_layer(Origin origin) {
    SyscallSet set;
    for (const auto& [name, call] : calls_of(united_.syscalls, origin)) {
      const UnitedCall& seen = *call;
      if (is_dangerous_call(name)) {
        leave_out({name, name, {}, origin, seen.count, runs_of(seen)});
        if (name.rfind("io_uring_", 0) == 0) add_fallback(set);
        continue;
      }
      // clone3 is answered ENOSYS, and libc falls back to its family.
      const auto family = name == "clone3" ? family_of("clone") : family_of(name);
      for (const std::string& member : family) set.emplace(member, SyscallEntry{member, {}});
      if (name != "clone3") filter_arguments(set, name, seen, origin);
      if (name == "clone") report_namespaces(seen, origin);
    }
    return set;
  }

  // Which arguments are worth a filter: few values, each with a meaning of its own. clone has the
  // compiler's filter of namespace flags; its other flags vary with the C library and say nothing
  // about harm.
  void filter_arguments(SyscallSet& set, const std::string& name, const UnitedCall& seen,
                        Origin origin) {
    SyscallEntry& entry = set[name];
    if (name == "socket" && seen.together_known) {
      filter_sockets(set, seen, origin);
    } else if (name == "socket" || name == "socketpair") {
      const auto families = values_of(seen, 0);
      if (!families)
        out_.warnings.push_back(
            name + ": not all families are known, so AF_UNIX, AF_INET and AF_INET6 are allowed");
      const std::set<std::uint64_t> usual = {1, 2, 10};
      add_filter(entry, make_filter(name, 0, families.value_or(usual), origin));
      // A pair reaches nobody, whatever its type.
      if (name == "socket" && !entry.args.front().one_of.empty())
        filter_socket_types(entry, seen, origin);
      if (!entry.args.empty() && entry.args.front().one_of.empty()) set.erase(name);
    } else if (name == "prctl" || name == "setsockopt") {
      const std::uint32_t index = name == "prctl" ? 0 : 1;
      const auto values = values_of(seen, index);
      if (!values) {
        if (name == "prctl")
          out_.warnings.emplace_back(
              "prctl: not all options are known, so only those kept by the recorder are allowed");
        if (name != "prctl") return;
      }
      const auto found = seen.arguments.find(index);
      const std::set<std::uint64_t> kept =
          found == seen.arguments.end() ? std::set<std::uint64_t>() : found->second.values;
      add_filter(entry, make_filter(name, index, values.value_or(kept), origin));
      if (entry.args.front().one_of.empty()) set.erase(name);
    }
  }

  void filter_sockets(SyscallSet& set, const UnitedCall& seen, Origin origin) {
    std::set<ArgumentTuple> tuples;
    for (const auto& [tuple, runs] : seen.together) tuples.insert(tuple);
    const bool rubbish =
        std::any_of(seen.arguments.begin(), seen.arguments.end(), [](const auto& argument) {
          const auto& values = argument.second.values;
          return argument.first == 0 &&
                 std::any_of(values.begin(), values.end(), [](auto v) { return v > kIntMask; });
        });
    const ChosenSockets chosen = choose_sockets(tuples, rubbish);
    for (const ArgFilters& args : chosen.left_out) {
      std::set<std::string> runs;
      for (const auto& [tuple, seen_in] : seen.together) {
        if (is_socket(args, tuple)) runs.insert(seen_in.begin(), seen_in.end());
      }
      leave_out({describe_call("socket", args), "socket", args, origin, 0,
                 static_cast<std::uint32_t>(runs.size())});
    }
    set.erase("socket");
    if (!chosen.allowed.empty()) set["socket"] = unite_alternatives("socket", chosen.allowed);
  }

  // A program that io_uring_setup fails goes back to the interface before it, which the recording
  // then lacks.
  void add_fallback(SyscallSet& set) {
    for (const char* name :
         {"io_setup", "io_destroy", "io_submit", "io_cancel", "io_getevents", "io_pgetevents"}) {
      if (oci::find_syscall(name)) set.emplace(name, SyscallEntry{name, {}});
    }
    const std::string warning =
        "io_uring is left out, so programs go back to libaio, which was not recorded: io_setup and "
        "what belongs to it "
        "are allowed";
    if (std::find(out_.warnings.begin(), out_.warnings.end(), warning) == out_.warnings.end())
      out_.warnings.push_back(warning);
  }

  void filter_socket_types(SyscallEntry& socket, const UnitedCall& seen, Origin origin) {
    const auto& families = socket.args.front().one_of;
    const SocketTypes types = choose_socket_types(observations_, origin, values_of(seen, 1),
                                                  {families.begin(), families.end()});
    if (types.allowed) {
      add_filter(socket,
                 ArgFilter{1, kSocketTypeMask, {types.allowed->begin(), types.allowed->end()}});
    }
    if (types.guessed) {
      out_.warnings.emplace_back(
          "socket: not all types are known and a family is left out, so SOCK_STREAM, SOCK_DGRAM "
          "and SOCK_SEQPACKET are "
          "allowed");
    }
    for (const std::uint64_t type : types.left_out) {
      const ArgFilters args = {{1, kSocketTypeMask, {type}}};
      leave_out({describe_call("socket", args), "socket", args, origin, 0, runs_of(seen)});
    }
    if (types.left_out.contains(3)) {
      out_.warnings.emplace_back(
          "socket: SOCK_RAW was only seen in runs that also used a family that is left out, which "
          "may have been its "
          "only user; if AF_INET or AF_INET6 need it (ping), add it to the types");
    }
  }

  static void add_filter(SyscallEntry& entry, ArgFilter filter) {
    entry.args.push_back(std::move(filter));
  }

  // Absent where the values are not the whole truth.
  static std::optional<std::set<std::uint64_t>> values_of(const UnitedCall& seen,
                                                          std::uint32_t index) {
    const auto found = seen.arguments.find(index);
    if (found == seen.arguments.end() || found->second.overflowed ||
        seen.incomplete.contains(index))
      return std::nullopt;
    return found->second.values;
  }

  // The values without the dangerous ones. Where a program left rubbish in the upper half of an int
  // argument, which the kernel ignores, the lower half alone is compared.
  ArgFilter make_filter(const std::string& name, std::uint32_t index,
                        const std::set<std::uint64_t>& values, Origin origin) {
    ArgFilter filter{index, std::nullopt, {}};
    if (std::any_of(values.begin(), values.end(), [](std::uint64_t v) { return v > kIntMask; }))
      filter.mask = kIntMask;
    std::set<std::uint64_t> kept;
    for (const std::uint64_t raw : values) {
      const std::uint64_t value = raw & kIntMask;
      if (is_dangerous_value(name, index, value)) {
        const ArgFilters args = {{index, std::nullopt, {value}}};
        leave_out({describe_call(name, args), name, args, origin, 0,
                   runs_with(name, origin, index, value)});
      } else {
        kept.insert(value);
      }
    }
    filter.one_of.assign(kept.begin(), kept.end());
    return filter;
  }

  void report_namespaces(const UnitedCall& seen, Origin origin) {
    const auto flags = seen.arguments.find(0);
    if (flags == seen.arguments.end()) return;
    for (const std::uint64_t value : flags->second.values) {
      if ((value & kNamespaceFlags) == 0) continue;
      const ArgFilters args = {{0, kNamespaceFlags, {value & kNamespaceFlags}}};
      leave_out({describe_call("clone", args), "clone", args, origin, 0,
                 runs_with("clone", origin, 0, value)});
    }
  }

  static std::uint32_t runs_of(const UnitedCall& seen) {
    return static_cast<std::uint32_t>(seen.runs.size());
  }

  std::uint32_t runs_with(const std::string& name, Origin origin, std::uint32_t index,
                          std::uint64_t value) {
    std::set<std::string> runs;
    for (const Run& run : observations_.runs) {
      for (const ObservedSyscall& observed : run.syscalls) {
        if (observed.origin != origin || oci::find_syscall_name(observed.nr) != name) continue;
        const auto found = observed.arguments.find(index);
        if (found == observed.arguments.end()) continue;
        const auto& values = found->second.values;
        if (std::any_of(values.begin(), values.end(),
                        [&](auto v) { return (v & kIntMask) == (value & kIntMask); }))
          runs.insert(run.id);
      }
    }
    return static_cast<std::uint32_t>(runs.size());
  }

  void leave_out(LeftOut left_out) {
    const bool known = std::any_of(
        out_.left_out.begin(), out_.left_out.end(),
        [&](const LeftOut& l) { return l.what == left_out.what && l.origin == left_out.origin; });
    if (!known) out_.left_out.push_back(std::move(left_out));
  }

  // What is tried in vain in every life of the workload is no attack. What only an exec session
  // tried may be one.
  void add_refused() {
    for (const Origin origin : {Origin::kWorkload, Origin::kExec}) {
      for (const auto& [name, seen] : calls_of(united_.refused, origin)) {
        SyscallEntry entry{name, {}};
        if (const auto filter = filter_refused(name, *seen)) entry.args.push_back(*filter);
        if (name == "clone3" || is_allowed(entry)) continue;
        if (origin == Origin::kExec && !describe_danger(entry).empty()) {
          warn_of_exec(entry);
          continue;
        }
        const auto [place, added] = out_.profile.refused.emplace(name, entry);
        if (!added) place->second = merge(place->second, entry);
      }
    }
  }

  void warn_of_exec(const SyscallEntry& entry) {
    const auto found = out_.profile.refused.find(entry.name);
    if (found != out_.profile.refused.end() && covers(found->second.args, entry.args)) return;
    out_.warnings.push_back(
        entry.name +
        " was refused to exec sessions only and is not listed under refused: tried by the workload "
        "it would be an attack");
  }

  // Then the own filter's answer is given within the kernel anyway.
  [[nodiscard]] bool is_allowed(const SyscallEntry& entry) const {
    if (!describe_danger(entry).empty()) return false;
    const SyscallSet& serving = out_.profile.syscalls.at(Layer::kServing);
    const auto found = serving.find(entry.name);
    return find_baseline("ward-baseline")->contains(entry.name) ||
           (found != serving.end() && covers(found->second.args, entry.args));
  }

  // Only what was tried, of the danger set: unshare(CLONE_NEWNS) is not unshare(CLONE_NEWUSER).
  static std::optional<ArgFilter> filter_refused(const std::string& name, const UnitedCall& seen) {
    const bool by_value = name == "clone" || name == "socket" || name == "prctl";
    if (!by_value && !is_dangerous_call(name)) return std::nullopt;
    const std::uint32_t index = name == "setns" ? 1 : 0;
    const auto found = seen.arguments.find(index);
    if (found == seen.arguments.end() || (!by_value && !values_of(seen, index)))
      return std::nullopt;
    constexpr std::size_t kMost = 32;
    ArgFilter filter{index, std::nullopt, {}};
    const auto& seen_values = found->second.values;
    if (name == "clone") {
      filter.mask = kNamespaceFlags;
    } else if (std::any_of(seen_values.begin(), seen_values.end(),
                           [](std::uint64_t v) { return v > kIntMask; })) {
      filter.mask = kIntMask;
    }
    std::set<std::uint64_t> values;
    for (const std::uint64_t value : seen_values) {
      if (values.size() < kMost) values.insert(value & filter.mask.value_or(~std::uint64_t{0}));
    }
    filter.one_of.assign(values.begin(), values.end());
    if (values.empty()) return std::nullopt;
    return filter;
  }

  void add_capabilities() {
    for (const auto& [name, origins] : united_.capabilities) {
      const auto seen = origins.find(Origin::kWorkload);
      if (seen == origins.end()) continue;
      if (!oci::find_capability(name)) {
        out_.warnings.push_back(name + " has no name here: it cannot be in a profile");
      } else if (is_dangerous_capability(name)) {
        leave_out({name,
                   "",
                   {},
                   Origin::kWorkload,
                   seen->second.count,
                   static_cast<std::uint32_t>(seen->second.runs.size())});
      } else {
        out_.profile.capabilities.push_back(name);
      }
    }
    for (const auto& [name, origins] : united_.capabilities) {
      if (origins.contains(Origin::kWorkload)) continue;
      out_.warnings.push_back(
          name + " was used by exec sessions only and is left out: the workload would have it too");
    }
  }

  void warn_of_what_was_not_lived() {
    if (no_start_seen(observations_.runs))
      out_.warnings.emplace_back(
          "start not seen: the containers ran already when their recording began, so the profile "
          "is for mode supervise alone (rehearsal: true); record a start and generate it anew for "
          "mode enforce");
    const LifeReport life = life_report(observations_.runs);
    if (life.missing.empty()) return;
    out_.warnings.push_back("never seen of this workload's life: " + describe(life.missing) +
                            " (seen: " + describe(life.seen) +
                            "); a call that belongs to it is not in the profile");
  }

  // A program that gains privileges by its file's mode stops working under noNewPrivileges.
  void decide_privileges() {
    static const std::set<std::string, std::less<>> gaining = {
        "su", "sudo", "doas", "ping", "mount", "umount", "passwd", "newgrp", "crontab"};
    bool recorded_with = true;
    for (const Run& run : observations_.runs) {
      recorded_with = recorded_with && run.no_new_privileges;
      for (const std::string& program : run.programs) {
        const std::string base = program.substr(program.rfind('/') + 1);
        if (run.no_new_privileges || !gaining.contains(base)) continue;
        out_.profile.no_new_privileges = false;
        out_.warnings.push_back("noNewPrivileges is false, because " + escape(program) +
                                " was run, which gains privileges by its file's mode");
        return;
      }
    }
    if (!recorded_with) {
      out_.warnings.emplace_back(
          "noNewPrivileges is true, but was false while recording: set it to false if the image "
          "relies on setuid "
          "programs");
    }
  }

  const Observations& observations_;
  const United& united_;
  Generated& out_;
};

Result<void> check_recording(const Observations& observations, const United& united,
                             const GenerateOptions& options, Generated& out) {
  const std::uint64_t lost = united.lost_events;
  if (united.syscalls.empty() && united.capabilities.empty()) {
    return fail(Code::kFailedPrecondition,
                "nothing was recorded of '" + escape(observations.workload, 80) +
                    "': run it in mode learn, drive it, stop it, and generate again");
  }
  if (lost > 0 && !options.allow_lossy) {
    return fail(Code::kFailedPrecondition,
                "the recording lost " + std::to_string(lost) +
                    " events, so calls may be missing: `ward learn forget` the lossy runs and "
                    "record again, or generate with "
                    "--allow-lossy and review the result");
  }
  const std::string mixture = describe_mixture(kinds_of(observations.runs));
  if (!mixture.empty() && !options.allow_mixed) {
    return fail(Code::kFailedPrecondition, "'" + escape(observations.workload, 80) +
                                               "' is not one thing: " + mixture +
                                               ". `ward learn show` names them: `ward learn "
                                               "forget` the runs of the others (--run), give them "
                                               "names of their own (`workload` in the policy), or, "
                                               "where they belong together, generate with "
                                               "--allow-mixed");
  }
  if (!mixture.empty()) out.warnings.push_back("the recording is of several things: " + mixture);
  if (lost > 0)
    out.warnings.push_back("the recording lost " + std::to_string(lost) +
                           " events: calls may be missing");
  if (const std::string foreign = describe_foreign(observations.runs); !foreign.empty())
    out.warnings.push_back(foreign + ": these end the process under every profile");
  return {};
}

std::map<std::string, std::string> provenance_of(const Observations& observations,
                                                 const United& united) {
  std::set<std::string> runtimes;
  for (const Run& run : observations.runs) {
    if (!run.runtime_sha256.empty()) runtimes.insert(run.runtime_sha256.substr(0, 12));
  }
  std::string runtime_list;
  for (const std::string& runtime : runtimes)
    runtime_list += (runtime_list.empty() ? "" : " ") + runtime;
  constexpr std::int64_t kSecond_ns = 1'000'000'000;
  const Coverage found = coverage(observations);
  // What joined a container that ran already is a part of a run, and none.
  const auto whole =
      std::count_if(observations.runs.begin(), observations.runs.end(),
                    [](const Run& run) { return run.start_seen && !run.syscalls.empty(); });
  std::map<std::string, std::string> provenance = {
      {"workload", escape(observations.workload)},
      {"recorder", escape(observations.recorder)},
      {kRunsKey, std::to_string(whole)},
      {kRecordedKey, std::to_string(found.found.recorded_ns / kSecond_ns)},
      {kNewInARunKey, std::to_string(std::lround(std::ceil(found.lives.at_most * 100)))},
      {"lostEvents", std::to_string(united.lost_events)},
      {"generator", "ward " WARD_VERSION},
      {"coverage", found.verdict}};
  std::string not_exercised;
  for (const std::string& what : found.not_exercised)
    not_exercised += (not_exercised.empty() ? "" : "; ") + what;
  if (!not_exercised.empty()) provenance["notExercised"] = not_exercised;
  const auto joined = std::count_if(observations.runs.begin(), observations.runs.end(),
                                    [](const Run& run) { return !run.start_seen; });
  if (joined > 0) provenance["startNotSeen"] = std::to_string(joined) + " runs";
  const LifeReport& life = found.life;
  if (!life.seen.empty()) provenance["life"] = describe(life.seen);
  if (!life.missing.empty()) provenance["neverSeen"] = describe(life.missing);
  if (!runtime_list.empty()) provenance["runtime"] = escape(runtime_list);
  return provenance;
}

std::string make_header(const Generated& generated) {
  std::string text = "Generated by ward from recordings of a workload. Review it like code.";
  if (generated.left_out.empty()) return text;
  text += "\nSeen, but left out, because it is in the danger set or may have come with it:";
  for (const LeftOut& left_out : generated.left_out) text += "\n  " + describe(left_out);
  text +=
      "\nEach is a violation until a person allows it: uncomment its lines below, under syscalls "
      "or capabilities and "
      "under accept,\nand write in the place of WHY why it is needed.";
  return text;
}

}  // namespace

std::string write_generated(const Generated& generated) {
  return add_suggestions(write_yaml(generated.profile, generated.header), generated.left_out,
                         generated.profile.capabilities);
}

Result<Generated> generate(const Observations& observations, const GenerateOptions& options) {
  Generated out;
  const United united = unite(observations.runs);
  if (auto checked = check_recording(observations, united, options, out); !checked)
    return tl::unexpected<Error>(checked.error());
  Profile& profile = out.profile;
  profile.name = options.name.empty() ? observations.workload : options.name;
  if (!is_name(profile.name)) {
    return fail(
        Code::kInvalidArgument,
        "'" + escape(profile.name, 80) +
            "' is not a name for a profile: give one with --name (a-z, 0-9, '.', '_', '-')");
  }
  profile.version = std::max<std::uint64_t>(options.version, 1);
  profile.extends = {"ward-baseline"};
  profile.architectures = {"x86_64"};
  profile.knows = newest_known_here();
  profile.posture = options.posture;
  profile.rehearsal = no_start_seen(observations.runs);
  Generator(observations, united, out).run();
  profile = normalize(profile);
  profile.provenance = provenance_of(observations, united);
  if (const std::string left_out = join(out.left_out); !left_out.empty())
    profile.provenance["leftOut"] = left_out;
  out.header = make_header(out);
  // A generated profile that does not read back would be our own fault: find it here, not at the
  // person's desk.
  for (const Finding& finding : validate(profile)) {
    if (finding.severity != Finding::Severity::kError) continue;
    return fail(Code::kInternal,
                "generated profile is not valid: " + finding.subject + ": " + finding.message);
  }
  return out;
}

}  // namespace ward::profiles
