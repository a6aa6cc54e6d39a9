// SPDX-License-Identifier: Apache-2.0
#include "shim/admission/admission.h"

#include <sys/stat.h>

#include <algorithm>
#include <ctime>
#include <iterator>
#include <set>

#include "lib/base/digest.h"
#include "lib/base/log.h"
#include "lib/oci/bundle.h"
#include "profiles/filter/call_tables.h"
#include "profiles/filter/governed.h"
#include "profiles/filter/treatment.h"
#include "shim/admission/identity.h"
#include "shim/admission/index.h"
#include "shim/admission/own_filter.h"
#include "shim/admission/runtime_calls.h"
#include "shim/admission/runtime_habits.h"
#include "shim/admission/written_filter.h"

namespace ward::shim::admission {
namespace {

using filter::Governed;

constexpr std::size_t kNonceBytes = 16;

// An admission takes milliseconds. What the tenant wrote is bounded in size, and what is done with
// it in steps; should some of it cost more all the same, the container is refused, because the
// others of its pod wait for their answers meanwhile (I5). Processor time, so that a busy node
// refuses nobody.
constexpr std::int64_t kMaxProcessorTime_ns = 2'000'000'000;

std::int64_t thread_cpu_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

class Patience {
 public:
  [[nodiscard]] Result<void> lasts() const {
    const std::int64_t spent_ns = thread_cpu_ns() - begin_ns_;
    if (spent_ns <= kMaxProcessorTime_ns) return {};
    return fail(Code::kDeadlineExceeded,
                "the container's specification takes too long to read (" +
                    std::to_string(spent_ns / 1'000'000) +
                    " ms of processor time): the other containers of its pod would wait");
  }

