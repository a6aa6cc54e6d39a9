// SPDX-License-Identifier: Apache-2.0
#include "cli/session.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <unistd.h>

#include <cstdio>

namespace ward::cli {

ward::v1::Ward::Stub& Session::api() {
  if (!stub_) {
    stub_ = ward::v1::Ward::NewStub(
        grpc::CreateChannel("unix:" + places.api_socket().string(), grpc::InsecureChannelCredentials()));
  }
  return *stub_;
}

int Session::fail(std::string_view doing, const grpc::Status& status) const {
  const std::string what = err.bad("ward: ") + std::string(doing);
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE) {
    const std::string socket = places.api_socket().string();
    if (::geteuid() != 0) {
      std::fprintf(stderr, "%s: wardd cannot be reached at %s: only root may talk to it\n", what.c_str(),
                   socket.c_str());
    } else {
      std::fprintf(stderr,
                   "%s: wardd does not answer at %s (is it running? containers stay enforced without it;"
                   " another node's socket: --run-dir or WARD_RUN_DIR)\n",
                   what.c_str(), socket.c_str());
    }
    return kExitUnreachable;
  }
  std::fprintf(stderr, "%s: %s\n", what.c_str(), status.error_message().c_str());
  return status.error_code() == grpc::StatusCode::INVALID_ARGUMENT ? kExitInvalid : kExitFailed;
}

int Session::fail(const Error& error) const {
  std::fprintf(stderr, "%s%s\n", err.bad("ward: ").c_str(), error.message.c_str());
  return error.code == Code::kInvalidArgument ? kExitInvalid : kExitFailed;
}

}  // namespace ward::cli
