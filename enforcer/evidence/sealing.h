// SPDX-License-Identifier: Apache-2.0
// Seals the bundles that shims have left, in the order in which they were completed, also those of
// the time when wardd was away; and keeps the ledger of what was sealed and what retention removed.
// The node's key never leaves wardd. What is sealed already is never sealed anew: whoever took the
// ledger away would have everything vouched for once more.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "enforcer/evidence/retention.h"
#include "lib/base/result.h"
#include "lib/seal/ledger.h"
#include "lib/seal/sealed_places.h"
#include "lib/seal/signing_key.h"

namespace ward::enforcer {

class EvidenceSealing {
 public:
  // Reading and hashing hold up the core loop: some tens of milliseconds of a pass.
  static constexpr std::size_t kMaxSealedOfOnePass = 16;
  static constexpr std::uint64_t kMaxBytesOfOnePass = 16ULL << 20U;  // the first may be larger

  // Nothing is made before the first bundle is there.
  explicit EvidenceSealing(const std::filesystem::path& state) : places_{state} {}

  // One pass over bundles that are complete, or will not be any more; in any order.
  void seal(std::vector<EvidenceBundle> bundles, std::int64_t now_wall_ns);
  // Before it is removed.
  void note_removal(const Removal& removal, std::int64_t now_wall_ns);
  [[nodiscard]] std::vector<std::string> problems() const;

 private:
  Result<void> open();
  Result<void> seal_one(const EvidenceBundle& bundle, std::int64_t now_wall_ns);
  Result<void> take_over(const EvidenceBundle& bundle, std::int64_t now_wall_ns);

  SealedPlaces places_;
  std::optional<SigningKey> key_;
  std::optional<Ledger> ledger_;
  std::string problem_;
  std::map<std::string, std::string> unsealed_;  // by bundle: why; tried again now and then
  std::uint64_t passes_ = 0;
};

}  // namespace ward::enforcer
