// SPDX-License-Identifier: Apache-2.0
#include "profiles/harm/harm_class.h"

namespace ward::profiles {

const std::vector<std::string_view>& harm_class_names() {
  static const std::vector<std::string_view> names = {"self", "held", "reach", "danger"};
  return names;
}

std::string_view harm_class_name(HarmClass harm) {
  return harm_class_names()[static_cast<std::size_t>(harm)];
}

}  // namespace ward::profiles
