// SPDX-License-Identifier: Apache-2.0
// containerd-shim-ward-v1: `start` leaves a server behind, `delete` cleans up after one that died;
// without an action and with -socket it is a server that somebody starts by hand. What goes to
// stderr here becomes the error text of containerd's client.
#include <google/protobuf/stubs/logging.h>
#include <malloc.h>
#include <sys/stat.h>

#include <cstdio>

#include "lib/base/commit.h"
#include "lib/base/standard_streams.h"
#include "shim/command/invocation.h"

int main(int argc, char** argv) {
  ward::open_standard_streams();
  // One thread: further arenas and a large untrimmed top would only be memory for nothing, once for
  // each pod.
  ::mallopt(M_ARENA_MAX, 1);
  ::mallopt(M_TRIM_THRESHOLD, 64 << 10);
  ::mallopt(M_MMAP_THRESHOLD, 256 << 10);
  // What the runtime writes into a bundle, and what a container inherits, must not depend on how
  // containerd was started.
  ::umask(022);
  // Bytes that cannot be decoded are our callers' to report; the library's own words would mix with
  // what containerd reads.
  google::protobuf::SetLogHandler(nullptr);
  const auto invocation = ward::shim::command::parse_invocation({argv + 1, argv + argc});
  if (!invocation) {
    std::fprintf(stderr, "containerd-shim-ward-v1: %s\n", invocation.error().message.c_str());
    return 1;
  }
  switch (invocation->action) {
    case ward::shim::command::Action::kStart:
      return ward::shim::command::run_start(*invocation, argv[1 + invocation->action_at]);
    case ward::shim::command::Action::kDelete: return ward::shim::command::run_delete(*invocation);
    case ward::shim::command::Action::kServe: return ward::shim::command::run_serve(*invocation);
    case ward::shim::command::Action::kInfo: return ward::shim::command::run_info();
    case ward::shim::command::Action::kVersion:
      std::printf("containerd-shim-ward-v1:\n  Version: %s\n  Revision: %s\n", WARD_VERSION,
                  ward::commit());
      return 0;
  }
  return 1;
}
