// SPDX-License-Identifier: Apache-2.0
// What a client says about the OCI runtime, from any of the messages clients send (shim contract
// 0.2), and its copy beside the bundle, which the delete command reads when no shim is left to ask.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "lib/base/result.h"

namespace ward::containerd {
class Any;
}

namespace ward::shim::runtime {

struct RuntimeOptions {
  bool no_pivot_root = false;
  bool no_new_keyring = false;
  bool systemd_cgroup = false;
  uid_t io_uid = 0;
  gid_t io_gid = 0;
  std::string shim_cgroup;
  std::string binary_name;
  std::string root;  // without the namespace
  std::string criu_path;
  std::string criu_image_path;
  std::string criu_work_path;
  bool operator==(const RuntimeOptions&) const = default;
};

inline constexpr std::string_view kDefaultRuntimeRoot = "/run/containerd/runc";
inline constexpr std::string_view kDefaultRuntimeBinary = "runc";

// Type URLs in containerd's messages carry no "type.googleapis.com/"; some clients write it all the
// same.
std::string_view without_url_prefix(std::string_view type_url);

// An empty Any is all defaults. kInvalidArgument for a type nobody knows or bytes that are not of
// that type.
Result<RuntimeOptions> decode_options(const containerd::Any& any);

// Pure: the flat `Key = value` lines of containerd's runtime options table; keys we do not know are
// left alone.
Result<RuntimeOptions> parse_options_table(std::string_view toml);

// --root of the runtime: the state of one containerd namespace.
std::string runtime_root(const RuntimeOptions& options, const std::string& containerd_namespace);

// <bundle>/options.json and <bundle>/runtime, as containerd's own shim leaves them.
Result<void> save_options(const std::filesystem::path& bundle, const RuntimeOptions& options,
                          const std::string& binary);
struct SavedOptions {
  RuntimeOptions options;
  std::string binary;
};
SavedOptions load_options(
    const std::filesystem::path& bundle);  // what is missing or broken is the default

}  // namespace ward::shim::runtime
