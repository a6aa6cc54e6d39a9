// SPDX-License-Identifier: Apache-2.0
// What a client puts into the Anys and texts of Task requests: options of every type, checkpoint
// options, resources, log URIs, the text of cgroup files and of overlay options. The first byte
// chooses.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "containerd/options.pb.h"
#include "lib/linux/cgroup_controllers.h"
#include "lib/linux/mount.h"
#include "lib/oci/resources.h"
#include "shim/command/start_options.h"
#include "shim/runtime/checkpoint.h"
#include "shim/runtime/runtime_options.h"
#include "shim/streams/log_uri.h"

namespace {

using namespace ward;
using namespace ward::shim;

containerd::Any any_of(const char* type, std::string_view bytes) {
  containerd::Any any;
  any.set_type_url(type);
  any.set_value(std::string(bytes));
  return any;
}

void options(std::string_view bytes) {
  for (const char* type : {"containerd.runc.v1.Options", "containerd.linux.runc.CreateOptions"}) {
    (void)runtime::decode_options(any_of(type, bytes));
  }
  for (const char* type :
       {"containerd.runc.v1.CheckpointOptions", "containerd.linux.runc.CheckpointOptions"}) {
    (void)runtime::decode_checkpoint_options(any_of(type, bytes));
  }
  // Not as bytes of the message: a path in it would be opened.
  (void)runtime::parse_options_table(bytes);
  containerd::Any any;
  if (any.ParseFromString(std::string(bytes)) &&
      any.type_url().find("runtimeoptions") == std::string::npos) {
    (void)command::parse_start_options(bytes, "namespace", "id");
  }
}

void resources(std::string_view bytes) {
  const auto once = oci::normalize_resources(bytes);
  if (!once) return;
  const auto twice = oci::normalize_resources(*once);
  if (!twice || *twice != *once) std::abort();
}

void log_uri(std::string_view bytes) {
  const auto uri = streams::parse_log_uri(bytes);
  if (!uri) return;
  if (uri->scheme != "fifo" && (uri->path.empty() || uri->path[0] != '/')) std::abort();
  if (uri->arguments.size() % 2 != 0) std::abort();
  for (const auto& argument : uri->arguments) {
    if (argument.find('\0') != std::string::npos) std::abort();
  }
}

// Every layer must be the one it was.
void layers(std::string_view bytes) {
  const std::string data(bytes);
  const auto shortened = shorten_lower_directories(data);
  if (shortened.directory.empty()) {
    if (shortened.data != data) std::abort();
    return;
  }
  if (shortened.data.size() >= data.size() || shortened.directory[0] != '/') std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 6) {
    case 0: options(bytes); break;
    case 1: resources(bytes); break;
    case 2: log_uri(bytes); break;
    case 3: layers(bytes); break;
    case 4: {
      const auto cut = bytes.find('\0');
      const auto hierarchies = CgroupHierarchies::parse(bytes.substr(0, cut));
      (void)hierarchies.find("memory",
                             cut == std::string_view::npos ? bytes : bytes.substr(cut + 1));
      break;
    }
    default: (void)runtime::find_criu_error(bytes); break;
  }
  return 0;
}
