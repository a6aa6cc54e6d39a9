// SPDX-License-Identifier: Apache-2.0
#include "tests/support/peers.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "tests/support/child.h"

namespace ward::test {
namespace fs = std::filesystem;
namespace {

std::string program(const char* variable, const char* otherwise) {
  const char* named = std::getenv(variable);
  return named != nullptr && *named != '\0' ? named : otherwise;
}

fs::path find_in_path(const std::string& name) {
  std::istringstream path(std::getenv("PATH"));
  for (std::string part; std::getline(path, part, ':');)
    if (fs::exists(fs::path(part) / name)) return fs::canonical(fs::path(part) / name);
  return {};
}

// Beside the node's other programs; other names tell a configured runtime from the default one.
fs::path configured_runtime(const fs::path& own) {
  return own.parent_path() / "bin" / kConfiguredRuntime;
}
fs::path wrapped_runtime(const fs::path& own) {
  return own.parent_path() / "bin" / kWrappedRuntime;
}

std::string quoted(const fs::path& path) { return "\"" + path.string() + "\""; }

// A handler of a pod's runtimeClass: `table` is where the version has its runtimes.
std::string handler(const std::string& table, const std::string& name, const std::string& lines,
                    const std::string& options) {
  const std::string own = "plugins." + table + ".containerd.runtimes." + name;
  return "[" + own + "]\n" + lines + (options.empty() ? "" : "[" + own + ".options]\n" + options);
}

std::string cri_config(const fs::path& own, const fs::path& shim, int major) {
  const std::string table =
      major >= 2 ? "\"io.containerd.cri.v1.runtime\"" : "\"io.containerd.grpc.v1.cri\"";
  const std::string stream = "stream_server_address = \"127.0.0.1\"\nstream_server_port = \"0\"\n";
  std::string text;
  if (major >= 2) {
    text += "[plugins.\"io.containerd.grpc.v1.cri\"]\n" + stream;
    text += "[plugins.\"io.containerd.cri.v1.images\".pinned_images]\nsandbox = \"" +
            std::string(kPauseImage) + "\"\n";
  }
  text += "[plugins." + table + "]\n";
  if (major < 2) text += stream + "sandbox_image = \"" + kPauseImage + "\"\n";
  // Without CAP_SYS_RESOURCE nobody may lower a score, and CRI asks for -998 for the pause
  // container.
  text +=
      "restrict_oom_score_adj = true\nnetns_mounts_under_state_dir = true\ndisable_apparmor = "
      "true\n";
  text +=
      "[plugins." + table + ".cni]\n" +
      std::string(major >= 2 ? "bin_dirs = [\"/usr/lib/cni\"]\n" : "bin_dir = \"/usr/lib/cni\"\n") +
      "conf_dir = " + quoted(own / "cni") + "\n";
  text += "[plugins." + table + ".containerd]\ndefault_runtime_name = \"ward\"\n";
  text += handler(table, "ward", "runtime_type = \"io.containerd.ward.v1\"\n",
                  "ConfigPath = " + quoted(own / "ward-runtime.toml") + "\n");
  text += handler(table, "ward_plain", "runtime_type = \"io.containerd.ward.v1\"\n", "");
  const bool by_path = containerd_version() >= kHonoursRuntimePath;
  text += handler(table, "ward_as_runc",
                  "runtime_type = \"io.containerd.runc.v2\"\n" +
                      (by_path ? "runtime_path = " + quoted(shim) + "\n" : std::string()),
                  "BinaryName = " + quoted(wrapped_runtime(own)) + "\n");
  text += handler(table, "runc", "runtime_type = \"io.containerd.runc.v2\"\n",
                  "BinaryName = \"runc\"\n");
  return text;
}

}  // namespace

void link_peers(const fs::path& directory) {
  fs::create_directories(directory);
  for (const auto& [variable, name] :
       {std::pair{"WARD_TEST_CONTAINERD", "containerd"}, std::pair{"WARD_TEST_CTR", "ctr"},
        std::pair{"WARD_TEST_RUNC", "runc"}, std::pair{"WARD_TEST_CRIU", "criu"}})
    if (const std::string named = program(variable, ""); !named.empty())
      fs::create_symlink(fs::absolute(named), directory / name);
  // Each containerd has a stock shim of its own.
  const fs::path shim =
      fs::path(program("WARD_TEST_CONTAINERD", "")).parent_path() / "containerd-shim-runc-v2";
  if (shim.has_parent_path() && fs::exists(shim))
    fs::create_symlink(fs::absolute(shim), directory / shim.filename());
  const fs::path runtime = program("WARD_TEST_RUNC", find_in_path("runc").c_str());
  fs::create_symlink(runtime, directory / kConfiguredRuntime);
  std::ofstream(directory / kWrappedRuntime)
      << "#!/bin/sh\nprintf '%s\\n' \"$*\" >>\"$0.log\"\nexec " << quoted(runtime) << " \"$@\"\n";
  fs::permissions(directory / kWrappedRuntime, fs::perms::owner_all);
}

std::string criu_program() { return program("WARD_TEST_CRIU", "criu"); }

Version containerd_version() {
  static const Version version = [] {
    std::istringstream words(run({program("WARD_TEST_CONTAINERD", "containerd"), "--version"}).out);
    std::string name, module, text;
    words >> name >> module >> text;
    Version found;
    char dot;
    if (text.rfind('v', 0) == 0) text.erase(0, 1);
    std::istringstream(text) >> found.major >> dot >> found.minor >> dot >> found.patch;
    return found;
  }();
  return version;
}

void write_cri_files(const fs::path& own, const fs::path& shim) {
  const char* stock = std::getenv("WARD_TEST_STOCK");
  if (containerd_version() < kHonoursRuntimePath && (stock == nullptr || *stock != '1'))
    fs::create_symlink(shim, own.parent_path() / "bin/containerd-shim-runc-v2");
  fs::create_directories(own / "cni");
  std::ofstream(own / "cni/10-ward.conflist")
      << R"({"cniVersion": "0.4.0", "name": "ward", "plugins": [{"type": "bridge", "bridge": "ward0",
             "isGateway": true, "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.87.0.0/24"}]], "dataDir": )"
      << quoted(own / "addresses") << "}}]}\n";
  std::ofstream(own / "ward-runtime.toml")
      << "BinaryName = " << quoted(configured_runtime(own)) << "\n";
}

