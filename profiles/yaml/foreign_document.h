// SPDX-License-Identifier: Apache-2.0
// Documents that look like profiles and are somebody else's: Docker's and OCI's seccomp JSON, what
// the Security Profiles Operator and Kubernetes have. A person who gives one to Ward is told what
// it is and what to do with it.
#pragma once

#include <optional>
#include <string>

#include "profiles/yaml/yaml_tree.h"

namespace ward::profiles {

struct ForeignDocument {
  Position at;
  std::string what;
};

std::optional<ForeignDocument> find_foreign_document(const YamlNode& root);

}  // namespace ward::profiles
