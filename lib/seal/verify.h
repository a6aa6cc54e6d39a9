// SPDX-License-Identifier: Apache-2.0
// Whether sealed directories are what they were, part by part, and whether one is missing.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "lib/seal/ledger.h"
#include "lib/seal/manifest.h"

namespace ward {

struct Finding {
  std::string directory;
  std::string part;  // empty: the directory as a whole
  std::string what;  // "changed", "missing", "added", "vanished", or a sentence
};

struct Verified {
  std::string directory;
  bool sealed = false;  // it has a manifest
  Manifest manifest;    // where it could be read
  std::string manifest_sha256;
  std::vector<Finding> findings;
};

// One directory against its own manifest, and that against the key. An error: it cannot be read.
Result<Verified> verify_directory(const std::filesystem::path& directory, const PublicKey& key);

// All below `root` against the ledger: each of `directories` was verified.
std::vector<Finding> verify_chain(const LedgerReading& ledger,
                                  const std::vector<Verified>& directories);

}  // namespace ward