bool is_slow_host() { return std::getenv("WARD_TEST_SLOW") != nullptr; }

std::string containerd_config(const fs::path& own, const fs::path& shim, Cri cri) {
  const int major = containerd_version().major;
  std::string disabled;
  if (cri == Cri::kOff) disabled = "\"io.containerd.grpc.v1.cri\", ";
  if (cri == Cri::kOff && major >= 2)
    disabled += "\"io.containerd.cri.v1.runtime\", \"io.containerd.cri.v1.images\", ";
  // The other snapshotters look at every file system.
  std::string text =
      "version = " + std::to_string(major >= 2 ? 3 : 2) + "\nroot = " + quoted(own / "root") +
      "\nstate = " + quoted(own / "state") + "\ndisabled_plugins = [" + disabled +
      "\"io.containerd.snapshotter.v1.btrfs\", \"io.containerd.snapshotter.v1.zfs\", "
      "\"io.containerd.snapshotter.v1.devmapper\", \"io.containerd.snapshotter.v1.aufs\"]\n"
      "[grpc]\n  address = " +
      quoted(own / "containerd.sock") + "\n";
  // containerd ends a `delete` of the shim, and what it has begun, after 5 s.
  if (is_slow_host()) text += "[timeouts]\n  \"io.containerd.timeout.shim.cleanup\" = \"30s\"\n";
  if (cri == Cri::kOn) text += cri_config(own, shim, major);
  return text;
}

}  // namespace ward::test
