// SPDX-License-Identifier: Apache-2.0
// "Did you mean" for the short, fixed vocabularies of the YAML forms.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "lib/oci/nearest.h"

namespace ward::profiles {

inline std::string nearest(std::string_view misspelt, std::vector<std::string_view> candidates) {
  // The shorter of two that are as near: 'container' is 'containers', not the beginning of 'containerdNamespaces'.
  std::stable_sort(candidates.begin(), candidates.end(), [](auto a, auto b) { return a.size() < b.size(); });
  oci::Nearest search(misspelt);
  for (const std::string_view candidate : candidates) search.offer(candidate);
  return search.best();
}

}  // namespace ward::profiles
