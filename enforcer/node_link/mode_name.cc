// SPDX-License-Identifier: Apache-2.0
#include "enforcer/node_link/mode_name.h"

namespace ward::enforcer {

std::string mode_name(node::v1::Mode mode) {
  switch (mode) {
    case node::v1::MODE_OFF: return "off";
    case node::v1::MODE_LEARN: return "learn";
    case node::v1::MODE_SUPERVISE: return "supervise";
    case node::v1::MODE_ENFORCE: return "enforce";
    default: return "";
  }
}

node::v1::Mode parse_mode(std::string_view name) {
  for (const node::v1::Mode mode : {node::v1::MODE_OFF, node::v1::MODE_LEARN,
                                    node::v1::MODE_SUPERVISE, node::v1::MODE_ENFORCE}) {
    if (mode_name(mode) == name) return mode;
  }
  return node::v1::MODE_UNSPECIFIED;
}

}  // namespace ward::enforcer
