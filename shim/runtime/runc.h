// SPDX-License-Identifier: Apache-2.0
// Runs the verbs of the OCI runtime (runc, or crun with the same command line) as children,
// asynchronously. Each call has its own log in memory, so that what one of two concurrent calls
// says is never taken for the other's. Knows nothing of states, events or profiles.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/result.h"
#include "lib/base/unique_fd.h"
#include "lib/linux/reaper.h"

namespace ward::shim::runtime {

struct RuncPlace {
  std::string binary;  // a path
  std::string root;    // --root
  bool systemd_cgroup = false;
  std::string
      directory{};  // its working directory: the bundle, where a wrapper may look for config.json
};

struct RuncCall {
  std::vector<std::string> arguments;  // verb first
  std::string path_first;              // a directory to look into before those of $PATH
  std::vector<std::pair<int, int>>
      descriptors;  // for the child; 1 and 2, where absent, are captured
  // The container's process inherits 0, 1 and 2: those that are absent are /dev/null, and nothing
  // is captured.
  bool passes_stdio_on = false;
  // Where set, the child waits before it executes until `go` was called; called with its pid.
  std::function<void(pid_t, std::function<void()> go)> gate;
};

// The child's descriptor numbers from here on are free for the caller.
inline constexpr int kFirstFreeRuncDescriptor = 4;

class Runc {
 public:
  using Done =
      std::function<void(Result<std::string>)>;  // what it wrote to stdout, where that was captured

  Runc(Reaper& reaper, RuncPlace place);

  // An error carries the last error of the runtime's log: "OCI runtime <verb> failed: <message>".
  void run(RuncCall call, Done done);

  [[nodiscard]] const RuncPlace& place() const { return place_; }
  void set_binary(std::string binary) { place_.binary = std::move(binary); }

 private:
  Reaper& reaper_;
  RuncPlace place_;
};

// Pure: the message of the last record of level error in the runtime's JSON log; empty where there
// is none.
std::string find_last_error(std::string_view log);

// What runc and crun say of a container or process that is gone, whatever the spelling.
bool says_not_found(std::string_view message);

}  // namespace ward::shim::runtime
