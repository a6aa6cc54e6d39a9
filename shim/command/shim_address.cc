// SPDX-License-Identifier: Apache-2.0
#include "shim/command/shim_address.h"

#include "lib/base/digest.h"
#include "lib/oci/bundle.h"

namespace ward::shim::command {

Result<std::string> read_grouping(const std::filesystem::path& bundle, const std::string& id) {
  const auto config = oci::Config::read(bundle);
  if (!config) return tl::unexpected(config.error());
  const auto annotations = config->annotations();
  for (const char* key : {"io.containerd.runc.v2.group", "io.kubernetes.cri.sandbox-id"}) {
    const auto found = annotations.find(key);
    if (found != annotations.end() && !found->second.empty()) return found->second;
  }
  return id;
}

std::string shim_socket_path(const std::string& socket_directory,
                             const std::string& containerd_address,
                             const std::string& containerd_namespace, const std::string& grouping) {
  const auto joined =
      std::filesystem::path(containerd_address + "/" + containerd_namespace + "/" + grouping)
          .lexically_normal();
  return socket_directory + "/" + sha256_hex(joined.string());
}

}  // namespace ward::shim::command
