// SPDX-License-Identifier: Apache-2.0
#include "enforcer/sinks/references.h"

#include <algorithm>

namespace ward::enforcer::sinks {
namespace {

bool fits(const ReferenceRow& row, std::string_view call, std::span<const std::uint64_t> args) {
  if (row.call != call) return false;
  if (row.index < 0) return true;
  const auto index = static_cast<std::size_t>(row.index);
  if (index >= args.size()) return false;
  const std::uint64_t bits = args[index] & row.mask;
  return row.any_bit ? bits != 0 : bits == row.value;
}

}  // namespace

std::vector<Reference> references_of(std::string_view kind, std::string_view origin,
                                     std::string_view call, std::span<const std::uint64_t> args) {
  std::vector<Reference> found;
  const auto add = [&found](const Reference& reference) {
    if (std::find(found.begin(), found.end(), reference) == found.end()) found.push_back(reference);
  };
  const ReferenceRow* of_call = nullptr;
  for (const ReferenceRow& row : reference_rows()) {
    if (!row.kind.empty()) {
      if (row.kind == kind && (row.origin.empty() || row.origin == origin)) add(row.reference);
    } else if ((of_call == nullptr || of_call->row == row.row) && fits(row, call, args)) {
      of_call = &row;
      add(row.reference);
    }
  }
  return found;
}

}  // namespace ward::enforcer::sinks
