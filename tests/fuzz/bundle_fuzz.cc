// SPDX-License-Identifier: Apache-2.0
// The files of a bundle and of the runtime's record, as somebody else may have left them: the
// grouping that `start` reads, the options that `delete` reads, the cgroups that a delete removes.
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "shim/command/shim_address.h"
#include "shim/runtime/runtime_options.h"
#include "shim/runtime/runtime_record.h"

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLongestSocketPath = 106;

struct Scratch {
  Scratch() { fs::create_directories(directory / "c1"); }
  ~Scratch() { fs::remove_all(directory); }
  fs::path directory = fs::path(fs::exists("/dev/shm") ? "/dev/shm" : "/tmp") /
                       ("ward-fuzz-bundle-" + std::to_string(::getpid()));
};

void write(const fs::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary)
      .write(text.data(), static_cast<std::streamsize>(text.size()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Scratch scratch;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const fs::path bundle = scratch.directory / "c1";
  switch (data[0] % 4) {
    case 0: {
      write(bundle / "config.json", text);
      const auto grouping = ward::shim::command::read_grouping(bundle, "c1");
      if (!grouping) break;
      if (grouping->empty()) std::abort();
      const auto socket =
          ward::shim::command::shim_socket_path("/run/containerd/s", "/a.sock", "ns", *grouping);
      if (socket.size() > kLongestSocketPath) std::abort();
      break;
    }
    case 1:
      write(bundle / "options.json", text);
      (void)ward::shim::runtime::load_options(bundle);
      break;
    case 2:
      write(bundle / "runtime", text);
      if (ward::shim::runtime::load_options(bundle).binary != text) std::abort();
      break;
    default:
      write(bundle / "state.json", text);
      // What is no absolute path below a cgroup file system is nothing that a delete may touch.
      for (const auto& directory :
           ward::shim::runtime::read_runtime_record(scratch.directory, "c1").cgroups.all) {
        if (!directory.is_absolute()) std::abort();
      }
  }
  return 0;
}
