// SPDX-License-Identifier: Apache-2.0
// `-info`: what containerd 2.x asks a runtime about itself.
#include <cstdio>

#include "containerd/types.pb.h"
#include "shim/invocation.h"

namespace ward::shim {

int run_info() {
  containerd::RuntimeInfo info;
  info.set_name("io.containerd.ward.v1");
  info.mutable_version()->set_version(WARD_VERSION);
  const std::string bytes = info.SerializeAsString();
  return std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size() && std::fflush(stdout) == 0 ? 0 : 1;
}

}  // namespace ward::shim
