// SPDX-License-Identifier: Apache-2.0
#include "enforcer/sinks/references.h"

#include <algorithm>

#include "profiles/techniques/techniques.h"

namespace ward::enforcer::sinks {

std::vector<Reference> references_of(std::string_view kind, std::string_view origin,
                                     std::string_view call, std::span<const std::uint64_t> args) {
  std::vector<Reference> found;
  const auto add = [&found](const Reference& reference) {
    if (std::find(found.begin(), found.end(), reference) == found.end()) found.push_back(reference);
  };
  for (const ReferenceRow& row : reference_rows())
    if (row.kind == kind && (row.origin.empty() || row.origin == origin)) add(row.reference);
  for (const profiles::Technique& technique : profiles::techniques_of(call, args))
    add({"attack", technique.id, technique.name});
  return found;
}

}  // namespace ward::enforcer::sinks
