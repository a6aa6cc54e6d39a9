// SPDX-License-Identifier: Apache-2.0
#include "shim/runtime/runtime_record.h"

#include <fcntl.h>
#include <unistd.h>

#include "lib/json/json.h"

#include "lib/base/file.h"
#include "lib/base/unique_fd.h"

namespace ward::shim::runtime {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxStateBytes = 4U << 20U;
constexpr std::string_view kElfMagic = "\177ELF";

OrphanedCgroups read_cgroups(const json& state) {
  OrphanedCgroups found;
  const auto paths = state.find("cgroup_paths");
  if (paths == state.end() || !paths->is_object()) return found;
  for (const auto& [controller, path] : paths->items()) {
    if (!path.is_string() || path.get<std::string>().empty()) continue;
    const std::filesystem::path directory(path.get<std::string>());
    if (!directory.is_absolute()) continue;
    if (controller.empty()) found.unified = directory;
    if (controller == "freezer") found.freezer = directory;
    found.all.push_back(directory);
  }
  return found;
}

bool has_hooks(const json& config, const char* when) {
  const auto hooks = config.find("Hooks");
  if (hooks == config.end() || !hooks->is_object()) return false;
  const auto list = hooks->find(when);
  return list != hooks->end() && !list->empty();
}

}  // namespace

RuntimeRecord read_runtime_record(const std::filesystem::path& runtime_root,
                                  const std::string& id) {
  RuntimeRecord record;
  const auto text = read_file(runtime_root / id / "state.json", kMaxStateBytes);
  const auto state = parse_json<json>(text ? *text : "");
  if (!state.is_object()) return record;
  record.cgroups = read_cgroups(state);
  const auto config = state.find("config");
  if (config == state.end() || !config->is_object()) return record;
  record.is_libcontainers = true;
  record.has_work_at_start = has_hooks(*config, "poststart");
  const auto resource_control = state.find("intel_rdt_path");
  const bool in_group = resource_control != state.end() && resource_control->is_string() &&
                        !resource_control->get_ref<const std::string&>().empty();
  record.has_work_at_delete = has_hooks(*config, "poststop") || in_group;
  return record;
}

bool is_plain_runc(const std::filesystem::path& binary) {
  std::error_code error;
  const auto program = std::filesystem::canonical(binary, error);
  if (error || program.filename() != "runc") return false;
  const UniqueFd file(::open(program.c_str(), O_RDONLY | O_CLOEXEC));
  char magic[4] = {};
  return file && ::read(file.get(), magic, sizeof(magic)) == sizeof(magic) &&
         std::string_view(magic, sizeof(magic)) == kElfMagic;
}

bool try_delete(const std::filesystem::path& runtime_root, const std::string& id) {
  const auto record = read_runtime_record(runtime_root, id);
  if (record.has_work_at_delete || record.cgroups.all.empty() ||
      !try_remove_cgroups(record.cgroups))
    return false;
  std::error_code error;
  std::filesystem::remove_all(runtime_root / id, error);
  return !error;
}

}  // namespace ward::shim::runtime
