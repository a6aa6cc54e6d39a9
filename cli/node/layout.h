// SPDX-License-Identifier: Apache-2.0
// Where the configuration of a containerd is owned: by itself, or by a Kubernetes distribution that
// writes it anew at each start and has a place of its own for additions. Told by the path of the
// configuration. The distributions' layouts are imitated from their documentation: tried with a
// containerd in the same places, not with the distribution. Pure.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ward::cli::node {

enum class Flavour { kPlain, kK3s, kRke2, kK0s, kMicrok8s };

struct Layout {
  Flavour flavour = Flavour::kPlain;
  std::string name = "containerd";
  std::filesystem::path config;   // what containerd reads
  std::filesystem::path written;  // where Ward's part goes
  bool generated = false;         // `config` is written anew from `written`, by others
  std::string opening;            // the first line of `written` where Ward has to make it
  bool imitated = false;
};

Layout layout_of(const std::filesystem::path& config, int containerd_major);

// Sockets at which a containerd of a node answers.
const std::vector<std::filesystem::path>& usual_sockets();

// From the command line of containerd; nothing: it has no such option, and takes its default.
std::optional<std::string> config_option(const std::vector<std::string>& command_line);
std::optional<std::string> state_option(const std::vector<std::string>& command_line);

// The unit of systemd in the text of /proc/PID/cgroup; empty: none.
std::string unit_of(std::string_view cgroup);

// The folder that an import pattern takes every .toml file of, where it does: "/etc/x/*.toml".
std::filesystem::path folder_of_pattern(const std::string& pattern);

}  // namespace ward::cli::node
