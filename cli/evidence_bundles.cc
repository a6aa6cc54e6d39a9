// SPDX-License-Identifier: Apache-2.0
#include "cli/evidence_bundles.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <memory>

#include "lib/base/escape.h"
#include "lib/base/unique_fd.h"
#include "lib/seal/manifest.h"

namespace ward::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxNames = 4096;
constexpr std::size_t kMaxDocumentBytes = 64U << 20U;
constexpr std::size_t kMaxArchiveBytes = 1U << 30U;
constexpr std::size_t kBlock = 512;
constexpr std::size_t kMaxTarName = 100;

UniqueFd open_directory(const fs::path& path) {
  return UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

Result<std::vector<std::string>> names_in(const fs::path& path) {
  UniqueFd fd = open_directory(path);
  if (!fd) return fail_errno("open '" + path.string() + "'");
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(fd.get()), ::closedir);
  if (!stream) return fail_errno("read '" + path.string() + "'");
  (void)fd.release();
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(stream.get())) {
    if (entry->d_name[0] != '.' && names.size() < kMaxNames) names.emplace_back(entry->d_name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

// POSIX ustar. Numbers are octal texts; the sum is that of the header with blanks in its place.
Result<void> add_to_tar(std::string& tar, const std::string& name, const std::string& content) {
  if (name.size() > kMaxTarName)
    return fail(Code::kInvalidArgument, "the name '" + escape(name) + "' is too long for tar");
  if (tar.size() + content.size() > kMaxArchiveBytes)
    return fail(Code::kResourceExhausted, "the bundle is too large for an archive");
  std::array<char, kBlock> header{};
  std::memcpy(header.data(), name.data(), name.size());
  const auto octal = [&header](std::size_t at, int width, unsigned long value) {
    std::snprintf(header.data() + at, static_cast<std::size_t>(width) + 1, "%0*lo", width, value);
  };
  octal(100, 7, 0600);
  octal(108, 7, 0);
  octal(116, 7, 0);
  octal(124, 11, content.size());
  octal(136, 11, 0);
  std::memset(header.data() + 148, ' ', 8);
  header[156] = '0';
  std::memcpy(header.data() + 257, "ustar\00000", 8);
  unsigned long sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  octal(148, 6, sum);
  tar.append(header.data(), header.size());
  tar += content;
  tar.append((kBlock - content.size() % kBlock) % kBlock, '\0');
  return {};
}

}  // namespace

Result<std::vector<std::string>> bundle_names(const fs::path& root) {
  auto names = names_in(root);
  if (!names && names.error().sys_errno == ENOENT) return std::vector<std::string>{};
  if (!names) return names;
  std::vector<std::pair<std::int64_t, std::string>> dated;
  for (const std::string& name : *names) {
    struct stat status {};
    if (::lstat((root / name).c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) continue;
    dated.emplace_back(status.st_mtim.tv_sec * 1'000'000'000LL + status.st_mtim.tv_nsec, name);
  }
  std::sort(dated.begin(), dated.end());
  names->clear();
  for (auto& [time, name] : dated) names->push_back(std::move(name));
  return names;
}

Result<fs::path> find_bundle(const fs::path& root, const std::string& named) {
  std::error_code error;
  if (named.find('/') == std::string::npos && named.rfind('.', 0) != 0 &&
      fs::is_directory(root / named, error))
    return root / named;
  if (!fs::is_directory(named, error))
    return fail(Code::kNotFound, "no bundle '" + escape(named) + "' in " + root.string() +
                                     ", and no directory of that name");
  return fs::path(named);
}

Result<nlohmann::ordered_json> read_evidence_document(const fs::path& bundle) {
  const UniqueFd directory = open_directory(bundle);
  if (!directory) return fail_errno("open '" + bundle.string() + "'");
  const auto text = read_file_of(directory.get(), "evidence.json", kMaxDocumentBytes);
  if (!text) return tl::unexpected<Error>(text.error());
  auto document = parse_json<nlohmann::ordered_json>(*text);
  if (!document.is_object())
    return fail(Code::kInvalidArgument, "'" + (bundle / "evidence.json").string() + "' is no JSON");
  return document;
}

Result<std::string> archive_bundle(const fs::path& bundle, const std::string& public_key_pem) {
  const UniqueFd directory = open_directory(bundle);
  if (!directory) return fail_errno("open '" + bundle.string() + "'");
  const auto names = names_in(bundle);
  if (!names) return tl::unexpected<Error>(names.error());
  const std::string top =
      (bundle.has_filename() ? bundle : bundle.parent_path()).filename().string() + "/";
  std::string tar;
  for (const std::string& name : *names) {
    const auto content = read_file_of(directory.get(), name.c_str(), kMaxArchiveBytes);
    if (!content) return tl::unexpected<Error>(content.error());
    if (auto added = add_to_tar(tar, top + name, *content); !added)
      return tl::unexpected<Error>(added.error());
  }
  if (!public_key_pem.empty()) {
    if (auto added = add_to_tar(tar, "evidence.pub", public_key_pem); !added)
      return tl::unexpected<Error>(added.error());
  }
  tar.append(2 * kBlock, '\0');
  std::string packed(ZSTD_compressBound(tar.size()), '\0');
  const std::size_t size =
      ZSTD_compress(packed.data(), packed.size(), tar.data(), tar.size(), ZSTD_CLEVEL_DEFAULT);
  if (ZSTD_isError(size) != 0) return fail(Code::kInternal, ZSTD_getErrorName(size));
  packed.resize(size);
  return packed;
}

}  // namespace ward::cli
