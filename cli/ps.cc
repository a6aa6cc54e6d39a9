// SPDX-License-Identifier: Apache-2.0
#include "cli/app.h"
#include "cli/ask.h"
#include "cli/options.h"
#include "cli/present/containers.h"
#include "cli/verbs.h"

namespace ward::cli {
namespace {

int run(Session& session) {
  return ask(session, "ps", &ward::v1::Ward::Stub::ListContainers, {}, [&](const auto& containers) {
    session.print(container_table(containers, session.out));
  });
}

}  // namespace

void add_ps(CLI::App& app, Session& session, int& exit_code) {
  add_verb(app, "ps", "Containers under Ward: mode, profile, phase, and why one is quarantined")
      ->footer(examples({"ward ps", "ward ps -o json"}))
      ->callback([&] { exit_code = run(session); });
}

}  // namespace ward::cli
