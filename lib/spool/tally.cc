// SPDX-License-Identifier: Apache-2.0
#include "lib/spool/tally.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
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
  std::string bytes = number(content.count, 8) + number(content.merged.size(), 4) + number(content.about.size(), 4);
  bytes += content.merged + std::string(kMaxMerged - content.merged.size(), '\0');
  bytes += content.about;
  return bytes;
}

Result<void> write_at(const UniqueFd& file, std::string_view bytes, std::size_t at, const std::filesystem::path& path) {
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
Result<void> begin(const UniqueFd& file, const TallyContent& content, const std::filesystem::path& path) {
  int error = 0;
  do {
    error = ::posix_fallocate(file.get(), 0, kTallyFileBytes);
  } while (error == EINTR);
  if (error != 0) return fail_errno("take room for " + name(path), error);
  if (auto written = write_at(file, serialize(content), kCountAt, path); !written) return written;
  return write_at(file, kMagic, 0, path);
}

bool is_plain_name(std::string_view name) { return !name.empty() && name.find('/') == name.npos && name[0] != '.'; }

void remove_merged(const std::filesystem::path& directory, const std::string& merged) {
  if (is_plain_name(merged)) ::unlink((directory / merged).c_str());
}

bool ends_with(std::string_view text, std::string_view suffix) {
  return text.size() >= suffix.size() && text.substr(text.size() - suffix.size()) == suffix;
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
  if (auto made = make_spool_directory(directory); !made) return tl::unexpected<Error>(made.error());
  if (count_tallies(directory) >= kMaxTallies) {
    return fail(Code::kResourceExhausted, name(path) + ": there are " + std::to_string(kMaxTallies) + " already");
  }
  auto opened = open_locked(path, O_RDWR | O_CREAT | O_EXCL, name(path));
  if (!opened) return tl::unexpected<Error>(opened.error());
  TallyContent content{0, {}, std::string(about.substr(0, kMaxTallyAbout))};
  if (auto begun = begin(opened->file, content, path); !begun) {
    ::unlink(path.c_str());
    return tl::unexpected<Error>(begun.error());
  }
  return Tally(std::move(opened->file), path, std::move(content));
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

// What was added to it goes too: its owner may have died before it did that itself.
Result<void> Tally::remove() {
  remove_merged(path_.parent_path(), content_.merged);
  if (::unlink(path_.c_str()) != 0 && errno != ENOENT) return fail_errno("unlink " + name(path_));
  file_.reset();
  return {};
}

Result<void> Tally::add_to_lost(const std::filesystem::path& directory, const std::string& key, std::string_view about,
                                std::uint64_t count, const std::string& own) {
  if (auto made = make_spool_directory(directory); !made) return made;
  std::filesystem::path path;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    const std::string found = entry.path().filename().string();
    if (found.rfind(key + "-", 0) == 0 && ends_with(found, kLostSuffix)) path = entry.path();
  }
  const auto fresh = [&] { return directory / (key + "-" + random_hex(8) + std::string(kLostSuffix)); };
  if (path.empty()) path = fresh();
  auto opened = open_locked(path, O_RDWR | O_CREAT, name(path));
  if (!opened && opened.error().code == Code::kFailedPrecondition) {  // it is being read: the next sum is another
    path = fresh();
    opened = open_locked(path, O_RDWR | O_CREAT, name(path));
  }
  if (!opened) return tl::unexpected<Error>(opened.error());
  TallyContent content{0, {}, std::string(about.substr(0, kMaxTallyAbout))};
  if (opened->size > 0) {
    const auto bytes = read_regular_file(path, kTallyFileBytes);
    if (!bytes) return tl::unexpected<Error>(bytes.error());
    if (auto there = parse_tally(*bytes)) content = std::move(*there);
  }
  remove_merged(directory, content.merged);
  content.count += count;
  content.merged = own.size() < kMaxMerged ? own : std::string();
  if (auto done = begin(opened->file, content, path); !done) {
    if (opened->size == 0) ::unlink(path.c_str());
    return done;
  }
  remove_merged(directory, content.merged);
  return {};
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
       !error && at != std::filesystem::directory_iterator() && count <= kMaxTallies; at.increment(error)) {
    ++count;
  }
  return count;
}

}  // namespace ward
