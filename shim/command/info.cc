// SPDX-License-Identifier: Apache-2.0
// `-info`: what containerd 2.x asks a runtime about itself. Standard input: runtime options as an
// Any, or nothing.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

#include "containerd/types.pb.h"
#include "lib/linux/child_process.h"
#include "shim/command/invocation.h"
#include "shim/command/start_options.h"
#include "shim/runtime/runtime_options.h"

namespace ward::shim::command {
namespace {

constexpr std::size_t kLargestFeatures = 1U << 20U;

std::string read_all(int fd, std::size_t limit) {
  std::string text;
  char buffer[4096];
  while (text.size() < limit) {
    const ssize_t n = ::read(fd, buffer, sizeof(buffer));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    text.append(buffer, static_cast<std::size_t>(n));
  }
  return text;
}

// The JSON of `runc features`; a runtime that does not know the verb has none to show.
std::string read_features(const std::string& binary) {
  const auto program = find_program(binary);
  const UniqueFd output(::memfd_create("features", MFD_CLOEXEC));
  if (!program || !output) return {};
  ChildSpec spec;
  spec.program = *program;
  spec.argv = {*program, "features"};
  spec.environment = environment_without({"NOTIFY_SOCKET"});
  spec.descriptors = {{output.get(), 1}};
  const auto child = start_child(spec);
  if (!child) return {};
  int status = 0;
  while (::waitpid(child->pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (status != 0 || ::lseek(output.get(), 0, SEEK_SET) != 0) return {};
  return read_all(output.get(), kLargestFeatures);
}

}  // namespace

int run_info() {
  containerd::RuntimeInfo info;
  info.set_name("io.containerd.ward.v1");
  info.mutable_version()->set_version(WARD_VERSION);
  containerd::Any any;
  runtime::RuntimeOptions options;
  if (any.ParseFromString(read_all(STDIN_FILENO, kLargestStartInput)) && !any.type_url().empty()) {
    auto decoded = runtime::decode_options(any);
    if (!decoded) {
      std::fprintf(stderr, "%s\n", decoded.error().message.c_str());
      return 1;
    }
    options = std::move(*decoded);
    *info.mutable_options() = any;
  }
  const auto features =
      read_features(options.binary_name.empty() ? std::string(runtime::kDefaultRuntimeBinary)
                                                : options.binary_name);
  if (!features.empty()) {
    info.mutable_features()->set_type_url(
        "types.containerd.io/opencontainers/runtime-spec/1/features/Features");
    info.mutable_features()->set_value(features);
  }
  const std::string bytes = info.SerializeAsString();
  return std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size() &&
                 std::fflush(stdout) == 0
             ? 0
             : 1;
}

}  // namespace ward::shim::command
