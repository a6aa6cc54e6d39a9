// SPDX-License-Identifier: Apache-2.0
#include "lib/seal/signing_key.h"

#include <sodium/crypto_sign.h>
#include <sodium/utils.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>

#include "lib/base/digest.h"
#include "lib/base/file.h"

namespace ward {
namespace {

constexpr std::size_t kMaxFileBytes = 4096;
// RFC 8410: what stands before the 32 bytes.
constexpr std::array<unsigned char, 12> kPublicPrefix = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                                         0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
constexpr std::array<unsigned char, 16> kPrivatePrefix = {
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};
constexpr const char* kPublicLabel = "PUBLIC KEY";
constexpr const char* kPrivateLabel = "PRIVATE KEY";

using Key = std::array<unsigned char, 32>;

template <std::size_t N>
std::string to_pem(const char* label, const std::array<unsigned char, N>& prefix, const Key& key) {
  std::array<unsigned char, N + 32> whole{};
  std::copy(prefix.begin(), prefix.end(), whole.begin());
  std::copy(key.begin(), key.end(), whole.begin() + N);
  std::array<char, 128> text{};
  sodium_bin2base64(text.data(), text.size(), whole.data(), whole.size(),
                    sodium_base64_VARIANT_ORIGINAL);
  sodium_memzero(whole.data(), whole.size());
  return std::string("-----BEGIN ") + label + "-----\n" + text.data() + "\n-----END " + label +
         "-----\n";
}

template <std::size_t N>
Result<Key> from_pem(const char* label, const std::array<unsigned char, N>& prefix,
                     std::string_view pem) {
  const std::string begin = std::string("-----BEGIN ") + label + "-----";
  const std::string end = std::string("-----END ") + label + "-----";
  const std::size_t from = pem.find(begin);
  const std::size_t to = pem.find(end);
  std::array<unsigned char, N + 32> whole{};
  std::size_t bytes = 0;
  if (from == std::string_view::npos || to == std::string_view::npos || to < from + begin.size())
    return fail(Code::kInvalidArgument, "no ed25519 key in PEM");
  const std::string_view text = pem.substr(from + begin.size(), to - from - begin.size());
  if (sodium_base642bin(whole.data(), whole.size(), text.data(), text.size(), "\r\n ", &bytes,
                        nullptr, sodium_base64_VARIANT_ORIGINAL) != 0 ||
      bytes != whole.size() || !std::equal(prefix.begin(), prefix.end(), whole.begin()))
    return fail(Code::kInvalidArgument, "no ed25519 key in PEM");
  Key key{};
  std::copy(whole.begin() + N, whole.end(), key.begin());
  sodium_memzero(whole.data(), whole.size());
  return key;
}

}  // namespace

Result<PublicKey> PublicKey::parse(std::string_view pem) {
  const auto key = from_pem(kPublicLabel, kPublicPrefix, pem);
  if (!key) return tl::unexpected<Error>(key.error());
  PublicKey out;
  out.bytes = *key;
  return out;
}

Result<PublicKey> PublicKey::read(const std::filesystem::path& file) {
  const auto text = read_regular_file(file, kMaxFileBytes);
  if (!text) return tl::unexpected<Error>(text.error());
  auto key = parse(*text);
  if (!key) return fail_with("'" + file.string() + "'", key.error());
  return key;
}

bool PublicKey::verifies(std::string_view text, std::string_view signature) const {
  if (signature.size() != kSignatureBytes) return false;
  return crypto_sign_verify_detached(reinterpret_cast<const unsigned char*>(signature.data()),
                                     reinterpret_cast<const unsigned char*>(text.data()),
                                     text.size(), bytes.data()) == 0;
}

std::string PublicKey::pem() const { return to_pem(kPublicLabel, kPublicPrefix, bytes); }

std::string PublicKey::id() const {
  return hex({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

SigningKey SigningKey::from_seed(const Key& seed) {
  SigningKey key;
  crypto_sign_seed_keypair(key.public_.bytes.data(), key.secret_.data(), seed.data());
  return key;
}

SigningKey::SigningKey(SigningKey&& other) noexcept
    : secret_(other.secret_), public_(other.public_) {
  sodium_memzero(other.secret_.data(), other.secret_.size());
}

SigningKey::~SigningKey() { sodium_memzero(secret_.data(), secret_.size()); }

Result<SigningKey> SigningKey::open_or_make(const std::filesystem::path& directory,
                                            const std::string& name) {
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
    return fail_errno("mkdir '" + directory.string() + "'");
  const auto file = directory / (name + ".key");
  const auto text = read_regular_file(file, kMaxFileBytes);
  if (!text && text.error().code != Code::kNotFound) return tl::unexpected<Error>(text.error());
  Key seed{};
  if (text) {
    const auto kept = from_pem(kPrivateLabel, kPrivatePrefix, *text);
    if (!kept) return fail_with("'" + file.string() + "'", kept.error());
    seed = *kept;
  } else {
    if (::getrandom(seed.data(), seed.size(), 0) != static_cast<ssize_t>(seed.size())) std::abort();
    if (auto written =
            write_file_atomically(file, to_pem(kPrivateLabel, kPrivatePrefix, seed), 0600);
        !written)
      return tl::unexpected<Error>(written.error());
  }
  SigningKey key = from_seed(seed);
  sodium_memzero(seed.data(), seed.size());
  const auto shown = directory / (name + ".pub");
  if (read_regular_file(shown, kMaxFileBytes).value_or("") != key.public_.pem()) {
    if (auto written = write_file_atomically(shown, key.public_.pem(), 0644); !written)
      return tl::unexpected<Error>(written.error());
  }
  return key;
}

std::string SigningKey::sign(std::string_view text) const {
  std::string signature(kSignatureBytes, '\0');
  crypto_sign_detached(reinterpret_cast<unsigned char*>(signature.data()), nullptr,
                       reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                       secret_.data());
  return signature;
}

}  // namespace ward
