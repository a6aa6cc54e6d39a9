// SPDX-License-Identifier: Apache-2.0
#include "lib/spool/tally.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "lib/base/digest.h"
#include "lib/base/file.h"
#include "lib/spool/locked_file.h"

namespace ward {
namespace {

// magic[8] count[8] merged_size[4] about_size[4] merged[256] about[...], numbers little endian.
constexpr std::string_view kMagic = "wardtal1";
constexpr std::size_t kCountAt = 8;
constexpr std::size_t kSizesAt = 16;
constexpr std::size_t kMergedAt = 24;
constexpr std::size_t kMaxMerged = 256;
constexpr std::size_t kAboutAt = kMergedAt + kMaxMerged;
static_assert(kAboutAt + kMaxTallyAbout <= kTallyFileBytes);

std::string name(const std::filesystem::path& path) { return "tally '" + path.string() + "'"; }

std::string number(std::uint64_t value, std::size_t bytes) {
  std::string out;
  for (std::size_t i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
  return out;
}

std::uint64_t number_at(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) {
    value |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
  }
  return value;
}

// From the count on, so that count and `merged` change in one write.
std::string serialize(const TallyContent& content) {
  std::string bytes =
      number(content.count, 8) + number(content.merged.size(), 4) + number(content.about.size(), 4);
  bytes += content.merged + std::string(kMaxMerged - content.merged.size(), '\0');
  bytes += content.about;
  return bytes;
}

Result<void> write_at(const UniqueFd& file, std::string_view bytes, std::size_t at,
                      const std::filesystem::path& path) {
  ssize_t written = 0;
  do {
    written = ::pwrite(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(at));
  } while (written < 0 && errno == EINTR);
  if (written < 0) return fail_errno("write of " + name(path));
  if (static_cast<std::size_t>(written) != bytes.size()) {
    return fail(Code::kResourceExhausted, "write of " + name(path) + ": cut short");
  }
  return {};
}

// Its room is taken first: no later write can fail for want of space. The magic comes last: without
// it, it is nothing.
Result<void> begin(const UniqueFd& file, const TallyContent& content,
                   const std::filesystem::path& path) {
  int error = 0;
  do {
    error = ::posix_fallocate(file.get(), 0, kTallyFileBytes);
  } while (error == EINTR);
  if (error != 0) return fail_errno("take room for " + name(path), error);
  if (auto written = write_at(file, serialize(content), kCountAt, path); !written) return written;
  return write_at(file, kMagic, 0, path);
}

constexpr std::string_view kUnfinished = ".new";
constexpr int kMaxMakeAttempts = 8;

// Complete and locked before it has its name: who looks at the directory at any moment finds no
// half of it, and none that its process does not hold. What looks like a leftover may be locked and
// removed by a reader before we have the lock: then another is made.
Result<UniqueFd> make_locked(const std::filesystem::path& path, const TallyContent& content) {
  for (int attempt = 0; attempt < kMaxMakeAttempts; ++attempt) {
    const std::string beginning =
        "." + path.filename().string() + "." + random_hex(4) + std::string(kUnfinished);
    const std::filesystem::path unfinished = path.parent_path() / beginning;
    auto opened = open_locked(unfinished, O_RDWR | O_CREAT | O_EXCL, name(path));
    if (!opened && opened.error().code == Code::kFailedPrecondition) continue;
    if (!opened) return tl::unexpected<Error>(opened.error());
    auto done = begin(opened->file, content, path);
    if (done &&
        ::renameat2(AT_FDCWD, unfinished.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) == 0) {
      return std::move(opened->file);
    }
    const int error = errno;
    ::unlink(unfinished.c_str());
    if (!done) return tl::unexpected<Error>(done.error());
    return fail_errno("make " + name(path), error);
  }
  return fail(Code::kAborted, name(path) + " is removed as fast as it is made");
}

bool is_plain_name(std::string_view name) {
  return !name.empty() && name.find('/') == name.npos && name[0] != '.';
}

void remove_merged(const std::filesystem::path& directory, const std::string& merged) {
  if (is_plain_name(merged)) ::unlink((directory / merged).c_str());
}

bool ends_with(std::string_view text, std::string_view suffix) {
  return text.size() >= suffix.size() && text.substr(text.size() - suffix.size()) == suffix;
}

struct Sum {
  UniqueFd file;
  TallyContent content;
};

// A .lost file that is there.
Result<Sum> take_to_add(const std::filesystem::path& path) {
  auto opened = open_locked(path, O_RDWR, name(path));
  if (!opened) return tl::unexpected<Error>(opened.error());
  const auto bytes = read_regular_file(path, kTallyFileBytes);
  if (!bytes) return tl::unexpected<Error>(bytes.error());
  auto content = parse_tally(*bytes);
  if (!content) return tl::unexpected<Error>(content.error());
  return Sum{std::move(opened->file), std::move(*content)};
}

}  // namespace

Result<TallyContent> parse_tally(std::string_view bytes) {
  if (bytes.size() < kAboutAt || bytes.substr(0, kMagic.size()) != kMagic) {
    return fail(Code::kInvalidArgument, "is no tally, or one that was not finished");
  }
  const std::size_t merged = number_at(bytes, kSizesAt, 4);
  const std::size_t about = number_at(bytes, kSizesAt + 4, 4);
  if (merged >= kMaxMerged || about > kMaxTallyAbout || kAboutAt + about > bytes.size()) {
    return fail(Code::kInvalidArgument, "is damaged");
  }
  return TallyContent{number_at(bytes, kCountAt, 8), std::string(bytes.substr(kMergedAt, merged)),
                      std::string(bytes.substr(kAboutAt, about))};
}

Tally::Tally(UniqueFd file, std::filesystem::path path, TallyContent content)
    : file_(std::move(file)), path_(std::move(path)), content_(std::move(content)) {}

Result<Tally> Tally::create(const std::filesystem::path& path, std::string_view about) {
  const std::filesystem::path directory = path.parent_path();
  if (auto made = make_spool_directory(directory); !made)
    return tl::unexpected<Error>(made.error());
  if (count_tallies(directory) >= kMaxTallies) {
    return fail(Code::kResourceExhausted,
                name(path) + ": there are " + std::to_string(kMaxTallies) + " already");
  }
  TallyContent content{0, {}, std::string(about.substr(0, kMaxTallyAbout))};
  auto made = make_locked(path, content);
  if (!made) return tl::unexpected<Error>(made.error());
  return Tally(std::move(*made), path, std::move(content));
}

Result<Tally> Tally::take_over(const std::filesystem::path& path) {
  auto opened = open_locked(path, O_RDONLY, name(path));
  if (!opened) return tl::unexpected<Error>(opened.error());
  const auto bytes = read_regular_file(path, kTallyFileBytes);
  if (!bytes) return tl::unexpected<Error>(bytes.error());
  auto content = parse_tally(*bytes);
  if (!content) return fail_with(name(path), content.error());
  return Tally(std::move(opened->file), path, std::move(*content));
}

Result<void> Tally::set(std::uint64_t count) {
  content_.count = count;
  return write_at(file_, number(count, 8), kCountAt, path_);
}

bool Tally::is_named() const { return ward::is_named(file_, path_); }

// What was added to it goes too: its owner may have died before it did that itself.
Result<void> Tally::remove() {
  remove_merged(path_.parent_path(), content_.merged);
  if (::unlink(path_.c_str()) != 0 && errno != ENOENT) return fail_errno("unlink " + name(path_));
  file_.reset();
  return {};
}

Result<void> Tally::add_to_lost(const std::filesystem::path& directory, const std::string& key,
                                std::string_view about, std::uint64_t count,
                                const std::string& own) {
  if (auto made = make_spool_directory(directory); !made) return made;
  const std::string merged = own.size() < kMaxMerged ? own : std::string();
  std::error_code error;
  for (auto at = std::filesystem::directory_iterator(directory, error);
       !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
    const std::string found = at->path().filename().string();
    if (found.rfind(key + "-", 0) != 0 || !ends_with(found, kLostSuffix)) continue;
    auto there = take_to_add(at->path());
    if (!there) continue;  // it is being read, was removed, or is damaged: another one
    TallyContent content = std::move(there->content);
    remove_merged(directory, content.merged);
    content.count += count;
    content.merged = merged;
    if (auto done = write_at(there->file, serialize(content), kCountAt, at->path()); !done)
      return done;
    remove_merged(directory, merged);
    return {};
  }
  const std::filesystem::path path =
      directory / (key + "-" + random_hex(8) + std::string(kLostSuffix));
  const auto made =
      make_locked(path, {count, merged, std::string(about.substr(0, kMaxTallyAbout))});
  if (!made) return tl::unexpected<Error>(made.error());
  remove_merged(directory, merged);
  return {};
}

Result<std::set<std::string>> tallies_in_sums(const std::filesystem::path& directory) {
  std::set<std::string> names;
  std::error_code error;
  for (auto at = std::filesystem::directory_iterator(directory, error);
       !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
    if (!ends_with(at->path().filename().string(), kLostSuffix)) continue;
    const auto bytes = read_regular_file(at->path(), kTallyFileBytes);
    if (!bytes && bytes.error().code == Code::kNotFound) continue;
    if (!bytes) return tl::unexpected<Error>(bytes.error());
    const auto content = parse_tally(*bytes);
    if (content && !content->merged.empty()) names.insert(content->merged);
  }
  if (error) return fail_errno("read '" + directory.string() + "'", error.value());
  return names;
}

void remove_unfinished(const std::filesystem::path& directory, const std::string& name) {
  if (name.empty() || name[0] != '.' || !ends_with(name, kUnfinished)) return;
  // With the lock: somebody may be making it now.
  const auto opened = open_locked(directory / name, O_RDONLY, name);
  if (opened) ::unlink((directory / name).c_str());
}

std::string tally_id(std::string_view file_name) {
  const std::string_view stem = file_name.substr(0, file_name.find_last_of('.'));
  const std::size_t dash = stem.find_last_of('-');
  return std::string(dash == stem.npos ? stem : stem.substr(dash + 1));
}

bool find_tally(const std::filesystem::path& directory, const std::string& id) {
  std::error_code error;
  for (auto at = std::filesystem::directory_iterator(directory, error);
       !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (ends_with(name, kTallySuffix) && tally_id(name) == id) return true;
  }
  return false;
}

std::size_t count_tallies(const std::filesystem::path& directory) {
  std::error_code error;
  std::size_t count = 0;
  for (auto at = std::filesystem::directory_iterator(directory, error);
       !error && at != std::filesystem::directory_iterator() && count <= kMaxTallies;
       at.increment(error)) {
    ++count;
  }
  return count;
}

}  // namespace ward
