// SPDX-License-Identifier: Apache-2.0
#include "lib/oci/resources.h"

#include <nlohmann/json.hpp>

#include "lib/oci/bundle.h"
#include "lib/oci/seccomp_json.h"

namespace ward::oci {
namespace {

// parse_tree has bounded the depth.
void remove_nulls(nlohmann::ordered_json& tree) {  // NOLINT(misc-no-recursion)
  if (!tree.is_structured()) return;
  for (auto at = tree.begin(); at != tree.end();) {
    if (at->is_null()) {
      at = tree.erase(at);
    } else {
      remove_nulls(*at);
      ++at;
    }
  }
}

}  // namespace

Result<std::string> normalize_resources(std::string_view json) {
  auto tree = parse_tree(json);
  if (!tree) return fail_with("resources", std::move(tree).error());
  if (!tree->is_object()) return fail(Code::kInvalidArgument, "resources: must be an object");
  for (const char* part : {"memory", "cpu", "pids", "blockIO", "network", "rdma", "unified"}) {
    const auto found = tree->find(part);
    if (found == tree->end() || found->is_null() || found->is_object()) continue;
    return fail(Code::kInvalidArgument, std::string("resources: ") + part + " must be an object");
  }
  remove_nulls(*tree);
  return tree->dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace ward::oci
