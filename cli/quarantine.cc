// SPDX-License-Identifier: Apache-2.0
#include <grpcpp/client_context.h>

#include <cstdio>
#include <memory>

#include "cli/present/containers.h"
#include "cli/present/json.h"
#include "cli/verbs.h"
#include "lib/base/escape.h"

namespace ward::cli {
namespace {

int list(Session& session) {
  grpc::ClientContext context;
  ward::v1::ListContainersResponse containers;
  if (const auto rpc = session.api().ListQuarantine(&context, {}, &containers); !rpc.ok()) {
    return session.fail("quarantine list", rpc);
  }
  if (session.json) {
    std::puts(to_json(containers).c_str());
  } else if (containers.containers().empty()) {
    std::puts("no container is quarantined");
  } else {
    std::fputs(container_table(containers, session.out).c_str(), stdout);
  }
  return kExitOk;
}

using Call = grpc::Status (ward::v1::Ward::Stub::*)(grpc::ClientContext*, const ward::v1::ContainerRequest&,
                                                    ward::v1::ContainerResponse*);

int command(Session& session, const char* verb, const char* done, Call call,
            const ward::v1::ContainerRequest& request) {
  grpc::ClientContext context;
  ward::v1::ContainerResponse response;
  if (const auto rpc = (session.api().*call)(&context, request, &response); !rpc.ok()) {
    return session.fail(std::string("quarantine ") + verb + " " + request.container(), rpc);
  }
  if (session.json) {
    std::puts(to_json(response).c_str());
  } else {
    std::printf("%s: %s\n", escape(response.container().id()).c_str(), done);
  }
  return kExitOk;
}

void add_command(CLI::App& app, Session& session, int& exit_code, const char* name, const char* help, const char* done,
                 Call call) {
  auto* verb = app.add_subcommand(name, help);
  const auto request = std::make_shared<ward::v1::ContainerRequest>();
  verb->add_option_function<std::string>(
          "container", [request](const std::string& id) { request->set_container(id); },
          "container id, as `ward ps` shows it")
      ->required();
  verb->add_option_function<std::string>(
      "-n,--namespace", [request](const std::string& ns) { request->set_containerd_namespace(ns); },
      "containerd namespace, where two have the id");
  verb->add_option_function<std::string>(
      "--reason", [request](const std::string& why) { request->set_reason(why); }, "goes into the journal");
  verb->callback(
      [&session, &exit_code, request, name, done, call] { exit_code = command(session, name, done, call, *request); });
}

}  // namespace

void add_quarantine(CLI::App& app, Session& session, int& exit_code) {
  auto* quarantine = app.add_subcommand("quarantine", "Containers that were cut off and frozen");
  quarantine->require_subcommand(1);
  quarantine->add_subcommand("list", "Which ones, and why")->callback([&] { exit_code = list(session); });
  add_command(*quarantine, session, exit_code, "release", "Thaw it, give it its network back, go on enforcing",
              "released, and enforced as before", &ward::v1::Ward::Stub::ReleaseContainer);
  add_command(*quarantine, session, exit_code, "kill", "Kill every process of it; containerd sees an ordinary exit",
              "killed", &ward::v1::Ward::Stub::KillContainer);
}

}  // namespace ward::cli
