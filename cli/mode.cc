// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "cli/app.h"
#include "cli/ask.h"
#include "cli/container_options.h"
#include "cli/options.h"
#include "cli/present/containers.h"
#include "cli/verbs.h"
#include "lib/base/escape.h"
#include "lib/base/printable.h"

namespace ward::cli {
namespace {

using Request = ward::v1::SetContainerModeRequest;

int run(Session& session, const Request& request) {
  return ask(
      session, "mode " + escape(request.container(), 80), &ward::v1::Ward::Stub::SetContainerMode,
      request, [&](const ward::v1::ContainerResponse& answer) {
        const auto& container = answer.container();
        session.print(full_name(container) + ": mode " + container.mode() +
                      (answer.unchanged() ? " already" : "") +
                      (container.note().empty() ? "" : "; " + printable(container.note())) + "\n");
      });
}

}  // namespace

void add_mode(CLI::App& app, Session& session, int& exit_code) {
  auto* verb = add_verb(app, "mode", "Switch a running container between supervise and enforce");
  verb->footer(examples(
      {"ward mode web-1 enforce", "ward mode shop/cart/app supervise --reason 'a false alarm'"}));
  const auto request = std::make_shared<Request>();
  add_container_options(*verb, request);
  add_value(
      *verb, "mode", [request](const std::string& mode) { request->set_mode(mode); },
      "what a policy sets holds again from the next start on")
      ->required()
      ->check(one_of({"supervise", "enforce"}));
  verb->callback([&session, &exit_code, request] { exit_code = run(session, *request); });
}

}  // namespace ward::cli
