// SPDX-License-Identifier: Apache-2.0
// Where what is sealed lies below one directory, for the one that writes and for those that verify.
#pragma once

#include <filesystem>
#include <string>

namespace ward {

inline constexpr const char* kSealingKeyName = "evidence";

struct SealedPlaces {
  std::filesystem::path root;

  [[nodiscard]] std::filesystem::path directories() const { return root / "evidence"; }
  [[nodiscard]] std::filesystem::path keys() const { return root / "keys"; }
  [[nodiscard]] std::filesystem::path public_key() const {
    return keys() / (std::string(kSealingKeyName) + ".pub");
  }
  [[nodiscard]] std::filesystem::path ledger() const { return root / "evidence.ledger"; }
};

}  // namespace ward
