// SPDX-License-Identifier: Apache-2.0
// What travels inside the frames: requests and responses between values and bytes. Pure; used by
// server and client.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "lib/base/result.h"
#include "lib/ttrpc/server.h"

namespace ward::ttrpc {

struct IncomingRequest {
  std::string service;
  std::string method;
  Request request;
};

// kInvalidArgument where the bytes are not a request.
Result<IncomingRequest> parse_request(std::string_view bytes);

std::string encode_request(std::string_view service, std::string_view method, std::string payload,
                           std::chrono::nanoseconds timeout, std::string_view containerd_namespace);

// Always a response that a peer can read: one that is over the frame limit becomes
// kResourceExhausted, and bytes of an error message that are not UTF-8 become '?' (a Go peer
// refuses the whole response otherwise).
std::string encode_response(Result<std::string> answer);

// The payload, or the error that the peer sent; kInternal where the bytes are not a response.
Result<std::string> parse_response(std::string_view bytes);

}  // namespace ward::ttrpc
