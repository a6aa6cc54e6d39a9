// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "cli/app.h"
#include "cli/ask.h"
#include "cli/container_options.h"
#include "cli/options.h"
#include "cli/present/containers.h"
#include "cli/verbs.h"
#include "lib/base/escape.h"

namespace ward::cli {
namespace {

using Stub = ward::v1::Ward::Stub;

using Command = Question<ward::v1::ContainerRequest, ward::v1::ContainerResponse>;

int list(Session& session) {
  return ask(session, "quarantine list", &Stub::ListQuarantine, {}, [&](const auto& containers) {
    if (containers.containers().empty()) {
      session.print("no container is quarantined\n");
    } else {
      session.print(container_table(containers, session.out));
    }
  });
}

void add_command(CLI::App& app, Session& session, int& exit_code, const char* name,
                 const char* help, const char* done, Command command) {
  auto* verb = add_verb(app, name, help);
  const std::string example = std::string("ward quarantine ") + name;
  verb->footer(examples({(example + " web-1").c_str(),
                         (example + " shop/cart/app --reason 'looked at it'").c_str()}));
  const auto request = std::make_shared<ward::v1::ContainerRequest>();
  add_container_options(*verb, request);
  verb->callback([&session, &exit_code, request, name, done, command] {
    exit_code =
        ask(session, std::string("quarantine ") + name + " " + escape(request->container(), 80),
            command, *request, [&session, done](const auto& answer) {
              session.print(full_name(answer.container()) + ": " + done + "\n");
            });
  });
}

}  // namespace

void add_quarantine(CLI::App& app, Session& session, int& exit_code) {
  auto* quarantine = add_verb(app, "quarantine", "Containers that were cut off and frozen");
  quarantine->require_subcommand(1);
  quarantine->footer(examples({"ward quarantine list"}));
  add_verb(*quarantine, "list", "Which ones, and why")
      ->footer(examples({"ward quarantine list", "ward quarantine list -o json"}))
      ->callback([&] { exit_code = list(session); });
  add_command(*quarantine, session, exit_code, "add",
              "Cut it off from the network and freeze it now, whatever it did", "quarantined",
              &Stub::QuarantineContainer);
  add_command(*quarantine, session, exit_code, "release",
              "Thaw it, give it its network back, go on enforcing",
              "released, and enforced as before", &Stub::ReleaseContainer);
  add_command(*quarantine, session, exit_code, "kill",
              "Kill every process of it; containerd sees an ordinary exit", "killed",
              &Stub::KillContainer);
}

}  // namespace ward::cli
