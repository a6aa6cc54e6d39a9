// SPDX-License-Identifier: Apache-2.0
#include "cli/session.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>
#include <unistd.h>

#include <cstdio>

#include "cli/present/json_text.h"
#include "lib/base/printable.h"

namespace ward::cli {

ward::v1::Ward::Stub& Session::api() {
  if (!stub_) {
    // A pool of its own, so that connect_again() does not get the old connection with its growing
    // pauses.
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    stub_ = ward::v1::Ward::NewStub(grpc::CreateCustomChannel(
        "unix:" + places.api_socket().string(), grpc::InsecureChannelCredentials(), arguments));
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
      return refuse(what + "wardd cannot be reached at " + socket + ": only root may talk to it",
                    kExitUnreachable);
    }
    return refuse(what + "wardd does not answer at " + socket +
                      " (is it running? containers stay enforced without it; another node's "
                      "socket: --run-dir or "
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
    const nlohmann::ordered_json object = {{"schema", schema("Error")},
                                           {"error", message},
                                           {"exit_code", static_cast<int>(exit_code)}};
    std::fputs(json_text(object, JsonForm::kLine).c_str(), stderr);
  } else {
    say(err.bad("ward: ") + printable(message));
  }
  return exit_code;
}

void Session::say(std::string_view line) const {
  std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data());
}

void Session::warn(const std::string& warning) {
  if (!warned_.insert(warning).second) return;
  if (!json) return say(err.warn("warning: ") + printable(warning));
  const nlohmann::ordered_json object = {{"schema", schema("Warning")}, {"warning", warning}};
  std::fputs(json_text(object, JsonForm::kLine).c_str(), stderr);
}

}  // namespace ward::cli
