// SPDX-License-Identifier: Apache-2.0
#include "lib/oci/capabilities.h"

#include <sys/capability.h>

#include <algorithm>
#include <iterator>
#include <memory>

#include "lib/oci/nearest.h"

namespace ward::oci {
namespace {

CapabilitySet cut(const CapabilitySet& asked, const CapabilitySet& allowed) {
  CapabilitySet kept;
  for (const std::string& name : asked) {
    if (std::find(allowed.begin(), allowed.end(), name) != allowed.end()) kept.push_back(name);
  }
  std::sort(kept.begin(), kept.end());
  kept.erase(std::unique(kept.begin(), kept.end()), kept.end());
  return kept;
}

}  // namespace

std::optional<std::string> find_capability_name(int number) {
  if (number < 0) return std::nullopt;
  const std::unique_ptr<char, int (*)(void*)> name(::cap_to_name(static_cast<cap_value_t>(number)),
                                                   &::cap_free);
  // A number without a name comes back as digits.
  if (!name || std::string_view(name.get()).substr(0, 4) != "cap_") return std::nullopt;
  std::string upper(name.get());
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return upper;
}

std::optional<int> find_capability(std::string_view name) {
  // cap_from_name would also take lower case and bare numbers; one spelling is enough.
  for (int number = 0; number < 64; ++number) {
    const auto known = find_capability_name(number);
    if (!known) break;
    if (*known == name) return number;
  }
  return std::nullopt;
}

std::string hint_for_capability(std::string_view misspelt) {
  if (misspelt == "ALL" || misspelt == "all")
    return ": no word stands for all of them, list each that is needed";
  Nearest nearest(misspelt);
  for (int number = 0; number < 64; ++number) {
    const auto known = find_capability_name(number);
    if (!known) break;
    nearest.offer(*known);
  }
  return nearest.hint();
}

Capabilities intersect(const Capabilities& asked, const CapabilitySet& allowed) {
  Capabilities kept;
  kept.bounding = cut(asked.bounding, allowed);
  kept.effective = cut(asked.effective, allowed);
  kept.inheritable = cut(asked.inheritable, allowed);
  kept.permitted = cut(asked.permitted, allowed);
  kept.ambient = cut(asked.ambient, allowed);
  return kept;
}

}  // namespace ward::oci
