// SPDX-License-Identifier: Apache-2.0
#include "lib/spool/spool.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "lib/base/digest.h"

namespace ward {
namespace {

constexpr std::size_t kLengthBytes = 4;
constexpr std::size_t kChecksumBytes = 16;
constexpr std::size_t kHeaderBytes = kLengthBytes + kChecksumBytes;
constexpr int kMaxOpenAttempts = 8;

std::string length_of(std::string_view record) {
  std::string bytes;
  for (unsigned shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<char>(record.size() >> shift));
  return bytes;
}

// Over the length too, so that a record cannot be read as a shorter or longer one.
std::string checksum_of(std::string_view length, std::string_view data) {
  std::string both(length);
  both.append(data);
  return sha256_hex(both).substr(0, kChecksumBytes);
}

// As many bytes as are there, at most `size`.
Result<std::string> read_at(int fd, std::uint64_t offset, std::size_t size) {
  std::string bytes(size, '\0');
  std::size_t have = 0;
  while (have < size) {
    const ssize_t got = ::pread(fd, bytes.data() + have, size - have, static_cast<off_t>(offset + have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read of a spool file");
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  bytes.resize(have);
  return bytes;
}

struct Opened {
  UniqueFd file;
  std::uint64_t size = 0;
};

// Open and locked, and still what the path names: whoever took a file over removes it while holding its lock.
Result<Opened> open_locked(const std::filesystem::path& path, int flags) {
  const std::string what = "spool '" + path.string() + "'";
  for (int attempt = 0; attempt < kMaxOpenAttempts; ++attempt) {
    UniqueFd file(::open(path.c_str(), flags | O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
    if (!file) return fail_errno("open " + what);
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) return fail(Code::kFailedPrecondition, what + " is held by a living process");
      return fail_errno("lock " + what);
    }
    struct stat mine {};
    struct stat named {};
    if (::fstat(file.get(), &mine) != 0) return fail_errno("stat " + what);
    if (!S_ISREG(mine.st_mode)) return fail(Code::kInvalidArgument, what + " is not a regular file");
    if (::stat(path.c_str(), &named) == 0 && named.st_ino == mine.st_ino && named.st_dev == mine.st_dev) {
      return Opened{std::move(file), static_cast<std::uint64_t>(mine.st_size)};
    }
  }
  return fail(Code::kAborted, what + " is removed as fast as it is made");
}

}  // namespace

Spool::Spool(UniqueFd file, std::filesystem::path path, std::uint64_t size, std::uint64_t max_bytes)
    : file_(std::move(file)), path_(std::move(path)), size_(size), max_bytes_(max_bytes) {}

Result<Spool> Spool::create(const std::filesystem::path& path, std::uint64_t max_bytes) {
  const std::filesystem::path directory = path.parent_path();
  std::error_code ignored;  // what cannot be made shows below
  std::filesystem::create_directories(directory.parent_path(), ignored);
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno("mkdir '" + directory.string() + "'");
  auto opened = open_locked(path, O_CREAT);
  if (!opened) return tl::unexpected<Error>(opened.error());
  Spool spool(std::move(opened->file), path, opened->size, max_bytes);
  std::uint64_t offset = 0;
  while (offset < spool.size_) {
    // A torn record at the end would hide what is appended behind it.
    const auto batch = spool.read(offset, 1, 0);
    if (!batch) return tl::unexpected<Error>(batch.error());
    offset = batch->next_offset;
    if (batch->at_end) spool.size_ = offset = batch->sound_end;
  }
  return spool;
}

Result<Spool> Spool::take_over(const std::filesystem::path& path) {
  auto opened = open_locked(path, 0);
  if (!opened) return tl::unexpected<Error>(opened.error());
  return Spool(std::move(opened->file), path, opened->size, kMaxSpoolFileBytes);
}

Result<void> Spool::append(std::string_view record) {
  if (record.empty() || record.size() > kMaxSpoolRecordBytes) {
    return fail(Code::kResourceExhausted, "a spooled record may have 1 to " + std::to_string(kMaxSpoolRecordBytes) +
                                              " bytes, this one has " + std::to_string(record.size()));
  }
  if (size_ + kHeaderBytes + record.size() > max_bytes_) {
    return fail(Code::kResourceExhausted, "spool '" + path_.string() + "' is full");
  }
  std::string bytes = length_of(record);
  bytes += checksum_of(bytes, record);
  bytes.append(record);
  std::size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t size =
        ::pwrite(file_.get(), bytes.data() + written, bytes.size() - written, static_cast<off_t>(size_ + written));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) {
      const int error = errno;
      // Failing that, the next append overwrites the torn record: size_ has not moved.
      if (::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0) return fail_errno("cut spool back", errno);
      return fail_errno("write of spool '" + path_.string() + "'", error);
    }
    written += static_cast<std::size_t>(size);
  }
  size_ += bytes.size();
  return {};
}

Result<SpoolBatch> Spool::read(std::uint64_t offset, std::size_t max_records, std::size_t max_bytes) const {
  SpoolBatch batch;
  batch.next_offset = offset;
  std::size_t bytes = 0;
  while (batch.next_offset < size_) {
    const auto header = read_at(file_.get(), batch.next_offset, kHeaderBytes);
    if (!header) return tl::unexpected<Error>(header.error());
    std::size_t length = 0;
    for (std::size_t i = 0; i < std::min(kLengthBytes, header->size()); ++i) {
      length |= static_cast<std::size_t>(static_cast<unsigned char>((*header)[i])) << (8 * i);
    }
    const std::uint64_t left = size_ - batch.next_offset;
    if (header->size() < kHeaderBytes || length == 0 || length > kMaxSpoolRecordBytes || kHeaderBytes + length > left) {
      ++batch.skipped;  // where the next record begins cannot be known
      batch.sound_end = batch.next_offset;
      batch.next_offset = size_;
      batch.at_end = true;
      return batch;
    }
    if (!batch.records.empty() && (batch.records.size() >= max_records || bytes + length > max_bytes)) return batch;
    auto data = read_at(file_.get(), batch.next_offset + kHeaderBytes, length);
    if (!data) return tl::unexpected<Error>(data.error());
    batch.next_offset += kHeaderBytes + length;
    if (checksum_of(header->substr(0, kLengthBytes), *data) != header->substr(kLengthBytes)) {
      ++batch.skipped;
      continue;
    }
    bytes += length;
    batch.records.push_back(std::move(*data));
  }
  batch.sound_end = batch.next_offset;
  batch.at_end = true;
  return batch;
}

Result<void> Spool::remove() {
  if (::unlink(path_.c_str()) != 0 && errno != ENOENT) return fail_errno("unlink '" + path_.string() + "'");
  file_.reset();
  size_ = 0;
  return {};
}

}  // namespace ward
