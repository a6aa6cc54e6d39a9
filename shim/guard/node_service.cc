// SPDX-License-Identifier: Apache-2.0
#include "shim/guard/node_service.h"

#include <memory>
#include <utility>

#include "lib/ttrpc/server.h"

namespace ward::shim::guard {
namespace {

constexpr const char* kService = "ward.node.v1.Shim";

void reply_to(ttrpc::Responder& responder, const Result<void>& result) {
  if (result) {
    responder.reply(node::v1::Ack());
  } else {
    responder.error(result.error());
  }
}

// Parses and checks whose container is meant.
template <typename Message>
Result<Message> parse_command(const ttrpc::Request& request,
                              const std::string& containerd_namespace) {
  Message command;
  if (!command.ParseFromString(request.payload)) {
    return fail(Code::kInvalidArgument, "the payload of " + std::to_string(request.payload.size()) +
                                            " bytes is no " + std::string(command.GetTypeName()) +
                                            "; are wardd and this shim of one version?");
  }
  if (command.containerd_namespace() != containerd_namespace) {
    return fail(Code::kNotFound,
                "this shim serves containerd namespace '" + containerd_namespace + "' only");
  }
  return command;
}

}  // namespace

void serve_node_service(ttrpc::Server& server, NodeServiceCalls given) {
  const auto calls = std::make_shared<const NodeServiceCalls>(std::move(given));
  using node::v1::ContainerCommand;
  server.add(kService, "ListContainers",
             [calls](const ttrpc::Request&, ttrpc::Responder responder) {
               responder.reply(calls->list());
             });
  server.add(kService, "Quarantine",
             [calls](const ttrpc::Request& request, ttrpc::Responder responder) {
               auto command = parse_command<ContainerCommand>(request, calls->containerd_namespace);
               if (!command) return responder.error(command.error());
               reply_to(responder, calls->quarantine(command->container_id(), command->reason()));
             });
  server.add(kService, "Release",
             [calls](const ttrpc::Request& request, ttrpc::Responder responder) {
               auto command = parse_command<ContainerCommand>(request, calls->containerd_namespace);
               if (!command) return responder.error(command.error());
               reply_to(responder, calls->release(command->container_id()));
             });
  server.add(kService, "Kill", [calls](const ttrpc::Request& request, ttrpc::Responder responder) {
    auto command = parse_command<ContainerCommand>(request, calls->containerd_namespace);
    if (!command) return responder.error(command.error());
    const auto waiting = std::make_shared<ttrpc::Responder>(std::move(responder));
    calls->kill(command->container_id(),
                [waiting](const Result<void>& killed) { reply_to(*waiting, killed); });
  });
  server.add(kService, "SetMode",
             [calls](const ttrpc::Request& request, ttrpc::Responder responder) {
               auto command =
                   parse_command<node::v1::SetModeRequest>(request, calls->containerd_namespace);
               if (!command) return responder.error(command.error());
               auto status = calls->set_mode(command->container_id(), command->mode());
               if (!status) return responder.error(status.error());
               node::v1::SetModeResponse response;
               *response.mutable_container() = std::move(*status);
               responder.reply(response);
             });
  server.add(kService, "Calm", [calls](const ttrpc::Request& request, ttrpc::Responder responder) {
    auto command = parse_command<node::v1::CalmCommand>(request, calls->containerd_namespace);
    if (!command) return responder.error(command.error());
    reply_to(responder, calls->calm(*command));
  });
  server.add(kService, "Widen", [calls](const ttrpc::Request& request, ttrpc::Responder responder) {
    auto command = parse_command<node::v1::WidenRequest>(request, calls->containerd_namespace);
    if (!command) return responder.error(command.error());
    auto status = calls->widen(*command);
    if (!status) return responder.error(status.error());
    node::v1::WidenResponse response;
    *response.mutable_container() = std::move(*status);
    responder.reply(response);
  });
  server.add(
      kService, "Record", [calls](const ttrpc::Request& request, ttrpc::Responder responder) {
        auto command = parse_command<node::v1::RecordCommand>(request, calls->containerd_namespace);
        if (!command) return responder.error(command.error());
        auto status = calls->record(*command);
        if (!status) return responder.error(status.error());
        node::v1::RecordAnswer answer;
        *answer.mutable_container() = std::move(*status);
        responder.reply(answer);
      });
  server.add(kService, "Tell", [calls](const ttrpc::Request& request, ttrpc::Responder responder) {
    auto seen = parse_command<node::v1::Seen>(request, calls->containerd_namespace);
    if (!seen) return responder.error(seen.error());
    reply_to(responder, calls->tell(*seen));
  });
}

}  // namespace ward::shim::guard
