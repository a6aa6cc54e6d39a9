// SPDX-License-Identifier: Apache-2.0
// A network namespace of a node's own, with nothing but a loopback interface: bridges and addresses
// of its pods cannot meet those of other nodes or of the machine, and host-network pods have this
// network.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "lib/base/unique_fd.h"

namespace ward::test {

class PrivateNetwork {
 public:
  PrivateNetwork();

  // The command, run in this network; the process keeps its pid.
  [[nodiscard]] std::vector<std::string> command(std::vector<std::string> arguments) const;
  // Calls it with this thread in the network: a socket that is made there stays there.
  void within(const std::function<void()>& work) const;

 private:
  UniqueFd network_;
};

}  // namespace ward::test
