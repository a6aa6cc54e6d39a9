// SPDX-License-Identifier: Apache-2.0
// Runtime options as a client sends them: each known Any from any bytes, the table inside, what
// `start` reads on its standard input. What is understood is written into a bundle, and `delete`
// reads the same from there.
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <string>

#include "containerd/options.pb.h"
#include "containerd/types.pb.h"
#include "shim/command/start_options.h"
#include "shim/runtime/runtime_options.h"

namespace {

constexpr const char* kTypes[] = {
    "containerd.runc.v1.Options", "containerd.linux.runc.CreateOptions",
    "runtimeoptions.v1.Options", "type.googleapis.com/containerd.runc.v1.Options", ""};

// In memory where there is such a file system: the speed of the disk is not what is looked for.
struct Scratch {
  Scratch() { std::filesystem::create_directories(directory); }
  ~Scratch() { std::filesystem::remove_all(directory); }
  std::filesystem::path directory =
      std::filesystem::path(std::filesystem::exists("/dev/shm") ? "/dev/shm" : "/tmp") /
      ("ward-fuzz-options-" + std::to_string(::getpid()));
};

// A path in the options would be opened, whatever it is.
bool names_a_file(const ward::containerd::Any& any) {
  ward::containerd::RuntimeOptions options;
  return options.ParseFromString(any.value()) && !options.config_path().empty();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Scratch scratch;
  if (size == 0) return 0;
  const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t choice = data[0] % (std::size(kTypes) + 2);
  if (choice == std::size(kTypes)) {
    (void)ward::shim::command::parse_start_options(bytes, "k8s.io", "c1");
    return 0;
  }
  ward::containerd::Any any;
  if (choice > std::size(kTypes)) {
    if (!any.ParseFromString(bytes)) return 0;
  } else {
    any.set_type_url(kTypes[choice]);
    any.set_value(bytes);
  }
  if (names_a_file(any)) return 0;
  const auto options = ward::shim::runtime::decode_options(any);
  if (!options) {
    if (options.error().code != ward::Code::kInvalidArgument) std::abort();
    return 0;
  }
  if (!ward::shim::runtime::save_options(scratch.directory, *options, "/usr/bin/runc"))
    std::abort();
  const auto saved = ward::shim::runtime::load_options(scratch.directory);
  if (saved.binary != "/usr/bin/runc" || saved.options.systemd_cgroup != options->systemd_cgroup)
    std::abort();
  return 0;
}
