// SPDX-License-Identifier: Apache-2.0
#include "enforcer/test_policy.h"

#include "enforcer/api/translate.h"
#include "profiles/filter/selector.h"
#include "profiles/filter/terms.h"
#include "profiles/filter/treatment.h"

namespace ward::enforcer {
namespace {

using node::v1::Identity;

// As a shim finds it in config.json (shim/admission/identity.cc).
Identity described(const v1::TestPolicyRequest& request) {
  const bool in_kubernetes = !request.kubernetes_namespace().empty() || !request.pod().empty();
  Identity identity;
  identity.set_containerd_namespace(!request.containerd_namespace().empty()
                                        ? request.containerd_namespace()
                                    : in_kubernetes ? "k8s.io"
                                                    : "default");
  identity.set_container_id(request.name());
  identity.set_kubernetes_namespace(request.kubernetes_namespace());
  identity.set_pod(request.pod());
  identity.set_container_name(request.name());
  identity.set_image(request.image());
  identity.set_is_privileged(request.privileged());
  identity.set_is_sandbox(request.sandbox());
  return identity;
}

// Until one selects it, or all were asked.
void list_rules(const node::v1::CompiledIndex& index, const Identity& identity,
                v1::PolicyVerdict& out) {
  for (const node::v1::Rule& rule : index.rules()) {
    v1::RuleTried& tried = *out.add_tried();
    tried.set_file(rule.file());
    tried.set_policy(rule.policy());
    tried.set_rule(rule.number());
    tried.set_line(rule.line());
    tried.set_mode(std::string(filter::mode_name(rule.mode())));
    tried.set_why_not(filter::why_not(rule.selector(), identity));
    if (!tried.why_not().empty()) continue;
    out.set_matches(true);
    out.set_policy(rule.policy());
    out.set_file(rule.file());
    out.set_rule(rule.number());
    out.set_line(rule.line());
    return;
  }
}

void decide(filter::IndexReader& reader, const node::v1::CompiledIndex& index,
            const Identity& identity, const v1::TestPolicyRequest& request,
            v1::PolicyVerdict& out) {
  const auto treatment = filter::decide_treatment(
      reader, identity, {request.annotations().begin(), request.annotations().end()});
  if (!treatment) {
    out.set_refused(treatment.error().message);
    return;
  }
  out.set_mode(std::string(filter::mode_name(treatment->mode)));
  out.set_workload(treatment->workload);
  for (const std::string& note : treatment->notes) out.add_notes(note);
  if (treatment->compiled_sha256.empty()) return;
  out.set_exec(std::string(filter::sessions_name(treatment->sessions)));
  const auto take = [&](const node::v1::ProfileRef& ref) {
    if (ref.compiled_sha256() != treatment->compiled_sha256) return;
    out.set_profile(ref.name());
    out.set_profile_digest(ref.digest());
  };
  take(index.baseline());
  for (const node::v1::ProfileRef& ref : index.profiles()) take(ref);
}

}  // namespace

Result<v1::PolicyVerdict> test_policy(const Node& node, const v1::TestPolicyRequest& request) {
  v1::PolicyVerdict out;
  Identity identity = described(request);
  if (!request.container().empty()) {
    const auto found = node.containers.find(request.containerd_namespace(), request.container());
    if (!found) return tl::unexpected<Error>(found.error());
    identity = found->status.identity();
    out.set_running_mode(std::string(filter::mode_name(found->status.mode())));
    out.set_running_policy(found->status.policy());
    out.set_running_note(found->status.note());
    if (identity.container_name().empty()) identity.set_container_name(identity.container_id());
  } else if (request.name().empty() && request.pod().empty() &&
             request.kubernetes_namespace().empty() && request.image().empty()) {
    return fail(Code::kInvalidArgument,
                "which container? Name one that runs, or describe one (--container, ...)");
  }
  out.set_mode(std::string(filter::mode_name(node::v1::MODE_OFF)));
  auto reader = node.store.open_index();
  // Where the node never had a policy there is none.
  if (!reader && reader.error().code == Code::kNotFound && !node.store.governed()) return out;
  if (!reader) return tl::unexpected<Error>(reader.error());
  const auto index = reader->read_all();
  if (!index) return fail_with("compiled index", index.error());
  out.set_index_generation(index->generation());
  list_rules(*index, identity, out);
  decide(*reader, *index, identity, request, out);
  return out;
}

}  // namespace ward::enforcer
