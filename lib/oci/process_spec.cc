// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "lib/oci/bundle.h"
#include "lib/oci/process_json.h"
#include "lib/oci/seccomp_json.h"

namespace ward::oci {

struct ProcessSpec::Document {
  nlohmann::ordered_json tree;
};

ProcessSpec::ProcessSpec(std::unique_ptr<Document> document) : document_(std::move(document)) {}
ProcessSpec::ProcessSpec(ProcessSpec&&) noexcept = default;
ProcessSpec& ProcessSpec::operator=(ProcessSpec&&) noexcept = default;
ProcessSpec::~ProcessSpec() = default;

Result<ProcessSpec> ProcessSpec::parse(std::string_view json) {
  auto tree = parse_tree(json);
  if (!tree) return fail_with("process document", std::move(tree).error());
  if (auto checked = check_process(*tree); !checked)
    return tl::unexpected(std::move(checked).error());
  return ProcessSpec(std::make_unique<Document>(Document{*std::move(tree)}));
}

std::string ProcessSpec::dump() const {
  return document_->tree.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::optional<Capabilities> ProcessSpec::capabilities() const {
  return read_capabilities(document_->tree);
}

void ProcessSpec::set_capabilities(const Capabilities& capabilities) {
  write_capabilities(document_->tree, capabilities);
}

bool ProcessSpec::no_new_privileges() const {
  return read_flag(document_->tree, "noNewPrivileges");
}

void ProcessSpec::set_no_new_privileges(bool value) { document_->tree["noNewPrivileges"] = value; }

std::string ProcessSpec::program() const {
  const auto found = document_->tree.find("args");
  const bool named = found != document_->tree.end() && found->is_array() && !found->empty() &&
                     found->front().is_string();
  return named ? found->front().get<std::string>() : std::string();
}

std::string ProcessSpec::variable(std::string_view name) const {
  const auto found = document_->tree.find("env");
  if (found == document_->tree.end() || !found->is_array()) return {};
  const std::string prefix = std::string(name) + "=";
  std::string value;
  for (const auto& entry : *found) {
    if (!entry.is_string()) continue;
    const auto& text = entry.get_ref<const std::string&>();
    if (text.rfind(prefix, 0) == 0) value = text.substr(prefix.size());
  }
  return value;
}

std::string ProcessSpec::directory() const {
  const auto found = document_->tree.find("cwd");
  return found != document_->tree.end() && found->is_string() ? found->get<std::string>() : "";
}

void ProcessSpec::set_terminal(bool value) { document_->tree["terminal"] = value; }

}  // namespace ward::oci
