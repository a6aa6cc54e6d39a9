// SPDX-License-Identifier: Apache-2.0
#include "lib/ttrpc/message.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "lib/base/utf8.h"
#include "lib/ttrpc/frame.h"
#include "ttrpc/ttrpc.pb.h"

namespace ward::ttrpc {
namespace {

constexpr std::string_view kNamespaceKey = "containerd-namespace-ttrpc";
constexpr std::size_t kMaxErrorBytes = 64U << 10U;

std::string encode_error(const Error& error) {
  wire::Response response;
  // An error whose code says that all is well must not arrive as an empty success.
  response.mutable_status()->set_code(
      static_cast<int>(error.code == Code::kOk ? Code::kUnknown : error.code));
  response.mutable_status()->set_message(
      to_utf8(std::string_view(error.message).substr(0, kMaxErrorBytes)));
  return response.SerializeAsString();
}

Code code_of(int wire_code) {
  return wire_code >= 1 && wire_code <= static_cast<int>(Code::kUnavailable)
             ? static_cast<Code>(wire_code)
             : Code::kUnknown;
}

}  // namespace

Result<IncomingRequest> parse_request(std::string_view bytes) {
  wire::Request wire;
  if (bytes.size() > kMaxFrameBytes ||
      !wire.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return fail(Code::kInvalidArgument, "the data of the frame is not a ttrpc request");
  }
  IncomingRequest incoming;
  incoming.service = std::move(*wire.mutable_service());
  incoming.method = std::move(*wire.mutable_method());
  incoming.request.payload = std::move(*wire.mutable_payload());
  incoming.request.timeout_ns = std::max<std::int64_t>(wire.timeout_nano(), 0);
  for (wire::KeyValue& entry : *wire.mutable_metadata()) {
    if (entry.key() != kNamespaceKey) continue;
    incoming.request.containerd_namespace = std::move(*entry.mutable_value());
    break;
  }
  return incoming;
}

std::string encode_request(std::string_view service, std::string_view method, std::string payload,
                           std::chrono::nanoseconds timeout,
                           std::string_view containerd_namespace) {
  wire::Request wire;
  wire.set_service(std::string(service));
  wire.set_method(std::string(method));
  wire.set_payload(std::move(payload));
  wire.set_timeout_nano(timeout.count());
  if (!containerd_namespace.empty()) {
    wire::KeyValue* entry = wire.add_metadata();
    entry->set_key(std::string(kNamespaceKey));
    entry->set_value(std::string(containerd_namespace));
  }
  return wire.SerializeAsString();
}

std::string encode_response(Result<std::string> answer) {
  if (!answer) return encode_error(answer.error());
  const std::size_t size = answer->size();
  wire::Response wire;
  wire.set_payload(std::move(*answer));
  std::string bytes = wire.SerializeAsString();
  if (bytes.size() <= kMaxFrameBytes) return bytes;
  return encode_error(Error{Code::kResourceExhausted,
                            "the answer has " + std::to_string(size) +
                                " bytes, a ttrpc message may have " +
                                std::to_string(kMaxFrameBytes),
                            0});
}

Result<std::string> parse_response(std::string_view bytes) {
  wire::Response wire;
  if (bytes.size() > kMaxFrameBytes ||
      !wire.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return fail(Code::kInternal, "the answer is not a ttrpc response");
  }
  if (wire.status().code() != 0)
    return fail(code_of(wire.status().code()), wire.status().message());
  return std::move(*wire.mutable_payload());
}

}  // namespace ward::ttrpc
