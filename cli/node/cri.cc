// SPDX-License-Identifier: Apache-2.0
#include "cli/node/cri.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include "cri/runtime.grpc.pb.h"
#include "lib/json/json.h"

namespace ward::cli::node {
namespace {

using google::protobuf::UnknownField;
using google::protobuf::UnknownFieldSet;

// Fields of the interface that our copy of its messages leaves out: StatusRequest.verbose is 1,
// StatusResponse.info, a map of text to text, is 2.
constexpr int kVerbose = 1;
constexpr int kInfo = 2;

std::string bytes_of(const UnknownFieldSet& fields, int number) {
  for (int i = 0; i < fields.field_count(); ++i) {
    const UnknownField& field = fields.field(i);
    if (field.number() == number && field.type() == UnknownField::TYPE_LENGTH_DELIMITED)
      return field.length_delimited();
  }
  return "";
}

std::string info_of(const runtime::v1::StatusResponse& answer, const std::string& key) {
  const UnknownFieldSet& fields = answer.GetReflection()->GetUnknownFields(answer);
  for (int i = 0; i < fields.field_count(); ++i) {
    const UnknownField& field = fields.field(i);
    UnknownFieldSet entry;
    if (field.number() == kInfo && field.type() == UnknownField::TYPE_LENGTH_DELIMITED &&
        entry.ParseFromString(field.length_delimited()) && bytes_of(entry, 1) == key)
      return bytes_of(entry, 2);
  }
  return "";
}

std::map<std::string, std::string> handlers_in(const std::string& config) {
  std::map<std::string, std::string> handlers;
  const auto document = parse_json<nlohmann::json>(config);
  if (!document.is_object()) return handlers;
  const auto containerd = document.value("containerd", nlohmann::json::object());
  if (!containerd.is_object() || !containerd.contains("runtimes")) return handlers;
  for (const auto& [name, runtime] : containerd["runtimes"].items()) {
    const auto type =
        runtime.is_object() ? runtime.value("runtimeType", nlohmann::json()) : nlohmann::json();
    handlers[name] = type.is_string() ? type.get<std::string>() : "";
  }
  return handlers;
}

}  // namespace

Result<CriState> ask_cri(const std::filesystem::path& socket, std::chrono::milliseconds patience) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // A connection of its own: the one of before a restart would wait longer and longer.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  const auto stub = runtime::v1::RuntimeService::NewStub(grpc::CreateCustomChannel(
      "unix:" + socket.string(), grpc::InsecureChannelCredentials(), arguments));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + patience);
  runtime::v1::StatusRequest request;
  request.GetReflection()->MutableUnknownFields(&request)->AddVarint(kVerbose, 1);
  runtime::v1::StatusResponse answer;
  const grpc::Status status = stub->Status(&context, request, &answer);
  if (!status.ok()) return fail(static_cast<Code>(status.error_code()), status.error_message());
  CriState state;
  for (const auto& condition : answer.status().conditions()) {
    if (condition.type() == "RuntimeReady") state.runtime_ready = condition.status();
    if (condition.type() == "NetworkReady") state.network_ready = condition.status();
  }
  state.handlers = handlers_in(info_of(answer, "config"));
  return state;
}

}  // namespace ward::cli::node
