// SPDX-License-Identifier: Apache-2.0
#include "shim/orphaned_cgroups.h"

#include <nlohmann/json.hpp>

#include "lib/base/file.h"

namespace ward::shim {
namespace {

constexpr std::size_t kMaxStateBytes = 4U << 20U;

}  // namespace

OrphanedCgroups read_orphaned_cgroups(const std::filesystem::path& runtime_root, const std::string& id) {
  OrphanedCgroups found;
  const auto text = read_file(runtime_root / id / "state.json", kMaxStateBytes);
  const auto state = nlohmann::json::parse(text ? *text : "", nullptr, /*allow_exceptions=*/false);
  if (!state.is_object()) return found;
  const auto paths = state.find("cgroup_paths");
  if (paths == state.end() || !paths->is_object()) return found;
  for (const auto& [controller, path] : paths->items()) {
    if (!path.is_string() || path.get<std::string>().empty()) continue;
    const std::filesystem::path directory(path.get<std::string>());
    if (controller.empty()) found.unified = directory;
    if (controller == "freezer") found.freezer = directory;
    found.all.push_back(directory);
  }
  return found;
}

bool try_delete(const std::filesystem::path& runtime_root, const std::string& id) {
  const auto cgroups = read_orphaned_cgroups(runtime_root, id);
  if (cgroups.all.empty() || !try_remove_cgroups(cgroups)) return false;
  std::error_code error;
  std::filesystem::remove_all(runtime_root / id, error);
  return !error;
}

}  // namespace ward::shim
