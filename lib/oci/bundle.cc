// SPDX-License-Identifier: Apache-2.0
#include "lib/oci/bundle.h"

#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "lib/base/file.h"
#include "lib/oci/process_json.h"
#include "lib/oci/seccomp_json.h"

namespace ward::oci {
namespace {

using nlohmann::ordered_json;

constexpr const char* kConfigName = "config.json";
constexpr const char* kOriginalName = "config.json.orig";

// An object, or nullptr where it is absent or null; parse has refused every other type.
const ordered_json* find_object(const ordered_json& parent, const char* key) {
  const auto found = parent.find(key);
  return found == parent.end() || !found->is_object() ? nullptr : &*found;
}

ordered_json& object_at(ordered_json& parent, const char* key) {
  ordered_json& child = parent[key];
  if (!child.is_object()) child = ordered_json::object();
  return child;
}

std::string string_at(const ordered_json* parent, const char* key) {
  if (parent == nullptr) return {};
  const auto found = parent->find(key);
  return found == parent->end() || !found->is_string() ? std::string() : found->get<std::string>();
}

Result<void> check_objects(const ordered_json& tree, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    const auto found = tree.find(key);
    if (found == tree.end() || found->is_null() || found->is_object()) continue;
    return fail(Code::kInvalidArgument, std::string(key) + " must be an object");
  }
  return {};
}

// Below linux.seccomp every object is of the specification: no key may differ from a known one by
// its case only.
Result<void> check_seccomp_spelling(const ordered_json& tree) {
  if (tree.is_object()) {
    auto spelling =
        check_spelling(tree, {"defaultAction", "defaultErrnoRet", "architectures", "flags",
                              "listenerPath", "listenerMetadata", "syscalls", "names", "action",
                              "errnoRet", "args", "index", "value", "valueTwo", "op"});
    if (!spelling) return spelling;
  }
  if (!tree.is_structured()) return {};
  for (const ordered_json& child : tree) {
    if (auto checked = check_seccomp_spelling(child); !checked) return checked;
  }
  return {};
}

Result<void> check_linux(const ordered_json& tree) {
  auto spelling = check_spelling(tree, {"seccomp", "namespaces", "cgroupsPath"});
  if (!spelling) return fail_with("linux", std::move(spelling).error());
  auto objects = check_objects(tree, {"seccomp"});
  if (!objects) return fail_with("linux", std::move(objects).error());
  const ordered_json* seccomp = find_object(tree, "seccomp");
  if (seccomp == nullptr) return {};
  if (auto checked = check_seccomp_spelling(*seccomp); !checked) {
    return fail_with("linux.seccomp", std::move(checked).error());
  }
  return {};
}

Result<void> check_config(const ordered_json& tree) {
  if (!tree.is_object()) return fail(Code::kInvalidArgument, "the document must be an object");
  if (auto spelling = check_spelling(tree, {"process", "linux", "annotations", "root"}); !spelling)
    return spelling;
  if (auto objects = check_objects(tree, {"process", "linux", "annotations", "root"}); !objects)
    return objects;
  if (const ordered_json* annotations = find_object(tree, "annotations")) {
    for (const auto& [key, value] : annotations->items()) {
      if (!value.is_string()) return fail(Code::kInvalidArgument, "annotations must be strings");
    }
  }
  if (const ordered_json* process = find_object(tree, "process")) {
    if (auto checked = check_process(*process); !checked) return checked;
  }
  const ordered_json* linux_part = find_object(tree, "linux");
  return linux_part == nullptr ? Result<void>() : check_linux(*linux_part);
}

}  // namespace

struct Config::Document {
  ordered_json tree;
};

Config::Config(std::unique_ptr<Document> document) : document_(std::move(document)) {}
Config::Config(Config&&) noexcept = default;
Config& Config::operator=(Config&&) noexcept = default;
Config::~Config() = default;

Result<Config> Config::parse(std::string_view json) {
  auto tree = parse_tree(json);
  if (!tree) return fail_with(kConfigName, std::move(tree).error());
  if (auto checked = check_config(*tree); !checked)
    return fail_with(kConfigName, std::move(checked).error());
  return Config(std::make_unique<Document>(Document{*std::move(tree)}));
}

