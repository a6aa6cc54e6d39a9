// SPDX-License-Identifier: Apache-2.0
// "Did you mean" for the short, fixed vocabularies of the YAML forms.
#pragma once

#include <string>
#include <string_view>

#include "lib/oci/nearest.h"

namespace ward::profiles {

// As oci::Nearest::hint(): " (did you mean 'serving'?)", empty where nothing is near.
template <typename Names>
std::string hint(std::string_view misspelt, const Names& names) {
  oci::Nearest search(misspelt);
  for (const std::string_view name : names) search.offer(name);
  return search.hint();
}

}  // namespace ward::profiles
