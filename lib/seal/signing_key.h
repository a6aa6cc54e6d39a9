// SPDX-License-Identifier: Apache-2.0
// An ed25519 key of a node (libsodium's), in files that other programs read too: the private key is
// PKCS#8, the public one SubjectPublicKeyInfo, both PEM. So `openssl pkeyutl -verify -rawin` can
// judge a signature without Ward.
#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <string_view>

#include "lib/base/result.h"

namespace ward {

inline constexpr std::size_t kSignatureBytes = 64;

class PublicKey {
 public:
  static Result<PublicKey> parse(std::string_view pem);
  static Result<PublicKey> read(const std::filesystem::path& file);
  [[nodiscard]] bool verifies(std::string_view text, std::string_view signature) const;
  [[nodiscard]] std::string pem() const;
  [[nodiscard]] std::string id() const;  // hex

  std::array<unsigned char, 32> bytes{};
};

class SigningKey {
 public:
  // <directory>/<name>.key (0600) and <name>.pub, made at first use. A file that is there and is no
  // key is an error, and stays.
  static Result<SigningKey> open_or_make(const std::filesystem::path& directory,
                                         const std::string& name);
  ~SigningKey();
  SigningKey(SigningKey&&) noexcept;
  SigningKey& operator=(SigningKey&&) = delete;
  [[nodiscard]] std::string sign(std::string_view text) const;  // kSignatureBytes
  [[nodiscard]] const PublicKey& public_key() const { return public_; }

 private:
  SigningKey() = default;
  static SigningKey from_seed(const std::array<unsigned char, 32>& seed);
  std::array<unsigned char, 64> secret_{};
  PublicKey public_;
};

}  // namespace ward
