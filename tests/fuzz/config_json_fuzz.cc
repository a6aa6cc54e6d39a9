// SPDX-License-Identifier: Apache-2.0
// config.json and an exec's process document as a client may send them: read, changed and written
// again, what comes out can be read and says what was set.
#include <cstdlib>
#include <string_view>

#include "lib/oci/bundle.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  using namespace ward::oci;
  if (auto config = Config::parse(text)) {
    (void)config->annotations();
    (void)config->seccomp();
    (void)config->has_private_pid_namespace();
    (void)config->cgroups_path();
    (void)config->root_path();
    config->set_capabilities({});
    config->set_no_new_privileges(true);
    config->set_seccomp({});
    config->remove_annotations_with_prefix("run.oci.");
    const auto again = Config::parse(config->dump());
    if (!again || !again->no_new_privileges() || again->capabilities() != Capabilities{})
      std::abort();
    const auto seccomp = again->seccomp();
    if (!seccomp || *seccomp != Seccomp{}) std::abort();
  }
  if (auto process = ProcessSpec::parse(text)) {
    process->set_capabilities({});
    process->set_no_new_privileges(true);
    const auto again = ProcessSpec::parse(process->dump());
    if (!again || !again->no_new_privileges() || again->capabilities() != Capabilities{})
      std::abort();
  }
  return 0;
}
