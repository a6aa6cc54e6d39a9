// SPDX-License-Identifier: Apache-2.0
// What an event is evidence for, and which technique it may be a step of, by the ids of others:
// constants that the build makes of references.yaml, and the techniques of calls
// (profiles/techniques). Hints for whoever reads or sorts events; nothing decides by them.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace ward::enforcer::sinks {

struct Reference {
  std::string_view framework;  // "attack", "sp800-190", "cis-docker", "cis-kubernetes", "pci-dss"
  std::string_view id;         // "T1611"
  std::string_view name;       // "Escape to Host"; empty where it is the framework's own text
  bool operator==(const Reference&) const = default;
};

// Holds for events of a kind.
struct ReferenceRow {
  std::string_view kind;
  std::string_view origin;  // "exec": of exec sessions only
  Reference reference;
};

struct Framework {
  std::string_view id;
  std::string_view source;
};

std::span<const ReferenceRow> reference_rows();
std::span<const Framework> frameworks();

// Those of the kind, and the techniques of the call; each once.
std::vector<Reference> references_of(std::string_view kind, std::string_view origin,
                                     std::string_view call, std::span<const std::uint64_t> args);

}  // namespace ward::enforcer::sinks
