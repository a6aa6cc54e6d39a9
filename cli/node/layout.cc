// SPDX-License-Identifier: Apache-2.0
#include "cli/node/layout.h"

#include <algorithm>

namespace ward::cli::node {
namespace fs = std::filesystem;
namespace {

// Sources: docs.k3s.io/advanced, docs.rke2.io/advanced, docs.k0sproject.io (runtime), microk8s.io
// (containerd-template.toml)
bool ends_with(const fs::path& path, std::string_view tail) {
  const std::string text = path.string();
  return text.size() >= tail.size() &&
         text.compare(text.size() - tail.size(), tail.size(), tail) == 0;
}

// The last one counts, as containerd reads them.
std::optional<std::string> last_option(const std::vector<std::string>& command_line,
                                       std::initializer_list<std::string_view> names) {
  std::optional<std::string> found;
  for (std::size_t i = 1; i < command_line.size(); ++i) {
    const std::string_view word = command_line[i];
    for (const std::string_view name : names) {
      if (word == name && i + 1 < command_line.size()) {
        found = command_line[++i];
        break;
      }
      if (word.size() > name.size() && word[name.size()] == '=' &&
          word.substr(0, name.size()) == name) {
        found = word.substr(name.size() + 1);
        break;
      }
    }
  }
  return found;
}

}  // namespace

Layout layout_of(const fs::path& config, int containerd_major) {
  Layout layout;
  layout.config = layout.written = config;
  const auto generated = [&](Flavour flavour, const char* name, const fs::path& written,
                             const char* opening) {
    layout.flavour = flavour;
    layout.name = name;
    layout.written = written;
    layout.generated = layout.imitated = true;
    layout.opening = opening;
  };
  // Of a template of k3s, `base` is what it would write without one.
  const fs::path folder = config.parent_path();
  const char* const base = "{{ template \"base\" . }}\n";
  const fs::path file = containerd_major >= 2 ? "config-v3.toml.tmpl" : "config.toml.tmpl";
  if (ends_with(config, "/k3s/agent/etc/containerd/config.toml")) {
    generated(Flavour::kK3s, "k3s", folder / file, base);
  } else if (ends_with(config, "/rke2/agent/etc/containerd/config.toml")) {
    generated(Flavour::kRke2, "rke2", folder / file, base);
  } else if (ends_with(config, "/k0s/containerd.toml")) {
    generated(Flavour::kK0s, "k0s", folder / "containerd.d/ward.toml",
              containerd_major >= 2 ? "version = 3\n" : "version = 2\n");
  } else if (ends_with(config, "/args/containerd.toml") &&
             config.string().find("/microk8s/") != std::string::npos) {
    generated(Flavour::kMicrok8s, "microk8s", folder / "containerd-template.toml", "");
  }
  return layout;
}

const std::vector<fs::path>& usual_sockets() {
  static const std::vector<fs::path> kSockets = {
      "/run/containerd/containerd.sock", "/run/k3s/containerd/containerd.sock",
      "/run/k0s/containerd.sock", "/var/snap/microk8s/common/run/containerd.sock",
      "/run/docker/containerd/containerd.sock"};
  return kSockets;
}

std::optional<std::string> config_option(const std::vector<std::string>& command_line) {
  return last_option(command_line, {"-c", "--config", "-config"});
}

std::optional<std::string> state_option(const std::vector<std::string>& command_line) {
  return last_option(command_line, {"--state", "-state"});
}

std::string unit_of(std::string_view cgroup) {
  constexpr std::string_view kService = ".service";
  while (!cgroup.empty()) {
    const auto end = std::min(cgroup.find('\n'), cgroup.size());
    std::string_view path = cgroup.substr(0, end);
    cgroup.remove_prefix(std::min(end + 1, cgroup.size()));
    // The unit's own cgroup, or one that it made below.
    while (!path.empty()) {
      const auto slash = path.find_last_of('/');
      const std::string_view name =
          slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
      if (name.size() > kService.size() && name.substr(name.size() - kService.size()) == kService)
        return std::string(name);
      path = slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
    }
  }
  return "";
}

fs::path folder_of_pattern(const std::string& pattern) {
  const fs::path path(pattern);
  if (path.filename() != "*.toml") return {};
  const fs::path folder = path.parent_path();
  return folder.string().find_first_of("*?[") == std::string::npos ? folder : fs::path();
}

}  // namespace ward::cli::node
