// SPDX-License-Identifier: Apache-2.0
// How containerd calls the shim (shim contract, section 1.1): flags in Go's syntax, then an action. Flags of newer
// daemons that we do not know are passed over.
#pragma once

#include <string>
#include <vector>

#include "lib/base/result.h"

namespace ward::shim {

enum class Action { kServe, kStart, kDelete, kVersion, kInfo };

struct Invocation {
  Action action = Action::kServe;
  std::string containerd_namespace;
  std::string id;
  std::string address;  // containerd's gRPC socket
  std::string bundle;   // delete only
  std::string socket;   // the server's own, where no descriptor was inherited
  bool debug = false;
};

Result<Invocation> parse_invocation(const std::vector<std::string>& arguments);

// Where `start` leaves the bound socket for the server.
inline constexpr int kListenerDescriptor = 3;

// One file for each.
int run_start(const Invocation& invocation);
int run_delete(const Invocation& invocation);
int run_serve(const Invocation& invocation);
int run_info();

}  // namespace ward::shim
