// SPDX-License-Identifier: Apache-2.0
#include "enforcer/config.h"

namespace ward::enforcer {

node::v1::NodeSettings node_settings(const Config& config) {
  node::v1::NodeSettings settings;
  settings.set_runtime_binary(config.runtime_binary);
  settings.set_quarantine_ttl_s(config.quarantine_ttl.count());
  settings.set_evidence_max_bytes(config.evidence_max_bytes);
  settings.set_evidence_max_files(config.evidence_max_files);
  settings.set_evidence_full(config.evidence_full);
  return settings;
}

}  // namespace ward::enforcer