Result<Config> Config::read(const std::filesystem::path& bundle) {
  const auto text = read_file(bundle / kConfigName, kMaxConfigBytes);
  if (!text) return tl::unexpected(text.error());
  return parse(*text);
}

std::string Config::dump() const {
  return document_->tree.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

Result<void> Config::write(const std::filesystem::path& bundle) const {
  const std::filesystem::path path = bundle / kConfigName;
  const std::filesystem::path original = bundle / kOriginalName;
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return fail_errno("stat '" + path.string() + "'");
  // A second name for the old file costs no copy; the rename below leaves it alone.
  if (::link(path.c_str(), original.c_str()) != 0 && errno != EEXIST) {
    return fail_errno("link '" + original.string() + "'");
  }
  // No fsync: after a crash of the node there is no container to start from this file, and the
  // caller answers the calls of other containers, which must not wait for a disk.
  return write_file_atomically(path, dump(), status.st_mode & 0777, Durability::kNone);
}

std::map<std::string, std::string> Config::annotations() const {
  std::map<std::string, std::string> annotations;
  if (const ordered_json* tree = find_object(document_->tree, "annotations")) {
    for (const auto& [key, value] : tree->items())
      annotations.emplace(key, value.get<std::string>());
  }
  return annotations;
}

std::optional<Capabilities> Config::capabilities() const {
  const ordered_json* process = find_object(document_->tree, "process");
  return process == nullptr ? std::nullopt : read_capabilities(*process);
}

void Config::set_capabilities(const Capabilities& capabilities) {
  write_capabilities(object_at(document_->tree, "process"), capabilities);
}

bool Config::no_new_privileges() const {
  const ordered_json* process = find_object(document_->tree, "process");
  return process != nullptr && read_flag(*process, "noNewPrivileges");
}

void Config::set_no_new_privileges(bool value) {
  object_at(document_->tree, "process")["noNewPrivileges"] = value;
}

Result<std::optional<Seccomp>> Config::seccomp() const {
  const ordered_json* linux_part = find_object(document_->tree, "linux");
  const ordered_json* tree = linux_part == nullptr ? nullptr : find_object(*linux_part, "seccomp");
  if (tree == nullptr || says_no_filter(*tree)) return std::nullopt;
  auto seccomp = seccomp_from_tree(*tree);
  if (!seccomp) return fail_with("linux.seccomp", std::move(seccomp).error());
  return *std::move(seccomp);
}

void Config::set_seccomp(const Seccomp& seccomp) {
  object_at(document_->tree, "linux")["seccomp"] = seccomp_to_tree(seccomp);
}

std::string Config::cgroups_path() const {
  return string_at(find_object(document_->tree, "linux"), "cgroupsPath");
}

bool Config::terminal() const {
  const ordered_json* process = find_object(document_->tree, "process");
  return process != nullptr && read_flag(*process, "terminal");
}

bool Config::has_private_pid_namespace() const {
  const ordered_json* linux_part = find_object(document_->tree, "linux");
  if (linux_part == nullptr) return false;
  const auto namespaces = linux_part->find("namespaces");
  if (namespaces == linux_part->end() || !namespaces->is_array()) return false;
  for (const ordered_json& entry : *namespaces) {
    if (entry.is_object() && string_at(&entry, "type") == "pid")
      return string_at(&entry, "path").empty();
  }
  return false;
}

void Config::remove_annotations_with_prefix(std::string_view prefix) {
  const auto found = document_->tree.find("annotations");
  if (found == document_->tree.end() || !found->is_object()) return;
  // Appended past the JSON library, which would look for each key among all that are there.
  ordered_json::object_t kept;
  for (auto& [key, value] : found->get_ref<ordered_json::object_t&>()) {
    if (!std::string_view(key).starts_with(prefix)) kept.push_back({key, std::move(value)});
  }
  *found = std::move(kept);
}

std::string Config::root_path() const {
  return string_at(find_object(document_->tree, "root"), "path");
}

}  // namespace ward::oci
