// SPDX-License-Identifier: Apache-2.0
// A flat directory whose contents are sealed: manifest.json names each file with its size and
// SHA-256, and the manifest of the directory that was sealed before; manifest.sig is the node's
// ed25519 signature over the bytes of manifest.json. Names and contents are data: nothing here
// follows a link, opens anything but a regular file, or trusts a name that it read.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"
#include "lib/seal/signing_key.h"

namespace ward {

inline constexpr const char* kManifestName = "manifest.json";
inline constexpr const char* kSignatureName = "manifest.sig";

struct Part {
  std::string name;
  std::uint64_t bytes = 0;
  std::string sha256;
  bool operator==(const Part&) const = default;
};

struct Manifest {
  std::string directory;     // its name
  std::uint64_t number = 0;  // of its entry in the ledger
  std::int64_t sealed_wall_ns = 0;
  bool complete = true;  // false: whoever filled it did not finish
  std::string previous;  // SHA-256 of the manifest before; empty: the first one
  std::string key;       // PublicKey::id()
  std::vector<Part> parts;
};

std::string to_text(const Manifest& manifest);
Result<Manifest> parse_manifest(std::string_view text);  // kInvalidArgument

// What is in a directory now, by name, but for the two files above. Entries that are no regular
// files have no digest. kResourceExhausted beyond kMaxParts or kMaxPartBytes.
inline constexpr std::size_t kMaxParts = 4096;
inline constexpr std::uint64_t kMaxPartBytes = 1ULL << 30U;
Result<std::vector<Part>> read_parts(int directory);

// Regular files only, and no link is followed.
Result<std::string> read_file_of(int directory, const char* name, std::size_t max_bytes);

// Writes both files, each atomically. The directory keeps the time of its last change, which says
// when it was filled. The SHA-256 of the manifest.
Result<std::string> seal_directory(int directory, Manifest manifest, const SigningKey& key);

}  // namespace ward
