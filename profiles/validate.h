// SPDX-License-Identifier: Apache-2.0
// Does a profile or a policy make sense, and is what it allows signed for? Values in, findings out;
// the readers turn errors into file:line:column by the subject.
#pragma once

#include <string>
#include <vector>

#include "profiles/profile.h"

namespace ward::profiles {

struct Finding {
  enum class Severity { kError, kWarning };
  Severity severity = Severity::kError;
  std::string subject;  // the path of the field: "metadata.name", "syscalls.serving.socket",
                        // "accept.0", "rules.2.profile"
  std::string message;  // says what would be right
  bool operator==(const Finding&) const = default;
};

std::vector<Finding> validate(const Profile& profile);
std::vector<Finding> validate(const Policy& policy);

bool has_errors(const std::vector<Finding>& findings);

}  // namespace ward::profiles
