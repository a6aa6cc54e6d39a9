// SPDX-License-Identifier: Apache-2.0
// Whose run it is. Runs are put together under a workload's name, which a policy may give to
// anything; what is of different images or of different namespaces is not one thing, and does not
// become one profile unasked.
#pragma once

#include <string>
#include <vector>

namespace ward::profiles {

struct Run;

// As containerd and the pod say; empty where it is not known (outside of Kubernetes the pod, and
// the image's name).
struct Source {
  std::string containerd_namespace;
  std::string kubernetes_namespace;
  std::string pod;
  std::string container_name;
  std::string image;
  std::string layers;  // digest of where the image's layers lie on the node
  bool operator==(const Source&) const = default;
};

// What must be the same in all runs of a workload, in words: "image docker.io/shop/cart:1,
// namespace shop". Pods and containers may differ: replicas do. Empty: nothing is known, as of runs
// of older versions.
std::string kind_of(const Source& source);

// The different kinds among runs, each once; one or none is as it should be.
std::vector<std::string> kinds_of(const std::vector<Run>& runs);

// "it has runs of different images or namespaces: a; b", or empty.
std::string describe_mixture(const std::vector<std::string>& kinds);

}  // namespace ward::profiles
