// SPDX-License-Identifier: Apache-2.0
#include <grpcpp/client_context.h>

#include <cstdio>

#include "cli/present/containers.h"
#include "cli/present/json.h"
#include "cli/verbs.h"

namespace ward::cli {
namespace {

int run(Session& session) {
  grpc::ClientContext context;
  ward::v1::ListContainersResponse containers;
  if (const auto rpc = session.api().ListContainers(&context, {}, &containers); !rpc.ok()) {
    return session.fail("ps", rpc);
  }
  std::fputs(session.json ? (to_json(containers) + "\n").c_str() : container_table(containers, session.out).c_str(),
             stdout);
  return kExitOk;
}

}  // namespace

void add_ps(CLI::App& app, Session& session, int& exit_code) {
  app.add_subcommand("ps", "Containers under Ward: mode, profile, phase, and why one is quarantined")->callback([&] {
    exit_code = run(session);
  });
}

}  // namespace ward::cli