 private:
  std::int64_t begin_ns_ = thread_cpu_ns();
};

ProfileInForce to_profile(const node::v1::CompiledProfile& message, const std::string& sha256) {
  ProfileInForce profile;
  profile.name = message.name();
  profile.version = message.version();
  profile.digest = message.digest();
  profile.compiled_sha256 = sha256;
  profile.overlay = message.overlay();
  profile.calls = filter::to_table(message);
  profile.danger = filter::to_danger(message);
  profile.knows_up_to = message.knows_up_to();
  profile.refused = filter::to_refused(message);
  profile.tolerated = filter::to_tolerated(message);
  profile.tolerated_own = filter::OwnNumberTable(message);
  profile.boundary_quiet_ms = message.boundary_quiet_ms();
  profile.boundary_latest_ms = message.boundary_latest_ms();
  profile.no_new_privileges = message.no_new_privileges();
  profile.rehearsal = message.rehearsal();
  profile.capabilities.assign(message.capabilities().begin(), message.capabilities().end());
  std::sort(profile.capabilities.begin(), profile.capabilities.end());
  return profile;
}

// A process without a capabilities section gets empty sets from runc already; there is nothing to
// cut.
template <typename Document>
void cut_privileges(Document& document, const ProfileInForce& profile) {
  if (const auto asked = document.capabilities()) {
    document.set_capabilities(oci::intersect(*asked, profile.capabilities));
  }
  if (profile.no_new_privileges) document.set_no_new_privileges(true);
}

// What the container asks for and the profile does not have. Those of the bounding set too: a
// program with capabilities of its file gets them from there.
oci::CapabilitySet beyond(const oci::Config& config, const ProfileInForce& profile) {
  oci::CapabilitySet out;
  const auto asked = config.capabilities();
  if (!asked) return out;
  std::set<std::string> held;
  for (const auto* set : {&asked->bounding, &asked->effective, &asked->permitted,
                          &asked->inheritable, &asked->ambient}) {
    held.insert(set->begin(), set->end());
  }
  std::set_difference(held.begin(), held.end(), profile.capabilities.begin(),
                      profile.capabilities.end(), std::back_inserter(out));
  return out;
}

// What no filter can tell from another call is at least said before it happens
// (docs/threat-model.md, H02).
void note_reach(const oci::Config& config, std::vector<std::string>& notes) {
  constexpr const char* kReaching = "CAP_SYS_PTRACE";
  const auto held = config.capabilities();
  if (!held ||
      std::find(held->bounding.begin(), held->bounding.end(), kReaching) == held->bounding.end())
    return;
  notes.push_back(std::string("holds ") + kReaching +
                  ", signed for in its profile: what it sees in /proc is within its reach, the "
                  "runtime of an exec "
                  "session included");
}

Result<void> learn(oci::Config& config, const std::filesystem::path& bundle) {
  // Allows everything, foreign ABIs included, and restricts nothing (I8): its being in force marks
  // the moment from which calls count (K26).
  oci::Seccomp all;
  all.default_action = oci::SeccompAction::kAllow;
  all.architectures = oci::every_scmp_arch();
  config.set_seccomp(all);
  return config.write(bundle);
}

Result<void> enforce(oci::Config& config, Admitted& admitted, const Request& request,
                     const FilterCache& cache, const Patience& patience) {
  const ProfileInForce& profile = *admitted.profile;
  admitted.listener_path = request.private_directory / "listener.sock";
  admitted.nonce = random_hex(kNonceBytes);
  admitted.supervised = true;
  const bool acts = admitted.actions.refused() == node::v1::REFUSED_ACT;
  const filter::Unseen unseen{
      .listed = profile.refused, .dangerous = profile.danger, .signals = !acts};
  oci::Seccomp filter = filter::complement_form(profile.calls, admitted.own, unseen);
  if (auto ok = mend_what_is_written_wrong(filter, cache); !ok) {
    const auto own = config.seccomp();
    const bool tenants = own && own->has_value();
    // A profile is not a tenant's: what takes long there is not meant to be looked over.
    if (tenants || ok.error().code != Code::kDeadlineExceeded) return ok;
    log::warn("the filter was not compared with its program", {{"error", ok.error().message}});
  }
  if (auto ok = patience.lasts(); !ok) return ok;
  filter.listener_path = admitted.listener_path.string();
  filter.listener_metadata = admitted.nonce;
  config.set_seccomp(filter);
  // Supervise is a rehearsal: what the container has it keeps, and what enforce would take is told
  // when it is used. In enforce it is told when it is missed.
  if (admitted.mode == node::v1::MODE_ENFORCE) {
    admitted.cut_capabilities = beyond(config, profile);
    cut_privileges(config, profile);
  } else {
    admitted.uncut_capabilities = beyond(config, profile);
    admitted.uncut_privileges = profile.no_new_privileges && !config.no_new_privileges();
  }
  note_reach(config, admitted.notes);
  if (auto reason = refused_to_the_runtime(admitted.own, config.no_new_privileges());
      !reason.empty()) {
    admitted.notes.push_back(std::move(reason));
  }
  // Instructions to the runtime that would come past the specification (crun's extensions).
  config.remove_annotations_with_prefix("run.oci.");
  return config.write(request.bundle);
}

Result<filter::OwnFilter> read_own_filter(const oci::Seccomp& own, const Request& request,
                                          const std::string& policy, const FilterCache& cache) {
  // Nobody listens at a path that no rule asks for.
  if (filter::notifies(own)) {
    if (own.listener_path.empty()) {
      return fail(Code::kInvalidArgument,
                  "it has rules with SCMP_ACT_NOTIFY, and seccomp listenerPath is not set: no "
                  "runtime starts such a "
                  "container");
    }
    return fail(Code::kFailedPrecondition,
                "it brings a seccomp listener of its own, and a task can have only one: remove the "
                "rules with "
                "SCMP_ACT_NOTIFY, or leave the container out of policy '" +
                    policy + "'");
  }
  const auto habits = filter::depends_on_habits(own)
                          ? read_runtime_habits(request.runtime)
                          : Result<filter::RuntimeHabits>(filter::RuntimeHabits{});
  if (!habits) return tl::unexpected(habits.error());
  return make_own_filter(own, *habits, cache);
}

Result<void> carry_out(oci::Config& config, const Places& places,
                       const filter::Treatment& treatment, const Request& request,
                       const Patience& patience, Admitted& admitted) {
  if (admitted.mode == node::v1::MODE_OFF) return {};
  const auto own = config.seccomp();
  if (!own) return fail_with("the container's own seccomp profile", own.error());
  if (admitted.mode == node::v1::MODE_LEARN)
    return own->has_value() ? Result<void>() : learn(config, request.bundle);
  const FilterCache cache(places.run / "filters");
  if (own->has_value()) {
    auto made = read_own_filter(**own, request, admitted.policy, cache);
    if (!made) return fail_with("the container's own seccomp profile", std::move(made).error());
    admitted.own = *std::move(made);
  }
  if (auto ok = patience.lasts(); !ok) return ok;
  auto profile = read_profile_in_force(places, treatment.compiled_sha256);
  if (!profile) return tl::unexpected<Error>(profile.error());
  if (profile->rehearsal && admitted.mode == node::v1::MODE_ENFORCE) {
    return fail(Code::kFailedPrecondition,
                "profile '" + profile->name +
                    "' is for rehearsal, for it was learned without a start: mode supervise, or a "
                    "profile that has seen one");
  }
  admitted.profile = std::move(*profile);
  return enforce(config, admitted, request, cache, patience);
}

// The markers may go together with the index; what this process has seen does not.
Governed how_governed(const Places& places, const Request& request) {
  const Governed marked = filter::read_governed(places);
  if (marked != Governed::kNever || !request.seen) return marked;
  return request.seen->open_when_ungoverned() ? Governed::kOpen : Governed::kRefuse;
}

Error index_is_gone(const Places& places) {
  return {Code::kNotFound, "'" + places.compiled_index().string() +
                               "' is gone, and this node had policies: start wardd. "
                               "Where nobody is to govern this node, remove its marks: '" +
                               (places.state / "governed").string() + "' and '" +
                               (places.run / "governed").string() + "'"};
}

// Nobody can say what governs this container. What no policy reaches unless it is named (I10) may
// start all the same, so that a damaged file does not take the node down; everything else is
// refused.
Result<Admitted> without_policy(Admitted admitted, const Error& why) {
  const bool exempt = admitted.identity.is_sandbox() || admitted.identity.is_privileged() ||
                      admitted.identity.kubernetes_namespace() == "kube-system";
  if (!exempt)
    return fail_with("refused, because no policy can be read (a wardd that runs writes it again)",
                     why);
  admitted.notes.push_back("ungoverned: " + why.message);
  return admitted;
}

}  // namespace

std::string why_the_runtime_may_fail(const Admitted& admitted,
                                     const std::filesystem::path& bundle) {
  if (admitted.mode == node::v1::MODE_OFF) return {};
  const auto config = oci::Config::read(bundle);
  if (!config) return {};
  if (admitted.mode != node::v1::MODE_LEARN) {
    return refused_to_the_runtime(admitted.own, config->no_new_privileges());
  }
  const auto filter = config->seccomp();
  if (!filter || !filter->has_value()) return {};
  const auto own = make_own_filter(**filter, {});
  return own ? refused_to_the_runtime(*own, config->no_new_privileges()) : own.error().message;
}

Result<ProfileInForce> read_profile_in_force(const Places& places,
                                             const std::string& compiled_sha256) {
  const auto compiled = read_compiled_profile(places, compiled_sha256);
  if (!compiled) return tl::unexpected<Error>(compiled.error());
  return to_profile(*compiled, compiled_sha256);
}

ProfileInForce widened(const ProfileInForce& began, ProfileInForce next) {
  next.calls = began.calls.united_with(next.calls);
  if (next.overlay.empty()) next.overlay = began.overlay;  // what it lets run goes on, too
  next.danger = began.danger.united_with(next.danger);
  // What one of them did not know of was not left out on purpose. 0: it knew all.
  if (next.knows_up_to == 0 || (began.knows_up_to != 0 && began.knows_up_to < next.knows_up_to))
    next.knows_up_to = began.knows_up_to;
  next.refused = began.refused.united_with(next.refused);
  next.tolerated = began.tolerated.united_with(next.tolerated);
  next.tolerated_own = began.tolerated_own.united_with(next.tolerated_own);
  next.boundary_quiet_ms = began.boundary_quiet_ms;
  next.boundary_latest_ms = began.boundary_latest_ms;
  next.no_new_privileges = began.no_new_privileges;
  next.capabilities = began.capabilities;
  next.rehearsal = began.rehearsal;
  return next;
}

Result<Admitted> admit(const Places& places, const Request& request, NodeIndex& node_index,
                       oci::Config& config) {
  auto& index = node_index.reader;
  const Patience patience;
  Admitted admitted;
  admitted.identity.set_containerd_namespace(request.containerd_namespace);
  admitted.identity.set_container_id(request.container_id);
  if (index && !index->has_value()) {
    // Asked only now: where there is an index, it knows best.
    const Governed governed = how_governed(places, request);
    if (governed == Governed::kNever) return admitted;
    if (governed == Governed::kOpen) {
      admitted.notes.emplace_back(
          "ungoverned: no policy can be read on this node, and wardd.yaml says whenUngoverned: "
          "open");
      return admitted;
    }
  }

  admitted.identity = identify(config, request.containerd_namespace, request.container_id);
  admitted.identity.set_layers(request.layers);
  if (auto ok = check_lengths(admitted.identity); !ok) return tl::unexpected<Error>(ok.error());
  if (!index) return without_policy(std::move(admitted), index.error());
  if (!*index) return without_policy(std::move(admitted), index_is_gone(places));
  auto treatment = filter::decide_treatment(**index, admitted.identity, config.annotations());
  // A policy refuses what it selects; every other error is of the index, damaged or not to be read
  // where this container is looked up.
  if (!treatment && treatment.error().code != Code::kFailedPrecondition) {
    return without_policy(std::move(admitted), treatment.error());
  }
  if (!treatment) return tl::unexpected<Error>(treatment.error());
  admitted.mode = treatment->mode;
  admitted.policy = treatment->policy;
  admitted.workload = treatment->workload;
  admitted.actions = treatment->actions;
  admitted.sessions = treatment->sessions;
  admitted.sessions_refused_by = treatment->sessions_refused_by;
  admitted.settings = (*index)->settings();
  admitted.governed_node = (*index)->rules() > 0;
  admitted.notes = treatment->notes;
  admitted.record_id = treatment->record_id;
  admitted.record_until_wall_ns = treatment->record_until_wall_ns;
  if (auto done = carry_out(config, places, *treatment, request, patience, admitted); !done) {
    return tl::unexpected<Error>(done.error());
  }
  admitted.no_new_privileges = config.no_new_privileges();
  return admitted;
}

Result<std::string> admit_exec(const Admitted& admitted, node::v1::Mode now,
                               std::string process_json) {
  if (!admitted.profile || now != node::v1::MODE_ENFORCE) return process_json;
  auto process = oci::ProcessSpec::parse(process_json);
  if (!process) return fail_with("process document of the exec", process.error());
  cut_privileges(*process, *admitted.profile);
  return process->dump();
}

}  // namespace ward::shim::admission
