// SPDX-License-Identifier: Apache-2.0
#include "inspect/work.h"

#include <md5.h>
#include <sha1.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>
#include <sstream>
#include <vector>

#include "inspect/elf_symbols.h"
#include "inspect/package_files.h"
#include "lib/base/digest.h"
#include "lib/base/escape.h"
#include "lib/json/json.h"

namespace ward::inspect {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kMaxHashedFile = 64U << 20U;
constexpr std::uint64_t kMaxHashed = 256U << 20U;
constexpr std::size_t kChunkBytes = 64U << 10U;

struct File {
  int fd = -1;
  std::string path;
  std::vector<std::uint64_t> offsets;
};

struct Request {
  std::vector<File> files;
  int database = -1;
};

std::string from_hex(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at + 1 < text.size(); at += 2) {
    unsigned value = 0;
    std::from_chars(text.data() + at, text.data() + at + 2, value, 16);
    out += static_cast<char>(value);
  }
  return out;
}

Request parse(std::string_view text) {
  Request request;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string kind;
    int fd = -1;
    if (!(words >> kind >> fd)) continue;
    if (kind == "database") request.database = fd;
    if (kind != "file" || request.files.size() == kMaxFiles) continue;
    File file{fd, {}, {}};
    std::string path;
    words >> path;
    file.path = from_hex(path);
    for (std::uint64_t offset = 0; file.offsets.size() < kMaxOffsets && words >> offset;)
      file.offsets.push_back(offset);
    request.files.push_back(std::move(file));
  }
  return request;
}

bool read_at(int fd, std::uint64_t offset, char* buffer, std::size_t bytes) {
  while (bytes > 0) {
    if (offset > static_cast<std::uint64_t>(INT64_MAX)) return false;
    const ssize_t n = ::pread(fd, buffer, bytes, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    buffer += n;
    bytes -= static_cast<std::size_t>(n);
    offset += static_cast<std::uint64_t>(n);
  }
  return true;
}

// Of a regular file: a FIFO or a device could make a reader wait. The call itself: fstat() of glibc
// is newfstatat(2), which takes paths too, and a filter does not see whether there is one.
std::optional<std::uint64_t> size_of(int fd) {
  struct stat status {};
  if (fd < 0 || ::syscall(SYS_fstat, fd, &status) != 0 || !S_ISREG(status.st_mode) ||
      status.st_size < 0)
    return std::nullopt;
  return static_cast<std::uint64_t>(status.st_size);
}

struct Digests {
  std::string md5, sha1;
};

std::optional<Digests> digests_of(int fd, std::uint64_t size) {
  MD5_CTX md5;
  SHA1_CTX sha1;
  ::MD5Init(&md5);
  ::SHA1Init(&sha1);
  std::string chunk(kChunkBytes, '\0');
  for (std::uint64_t at = 0; at < size;) {
    const auto now = static_cast<std::size_t>(std::min<std::uint64_t>(chunk.size(), size - at));
    if (!read_at(fd, at, chunk.data(), now)) return std::nullopt;
    const auto* const bytes = reinterpret_cast<const std::uint8_t*>(chunk.data());
    ::MD5Update(&md5, bytes, now);
    ::SHA1Update(&sha1, bytes, now);
    at += now;
  }
  std::string first(MD5_DIGEST_LENGTH, '\0');
  std::string second(SHA1_DIGEST_LENGTH, '\0');
  ::MD5Final(reinterpret_cast<std::uint8_t*>(first.data()), &md5);
  ::SHA1Final(reinterpret_cast<std::uint8_t*>(second.data()), &sha1);
  return Digests{hex(first), hex(second)};
}

void read_database(std::string_view text, const std::set<std::string, std::less<>>& wanted,
                   PackagedFiles& found) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return;
    std::istringstream words{std::string(text.substr(0, end))};
    text.remove_prefix(end + 1);
    std::string kind;
    std::string name;
    std::size_t size = 0;
    if (!(words >> kind >> name >> size) || size > text.size()) return;
    if (kind == "dpkg") read_dpkg_file(name, text.substr(0, size), wanted, found);
    if (kind == "apk") read_apk_installed(text.substr(0, size), wanted, found);
    text.remove_prefix(size);
  }
}

PackagedFiles read_packages(const Request& request) {
  PackagedFiles found;
  const auto size = size_of(request.database);
  if (!size || *size > kMaxDatabaseBytes) return found;
  std::string text(static_cast<std::size_t>(*size), '\0');
  if (!read_at(request.database, 0, text.data(), text.size())) return found;
  std::set<std::string, std::less<>> wanted;
  for (const File& file : request.files) wanted.insert(file.path);
  read_database(text, wanted, found);
  return found;
}

Json describe(const File& file, const PackagedFiles& packages, std::uint64_t& left) {
  Json one = Json::object();
  const auto size = size_of(file.fd);
  Json symbols = Json::array();
  if (size && !file.offsets.empty()) {
    const auto read = [&file](std::uint64_t at, void* buffer, std::size_t bytes) {
      return read_at(file.fd, at, static_cast<char*>(buffer), bytes);
    };
    for (const std::string& name : find_symbols(read, file.offsets))
      symbols.push_back(escape(name, kMaxNameBytes));
  }
  one["symbols"] = symbols;
  const auto known = packages.find(file.path);
  if (known == packages.end()) return one;
  one["package"] = escape(known->second.package, kMaxPackageBytes);
  const bool has_digest = !known->second.md5.empty() || !known->second.sha1.empty();
  if (!has_digest || !size || *size > kMaxHashedFile || *size > left) return one;
  left -= *size;
  const auto digests = digests_of(file.fd, *size);
  if (!digests) return one;
  const bool md5 = !known->second.md5.empty();
  one["digest"] = md5 ? "md5" : "sha1";
  one["same"] = md5 ? digests->md5 == known->second.md5 : digests->sha1 == known->second.sha1;
  return one;
}

}  // namespace

std::string answer(std::string_view text) {
  const Request request = parse(text.substr(0, kMaxRequestBytes));
  const PackagedFiles packages = read_packages(request);
  std::string files;
  std::uint64_t left = kMaxHashed;
  for (const File& file : request.files) {
    std::string one =
        describe(file, packages, left).dump(-1, ' ', true, Json::error_handler_t::replace);
    if (files.size() + one.size() + 32 > kMaxAnswerBytes) break;
    if (!files.empty()) one.insert(0, ",");
    files += one;
  }
  return "{\"files\":[" + files + "]}";
}

}  // namespace ward::inspect
