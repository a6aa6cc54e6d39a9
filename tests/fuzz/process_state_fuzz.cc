// SPDX-License-Identifier: Apache-2.0
// The message that comes with a seccomp listener carries what the container's specification says.
// Its end does not depend on how it is cut; what is understood of it is within its bounds.
#include <cstdlib>
#include <string_view>

#include "shim/supervisor/listener_offer.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  using namespace ward::shim;
  supervisor::MessageEnd at_once;
  supervisor::MessageEnd byte_by_byte;
  bool reached = false;
  for (const char& c : text) reached = byte_by_byte.reached_with({&c, 1});
  if (at_once.reached_with(text) != reached) std::abort();
  const auto state = supervisor::parse_process_state(text);
  if (!state) return 0;
  // What is a message has an end.
  if (!reached || state->pid <= 0 || state->container_id.empty()) std::abort();
  return 0;
}
