// SPDX-License-Identifier: Apache-2.0
#include "cli/session.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>

namespace ward::cli {

ward::v1::Ward::Stub& Session::api() {
  if (!stub_) {
    stub_ = ward::v1::Ward::NewStub(
        grpc::CreateChannel("unix:" + places.api_socket().string(), grpc::InsecureChannelCredentials()));
  }
  return *stub_;
}

int Session::fail(std::string_view doing, const grpc::Status& status) const {
  const std::string what = std::string(doing) + ": ";
  const std::string socket = places.api_socket().string();
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
    return refuse(what + "wardd did not answer in time at " + socket +
                      ": it stands still or is very busy (containers stay enforced without it)",
                  kExitUnreachable);
  }
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE) {
    if (::geteuid() != 0) {
      return refuse(what + "wardd cannot be reached at " + socket + ": only root may talk to it", kExitUnreachable);
    }
    return refuse(what + "wardd does not answer at " + socket +
                      " (is it running? containers stay enforced without it; another node's socket: --run-dir or "
                      "WARD_RUN_DIR)",
                  kExitUnreachable);
  }
  const bool invalid = status.error_code() == grpc::StatusCode::INVALID_ARGUMENT;
  return refuse(what + status.error_message(), invalid ? kExitInvalid : kExitFailed);
}

int Session::fail(const Error& error) const {
  return refuse(error.message, error.code == Code::kInvalidArgument ? kExitInvalid : kExitFailed);
}

int Session::refuse(const std::string& message, ExitCode exit_code) const {
  if (json) {
    using Json = nlohmann::ordered_json;
    const Json object = {{"error", message}, {"exit_code", static_cast<int>(exit_code)}};
    std::fprintf(stderr, "%s\n", object.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
  } else {
    std::fprintf(stderr, "%s%s\n", err.bad("ward: ").c_str(), message.c_str());
  }
  return exit_code;
}

}  // namespace ward::cli
