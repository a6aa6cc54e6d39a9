// SPDX-License-Identifier: Apache-2.0
#include "lib/spool/spool.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "lib/base/digest.h"
#include "lib/spool/locked_file.h"

namespace ward {
namespace {

constexpr std::size_t kLengthBytes = 4;
constexpr std::size_t kChecksumBytes = 16;
constexpr std::size_t kHeaderBytes = kLengthBytes + kChecksumBytes;

std::string name(const std::filesystem::path& path) { return "spool '" + path.string() + "'"; }

std::string length_of(std::string_view record) {
  std::string bytes;
  for (unsigned shift = 0; shift < 32; shift += 8)
    bytes.push_back(static_cast<char>(record.size() >> shift));
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
    const ssize_t got =
        ::pread(fd, bytes.data() + have, size - have, static_cast<off_t>(offset + have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read of a spool file");
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  bytes.resize(have);
  return bytes;
}

}  // namespace

Spool::Spool(UniqueFd file, std::filesystem::path path, std::uint64_t size, std::uint64_t max_bytes)
    : file_(std::move(file)), path_(std::move(path)), size_(size), max_bytes_(max_bytes) {}

Result<Spool> Spool::create(const std::filesystem::path& path, std::uint64_t max_bytes) {
  if (auto made = make_spool_directory(path.parent_path()); !made)
    return tl::unexpected<Error>(made.error());
  auto opened = open_locked(path, O_RDWR | O_CREAT, name(path));
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
  auto opened = open_locked(path, O_RDONLY, name(path));
  if (!opened) return tl::unexpected<Error>(opened.error());
  return Spool(std::move(opened->file), path, opened->size, kMaxSpoolFileBytes);
}

Result<Spool> Spool::look(const std::filesystem::path& path) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file) return fail_errno("open " + name(path));
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return fail_errno("stat " + name(path));
  if (!S_ISREG(status.st_mode))
    return fail(Code::kInvalidArgument, name(path) + " is not a regular file");
  return Spool(std::move(file), path, static_cast<std::uint64_t>(status.st_size),
               kMaxSpoolFileBytes);
}

bool Spool::is_named() const { return ward::is_named(file_, path_); }

std::uint64_t Spool::bytes_for(std::size_t record_bytes) { return kHeaderBytes + record_bytes; }

bool Spool::has_room_for(std::size_t record_bytes) const {
  return size_ + kHeaderBytes + record_bytes <= max_bytes_;
}

void Spool::allow(std::uint64_t more_bytes) {
  max_bytes_ = std::min(kMaxSpoolFileBytes, size_ + more_bytes);
}

Result<void> Spool::append(std::string_view record) {
  if (record.empty() || record.size() > kMaxSpoolRecordBytes) {
    return fail(Code::kResourceExhausted,
                "a spooled record may have 1 to " + std::to_string(kMaxSpoolRecordBytes) +
                    " bytes, this one has " + std::to_string(record.size()));
  }
  if (!has_room_for(record.size())) {
    return fail(Code::kResourceExhausted, "spool '" + path_.string() + "' is full");
  }
  std::string bytes = length_of(record);
  bytes += checksum_of(bytes, record);
  bytes.append(record);
  std::size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t size = ::pwrite(file_.get(), bytes.data() + written, bytes.size() - written,
                                  static_cast<off_t>(size_ + written));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) {
      const int error = errno;
      // Failing that, the next append overwrites the torn record: size_ has not moved.
      if (::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0)
        return fail_errno("cut spool back", errno);
      return fail_errno("write of spool '" + path_.string() + "'", error);
    }
    written += static_cast<std::size_t>(size);
  }
  size_ += bytes.size();
  return {};
}

Result<SpoolBatch> Spool::read(std::uint64_t offset, std::size_t max_records,
                               std::size_t max_bytes) const {
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
    if (header->size() < kHeaderBytes || length == 0 || length > kMaxSpoolRecordBytes ||
        kHeaderBytes + length > left) {
      ++batch.skipped;  // where the next record begins cannot be known
      batch.sound_end = batch.next_offset;
      batch.next_offset = size_;
      batch.at_end = true;
      return batch;
    }
    if (!batch.records.empty() &&
        (batch.records.size() >= max_records || bytes + length > max_bytes))
      return batch;
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
  if (::unlink(path_.c_str()) != 0 && errno != ENOENT)
    return fail_errno("unlink '" + path_.string() + "'");
  file_.reset();
  size_ = 0;
  return {};
}

}  // namespace ward
