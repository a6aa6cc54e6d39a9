// SPDX-License-Identifier: Apache-2.0
// The service ward.node.v1.Shim, which wardd calls: translation only, the Guard decides.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "ward/node/v1/node.pb.h"

namespace ward::ttrpc {
class Server;
}

namespace ward::shim::guard {

struct NodeServiceCalls {
  std::string containerd_namespace;  // commands for another one are refused
  std::function<node::v1::RegisterRequest()> list;
  std::function<Result<void>(const std::string& id, const std::string& reason)> quarantine;
  std::function<Result<void>(const std::string& id)> release;
  std::function<void(const std::string& id, std::function<void(Result<void>)> done)> kill;
  std::function<Result<node::v1::ContainerStatus>(const std::string& id, node::v1::Mode mode)>
      set_mode;
  std::function<Result<void>(const node::v1::CalmCommand& command)> calm;
  std::function<Result<node::v1::ContainerStatus>(const node::v1::WidenRequest& request)> widen;
  std::function<Result<node::v1::ContainerStatus>(const node::v1::RecordCommand& command)> record;
  std::function<Result<void>(const node::v1::Seen& seen)> tell;
};

void serve_node_service(ttrpc::Server& server, NodeServiceCalls calls);

}  // namespace ward::shim::guard
