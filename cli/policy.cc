// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "cli/app.h"
#include "cli/ask.h"
#include "cli/options.h"
#include "cli/present/policy_text.h"
#include "cli/verbs.h"
#include "lib/base/escape.h"

namespace ward::cli {
namespace {

using Request = ward::v1::TestPolicyRequest;

bool names_nothing(const Request& request) {
  return request.container().empty() && request.name().empty() && request.pod().empty() &&
         request.kubernetes_namespace().empty() && request.image().empty();
}

int run(Session& session, const Request& request) {
  if (names_nothing(request)) {
    return session.refuse(
        "policy test: which container? Name one that runs, or describe one with --container, "
        "--namespace, --pod, "
        "--image",
        kExitUsage);
  }
  ward::v1::PolicyVerdict verdict;
  const int asked = ask(
      session, "policy test " + escape(request.container(), 80), &ward::v1::Ward::Stub::TestPolicy,
      request, [&](const auto& answer) { session.print(policy_text(answer, session.out)); },
      &verdict);
  if (asked != kExitOk) return asked;
  if (!verdict.refused().empty()) return kExitFailed;
  return verdict.matches() ? kExitOk : kExitUngoverned;
}

void add_test(CLI::App& policy, Session& session, int& exit_code) {
  auto* verb = add_verb(policy, "test",
                        "Which rule decides over a container that starts now, and why "
                        "none before it; ends with 7 where none does");
  const auto request = std::make_shared<Request>();
  const auto text = [&](const char* flags, const char* help,
                        void (*set)(Request&, const std::string&)) {
    return add_value(
        *verb, flags, [request, set](const std::string& value) { set(*request, value); }, help);
  };
  auto* known = text(
      "id",
      "a container that runs, in whichever mode: its id, namespace/id, or as `ward ps` shows it",
      [](Request& r, const std::string& value) { r.set_container(value); });
  text("--containerd-namespace",
       "containerd's namespace (k8s.io with --namespace or --pod, else default)",
       [](Request& r, const std::string& value) { r.set_containerd_namespace(value); });
  CLI::Option* const described[] = {
      text("--namespace", "namespace of Kubernetes",
           [](Request& r, const std::string& value) { r.set_kubernetes_namespace(value); }),
      text("--pod", "the pod's name",
           [](Request& r, const std::string& value) { r.set_pod(value); }),
      text("--container", "the container's name in its pod; outside of Kubernetes its id",
           [](Request& r, const std::string& value) { r.set_name(value); }),
      text("--image", "the image, as CRI names it; not known outside of Kubernetes",
           [](Request& r, const std::string& value) { r.set_image(value); }),
      add_switch(
          *verb, "--privileged", [request] { request->set_privileged(true); }, "it is privileged"),
      add_switch(
          *verb, "--sandbox", [request] { request->set_sandbox(true); },
          "it is a pod's pause container")};
  known->type_name(kContainerValue);
  for (CLI::Option* option : described) option->excludes(known);
  add_value(
      *verb, "--annotation",
      [request](const std::vector<std::string>& all) {
        for (const std::string& one : all) {
          const std::size_t at = one.find('=');
          (*request->mutable_annotations())[one.substr(0, at)] = one.substr(at + 1);
        }
      },
      "KEY=VALUE of the pod: ward.dev/mode, ward.dev/action, ward.dev/exec; may be repeated")
      ->allow_extra_args(false)
      ->check([](const std::string& pair) {
        return pair.find('=') == std::string::npos ? "not KEY=VALUE: " + pair : std::string();
      });
  verb->footer(examples({"ward policy test web-1",
                         "ward policy test --namespace shop --pod cart-1 --container app"}));
  verb->callback([&session, &exit_code, request] { exit_code = run(session, *request); });
}

}  // namespace

void add_policy(CLI::App& app, Session& session, int& exit_code) {
  auto* policy = add_verb(app, "policy", "Policies: which rule decides over which container");
  policy->require_subcommand(1);
  policy->footer(examples({"ward policy test web-1"}));
  add_test(*policy, session, exit_code);
}

}  // namespace ward::cli
