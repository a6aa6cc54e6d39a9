// SPDX-License-Identifier: Apache-2.0
#include "shim/runtime/checkpoint.h"

#include <algorithm>

#include "containerd/options.pb.h"
#include "lib/linux/child_process.h"

namespace ward::shim::runtime {
namespace {

template <typename Message>
Result<CheckpointOptions> decode(const containerd::Any& any) {
  Message m;
  if (!m.ParseFromString(any.value())) {
    return fail(Code::kInvalidArgument,
                "checkpoint options: the bytes are not a " + any.type_url());
  }
  CheckpointOptions o;
  o.exit = m.exit();
  o.open_tcp = m.open_tcp();
  o.external_unix_sockets = m.external_unix_sockets();
  o.terminal = m.terminal();
  o.file_locks = m.file_locks();
  o.empty_namespaces.assign(m.empty_namespaces().begin(), m.empty_namespaces().end());
  o.cgroups_mode = m.cgroups_mode();
  o.image_path = m.image_path();
  o.work_path = m.work_path();
  if constexpr (std::is_same_v<Message, containerd::CheckpointOptions>)
    o.parent_path = m.parent_path();
  return o;
}

}  // namespace

Result<CheckpointOptions> decode_checkpoint_options(const containerd::Any& any) {
  const std::string_view type = without_url_prefix(any.type_url());
  if (type.empty() && any.value().empty()) return CheckpointOptions{};
  if (type == "containerd.runc.v1.CheckpointOptions")
    return decode<containerd::CheckpointOptions>(any);
  if (type == "containerd.linux.runc.CheckpointOptions")
    return decode<containerd::OldCheckpointOptions>(any);
  return fail(Code::kInvalidArgument,
              "checkpoint options of type '" + any.type_url() +
                  "' are not known; send containerd.runc.v1.CheckpointOptions");
}

std::vector<std::string> checkpoint_arguments(const CheckpointOptions& o,
                                              const std::string& image_path,
                                              const std::string& work_path) {
  std::vector<std::string> arguments = {"checkpoint", "--image-path", image_path, "--work-path",
                                        work_path};
  if (!o.parent_path.empty()) arguments.insert(arguments.end(), {"--parent-path", o.parent_path});
  if (!o.exit) arguments.emplace_back("--leave-running");
  if (o.open_tcp) arguments.emplace_back("--tcp-established");
  if (o.external_unix_sockets) arguments.emplace_back("--ext-unix-sk");
  if (o.terminal) arguments.emplace_back("--shell-job");
  if (o.file_locks) arguments.emplace_back("--file-locks");
  if (!o.cgroups_mode.empty())
    arguments.insert(arguments.end(), {"--manage-cgroups-mode", o.cgroups_mode});
  for (const auto& space : o.empty_namespaces)
    arguments.insert(arguments.end(), {"--empty-ns", space});
  return arguments;
}

std::vector<std::string> restore_arguments(const RuntimeOptions& o, const std::string& bundle,
                                           const std::string& image_path,
                                           const std::string& work_path) {
  std::vector<std::string> arguments = {"restore",  "--detach",    "--no-subreaper",
                                        "--bundle", bundle,        "--image-path",
                                        image_path, "--work-path", work_path};
  if (o.no_pivot_root) arguments.emplace_back("--no-pivot");
  return arguments;
}

Result<std::string> criu_directory(const RuntimeOptions& options,
                                   const std::filesystem::path& bundle) {
  namespace fs = std::filesystem;
  const std::string name = options.criu_path.empty() ? "criu" : options.criu_path;
  const auto found = find_program(name);
  if (!found) {
    return fail(Code::kFailedPrecondition,
                "checkpoint and restore are done by criu, and there is no '" + name +
                    "' on this node; install criu, or set CriuPath in the runtime's options");
  }
  if (options.criu_path.empty()) return std::string();
  std::error_code error;
  const fs::path program = fs::absolute(*found, error);
  if (!error && program.filename() == "criu") return program.parent_path().string();
  const fs::path directory = bundle / "criu-path";
  if (!error) fs::create_directories(directory, error);
  std::error_code none_yet;
  fs::remove(directory / "criu", none_yet);
  if (!error) fs::create_symlink(program, directory / "criu", error);
  if (error)
    return fail(Code::kInternal,
                "link " + name + " below " + directory.string() + ": " + error.message());
  return directory.string();
}

std::string find_criu_error(std::string_view log) {
  std::string_view found;
  while (!log.empty()) {
    const auto line = log.substr(0, std::min(log.find('\n'), log.size()));
    log.remove_prefix(std::min(line.size() + 1, log.size()));
    // "(00.012345)      1: Error (criu/file.c:123): what went wrong"
    const auto error = line.find("Error (");
    if (error != std::string_view::npos) found = line.substr(error);
  }
  return std::string(found);
}

}  // namespace ward::shim::runtime
