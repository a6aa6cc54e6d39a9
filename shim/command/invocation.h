// SPDX-License-Identifier: Apache-2.0
// How containerd calls the shim (docs/shim-contract.md C55): flags in Go's syntax, then an action.
// Flags of newer daemons that we do not know are passed over.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "lib/base/unique_fd.h"

namespace ward::shim::command {

enum class Action { kServe, kStart, kDelete, kVersion, kInfo };

struct Invocation {
  Action action = Action::kServe;
  std::size_t action_at = 0;  // which of the arguments said start or delete
  std::string containerd_namespace;
  std::string id;
  std::string address;  // containerd's gRPC socket
  std::string bundle;   // delete only
  std::string socket;   // of a server that is started by hand
  bool debug = false;
};

Result<Invocation> parse_invocation(const std::vector<std::string>& arguments);

// What a server begins with.
struct ServerEnds {
  UniqueFd listener;   // bound and listening
  UniqueFd readiness;  // gets one byte once it serves; none where nobody waits for that
};

// One file for each. `run_start` is the server in the process that it leaves behind, and there
// takes `action`, the word among the program's arguments, out of its command line.
int run_start(const Invocation& invocation, char* action);
int run_delete(const Invocation& invocation);
int run_serve(const Invocation& invocation);
int serve(const Invocation& invocation, ServerEnds ends);
int run_info();

}  // namespace ward::shim::command
