// SPDX-License-Identifier: Apache-2.0
#include "shim/admission/identity.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace ward::shim::admission {
namespace {

// A container that has all of these, and no filter of its own, is one that runs privileged: there
// is no annotation that says so for containers, and nobody asks for this set by hand and means to
// be confined.
constexpr std::array<std::string_view, 6> kPrivilegedMarks = {
    "CAP_DAC_READ_SEARCH", "CAP_NET_ADMIN",  "CAP_SYS_ADMIN",
    "CAP_SYS_MODULE",      "CAP_SYS_PTRACE", "CAP_SYS_RAWIO"};

// Names of Kubernetes end at 253 bytes; images have a registry, a path, a tag and a digest.
constexpr std::size_t kMaxNameBytes = 1024;

bool is_privileged(const oci::Config& config) {
  const auto seccomp = config.seccomp();
  if (!seccomp || seccomp->has_value()) return false;
  const auto capabilities = config.capabilities();
  if (!capabilities) return false;
  const auto& held = capabilities->effective;
  return std::all_of(kPrivilegedMarks.begin(), kPrivilegedMarks.end(), [&](std::string_view mark) {
    return std::find(held.begin(), held.end(), mark) != held.end();
  });
}

}  // namespace

node::v1::Identity identify(const oci::Config& config, const std::string& containerd_namespace,
                            const std::string& container_id) {
  const auto annotations = config.annotations();
  const auto annotation = [&](const char* key) {
    const auto found = annotations.find(key);
    return found == annotations.end() ? std::string() : found->second;
  };
  node::v1::Identity identity;
  identity.set_containerd_namespace(containerd_namespace);
  identity.set_container_id(container_id);
  identity.set_kubernetes_namespace(annotation("io.kubernetes.cri.sandbox-namespace"));
  identity.set_pod(annotation("io.kubernetes.cri.sandbox-name"));
  const std::string name = annotation("io.kubernetes.cri.container-name");
  identity.set_container_name(name.empty() ? container_id : name);
  identity.set_image(annotation("io.kubernetes.cri.image-name"));
  identity.set_sandbox_id(annotation("io.kubernetes.cri.sandbox-id"));
  identity.set_is_sandbox(annotation("io.kubernetes.cri.container-type") == "sandbox");
  identity.set_is_privileged(is_privileged(config));
  return identity;
}

Result<void> check_lengths(const node::v1::Identity& identity) {
  const std::pair<const char*, const std::string&> names[] = {
      {"the id of the container", identity.container_id()},
      {"the name of the container", identity.container_name()},
      {"the name of the pod", identity.pod()},
      {"the Kubernetes namespace", identity.kubernetes_namespace()},
      {"the name of the image", identity.image()},
      {"the id of the sandbox", identity.sandbox_id()}};
  for (const auto& [what, name] : names) {
    if (name.size() <= kMaxNameBytes) continue;
    return fail(Code::kInvalidArgument, std::string(what) + " has " + std::to_string(name.size()) +
                                            " bytes, and a policy is asked about at most " +
                                            std::to_string(kMaxNameBytes));
  }
  return {};
}

}  // namespace ward::shim::admission
