// SPDX-License-Identifier: Apache-2.0
#include "lib/seal/manifest.h"

#include <dirent.h>
#include <fcntl.h>
#include <sodium/crypto_hash_sha256.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>

#include "lib/base/digest.h"
#include "lib/base/file.h"
#include "lib/base/unique_fd.h"
#include "lib/json/json.h"

namespace ward {
namespace {

using Json = nlohmann::ordered_json;

UniqueFd open_part(int directory, const char* name) {
  return UniqueFd(
      ::openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
}

Result<std::string> hash_of(int fd, std::uint64_t& bytes) {
  crypto_hash_sha256_state state;
  crypto_hash_sha256_init(&state);
  std::string chunk(256U << 10U, '\0');
  for (bytes = 0;;) {
    const ssize_t n = ::read(fd, chunk.data(), chunk.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("read");
    if (n == 0) break;
    bytes += static_cast<std::uint64_t>(n);
    if (bytes > kMaxPartBytes) return fail(Code::kResourceExhausted, "it is too large");
    crypto_hash_sha256_update(&state, reinterpret_cast<const unsigned char*>(chunk.data()),
                              static_cast<unsigned long long>(n));
  }
  std::string digest(crypto_hash_sha256_BYTES, '\0');
  crypto_hash_sha256_final(&state, reinterpret_cast<unsigned char*>(digest.data()));
  return hex(digest);
}

Result<Part> read_part(int directory, const std::string& name) {
  struct stat status {};
  if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
    return fail_errno("look at '" + name + "'");
  Part part{name, 0, ""};
  if (!S_ISREG(status.st_mode)) return part;
  const UniqueFd fd = open_part(directory, name.c_str());
  if (!fd) return fail_errno("open '" + name + "'");
  auto digest = hash_of(fd.get(), part.bytes);
  if (!digest) return fail_with("'" + name + "'", digest.error());
  part.sha256 = std::move(*digest);
  return part;
}

Result<std::vector<std::string>> names_of(int directory) {
  UniqueFd own(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!own) return fail_errno("open");
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(own.get()), ::closedir);
  if (!stream) return fail_errno("read");
  (void)own.release();
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string name = entry->d_name;
    if (name == "." || name == ".." || name == kManifestName || name == kSignatureName) continue;
    if (names.size() == kMaxParts) return fail(Code::kResourceExhausted, "it holds too many files");
    names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

std::string to_text(const Manifest& manifest) {
  Json parts = Json::array();
  for (const Part& part : manifest.parts)
    parts.push_back({{"name", part.name}, {"bytes", part.bytes}, {"sha256", part.sha256}});
  const Json document = {{"format", 1},
                         {"directory", manifest.directory},
                         {"number", manifest.number},
                         {"sealed_wall_ns", manifest.sealed_wall_ns},
                         {"complete", manifest.complete},
                         {"previous", manifest.previous},
                         {"key", manifest.key},
                         {"parts", std::move(parts)}};
  return document.dump(2, ' ', true, Json::error_handler_t::replace) + "\n";
}

Result<Manifest> parse_manifest(std::string_view text) {
  try {
    const Json document = Json::parse(text);
    if (document.at("format") != 1)
      return fail(Code::kInvalidArgument, "a manifest of a later Ward");
    Manifest manifest;
    manifest.directory = document.at("directory").get<std::string>();
    manifest.number = document.at("number").get<std::uint64_t>();
    manifest.sealed_wall_ns = document.at("sealed_wall_ns").get<std::int64_t>();
    manifest.complete = document.at("complete").get<bool>();
    manifest.previous = document.at("previous").get<std::string>();
    manifest.key = document.at("key").get<std::string>();
    for (const auto& part : document.at("parts")) {
      manifest.parts.push_back({part.at("name").get<std::string>(),
                                part.at("bytes").get<std::uint64_t>(),
                                part.at("sha256").get<std::string>()});
    }
    return manifest;
  } catch (const Json::exception& error) {
    return fail(Code::kInvalidArgument, std::string("no manifest: ") + error.what());
  }
}

Result<std::vector<Part>> read_parts(int directory) {
  const auto names = names_of(directory);
  if (!names) return tl::unexpected<Error>(names.error());
  std::vector<Part> parts;
  for (const std::string& name : *names) {
    auto part = read_part(directory, name);
    if (!part) return tl::unexpected<Error>(part.error());
    parts.push_back(std::move(*part));
  }
  return parts;
}

Result<std::string> read_file_of(int directory, const char* name, std::size_t max_bytes) {
  const UniqueFd fd = open_part(directory, name);
  struct stat status {};
  if (!fd) return fail_errno(std::string("open '") + name + "'");
  if (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode))
    return fail(Code::kInvalidArgument, std::string("'") + name + "' is no regular file");
  if (static_cast<std::uint64_t>(status.st_size) > max_bytes)
    return fail(Code::kResourceExhausted, std::string("'") + name + "' is too large");
  std::string content(static_cast<std::size_t>(status.st_size), '\0');
  const ssize_t n = ::pread(fd.get(), content.data(), content.size(), 0);
  if (n < 0) return fail_errno(std::string("read '") + name + "'");
  content.resize(static_cast<std::size_t>(n));
  return content;
}

Result<std::string> seal_directory(int directory, Manifest manifest, const SigningKey& key) {
  struct stat before {};
  if (::fstat(directory, &before) != 0) return fail_errno("look at the directory");
  auto parts = read_parts(directory);
  if (!parts) return tl::unexpected<Error>(parts.error());
  manifest.parts = std::move(*parts);
  manifest.key = key.public_key().id();
  const std::string text = to_text(manifest);
  const std::filesystem::path here = "/proc/self/fd/" + std::to_string(directory);
  if (auto written = write_file_atomically(here / kSignatureName, key.sign(text)); !written)
    return tl::unexpected<Error>(written.error());
  if (auto written = write_file_atomically(here / kManifestName, text); !written)
    return tl::unexpected<Error>(written.error());
  const std::array<timespec, 2> times{before.st_atim, before.st_mtim};
  (void)::futimens(directory, times.data());
  return sha256_hex(text);
}

}  // namespace ward
