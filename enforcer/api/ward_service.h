// SPDX-License-Identifier: Apache-2.0
// ward.v1.Ward as gRPC's callback service: every method posts to the core loop and answers from
// there.
#pragma once

#include <grpcpp/grpcpp.h>

#include <asio/io_context.hpp>
#include <memory>

#include "enforcer/api/event_stream.h"
#include "enforcer/api/operations.h"
#include "enforcer/journal/journal.h"

namespace ward::enforcer {

// `core` and `journal` outlive the service.
std::unique_ptr<grpc::Service> make_ward_service(asio::io_context& core, Operations operations,
                                                 Journal& journal,
                                                 std::shared_ptr<OpenStreams> open);

}  // namespace ward::enforcer
