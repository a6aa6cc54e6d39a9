// SPDX-License-Identifier: Apache-2.0
// What a client may say about a checkpoint, and the command lines of the runtime's `checkpoint` and
// `restore`, both of which leave the work to CRIU. Container does it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"
#include "shim/runtime/runtime_options.h"

namespace ward::containerd {
class Any;
}

namespace ward::shim::runtime {

struct CheckpointOptions {
  bool exit = false;  // the container ends with it
  bool open_tcp = false;
  bool external_unix_sockets = false;
  bool terminal = false;
  bool file_locks = false;
  std::vector<std::string> empty_namespaces;
  std::string cgroups_mode;
  std::string image_path;
  std::string work_path;
  std::string parent_path;
};

// An empty Any is all defaults; kInvalidArgument, with the type's name, for what nobody knows.
Result<CheckpointOptions> decode_checkpoint_options(const containerd::Any& any);

// Pure: verb first, without the container's id at the end.
std::vector<std::string> checkpoint_arguments(const CheckpointOptions& options,
                                              const std::string& image_path,
                                              const std::string& work_path);
std::vector<std::string> restore_arguments(const RuntimeOptions& options, const std::string& bundle,
                                           const std::string& image_path,
                                           const std::string& work_path);

// The directory in which the runtime, that looks for `criu` in its PATH, finds the one of the
// options: its own, or one below `bundle` with a link to it where it has another name. Empty where
// no particular one is asked for. Current runtimes have no flag for it (runc from 1.2 on ignores
// --criu, 1.4 does not know it). kFailedPrecondition, saying what to do, where there is no CRIU.
Result<std::string> criu_directory(const RuntimeOptions& options,
                                   const std::filesystem::path& bundle);

// Pure: the last line of CRIU's own log that is an error; empty where there is none.
std::string find_criu_error(std::string_view log);

}  // namespace ward::shim::runtime
