// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string_view>

#include "enforcer/sampling.h"
#include "lib/base/utf8.h"
#include "lib/oci/seccomp.h"
#include "profiles/filter/constants.h"
#include "profiles/filter/syscall_arity.h"

namespace ward::enforcer {
namespace {

constexpr std::size_t kMaxExeBytes = 1024;

// Once in the journal, also where a later wardd sees it again. Without a dash: it is no shim's.
std::string make_id(const recorder::SampledCall& call, std::size_t way, const std::string& digest) {
  return "window." + digest + "." + std::to_string(call.nr) +
         (call.exec ? ".exec." : ".workload.") + std::to_string(way);
}

}  // namespace

JournalEntry sampled_event(const recorder::SampledCall& call, std::size_t way, const Watched& in,
                           const node::v1::ContainerStatus& container, const std::string& exe) {
  JournalEntry event{EventKind::kTolerated, {}};
  node::v1::Violation& body = event.body;
  const std::string name =
      oci::find_syscall_name(call.nr).value_or("syscall_" + std::to_string(call.nr));
  body.set_event_id(make_id(call, way, in.law->digest));
  *body.mutable_identity() = container.identity();
  // It may have ended since.
  body.mutable_identity()->set_containerd_namespace(in.key.first);
  body.mutable_identity()->set_container_id(in.key.second);
  body.set_origin(call.exec ? node::v1::ORIGIN_EXEC : node::v1::ORIGIN_WORKLOAD);
  body.set_phase(filter::to_proto(call.exec ? filter::Phase::kExec : in.phase));
  body.set_profile_name(in.profile);
  body.set_profile_digest(in.law->digest);
  body.set_mode(container.mode());
  body.set_action(node::v1::ACTION_LOG);
  body.set_arch(oci::native_audit_arch());
  body.set_syscall_nr(call.nr);
  body.set_syscall(name);
  for (const std::uint64_t arg : call.args) body.add_args(arg);
  for (int i = 0; i < filter::syscall_arity(name).value_or(0); ++i)
    body.add_args_text(filter::format_argument_value(name, static_cast<std::uint32_t>(i),
                                                     call.args.at(static_cast<std::size_t>(i))));
  body.set_pid(call.pid);
  body.set_tid(call.tid);
  body.set_comm(to_utf8(call.comm));
  body.set_exe(to_utf8(std::string_view(exe).substr(0, kMaxExeBytes)));
  body.set_tolerated(true);
  body.set_outcome("continued");
  body.set_repeats(std::max<std::uint64_t>(call.count, 1) - 1);
  body.set_reason(name + " is not in profile " + in.profile +
                  ", whose posture lets it run without asking: seen in a sampled window");
  return event;
}

}  // namespace ward::enforcer
