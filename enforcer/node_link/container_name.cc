// SPDX-License-Identifier: Apache-2.0
#include "enforcer/node_link/container_name.h"

#include "lib/base/escape.h"

namespace ward::enforcer {

bool is_named(const node::v1::Identity& who, const std::string& name) {
  const std::string& kubernetes = who.kubernetes_namespace();
  if (name ==
      (kubernetes.empty() ? who.containerd_namespace() : kubernetes) + "/" + who.container_id())
    return true;
  if (kubernetes.empty()) return false;
  const std::string in_pod = who.pod() + "/" + who.container_name();
  return name == who.container_name() || name == in_pod ||
         name == kubernetes + "/" + who.container_name() || name == kubernetes + "/" + in_pod;
}

std::string full_name(const node::v1::Identity& who) {
  std::string out = who.containerd_namespace() + "/" + who.container_id();
  if (!who.kubernetes_namespace().empty()) {
    out += " (" + who.kubernetes_namespace() + "/" + who.pod() + "/" + who.container_name() + ")";
  }
  return escape(out, 1024);
}

}  // namespace ward::enforcer
