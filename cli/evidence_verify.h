// SPDX-License-Identifier: Apache-2.0
// `ward evidence verify`.
#pragma once

#include <string>
#include <vector>

#include "cli/session.h"

namespace ward::cli {

struct VerifyRequest {
  std::vector<std::string> bundles;  // empty: all of this node
  std::string key;                   // a file; empty: this node's
};

int verify_evidence(Session& session, const VerifyRequest& request);

}  // namespace ward::cli
