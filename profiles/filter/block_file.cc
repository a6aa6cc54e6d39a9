// SPDX-License-Identifier: Apache-2.0
#include "profiles/filter/block_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "lib/base/checksum.h"

namespace ward::filter {
namespace {

static_assert(std::endian::native == std::endian::little, "the files are little-endian");

constexpr std::uint64_t kBlockBytes = 4096;

struct Header {
  char magic[kMagicBytes];
  std::uint64_t content_bytes;
  std::uint64_t checksum;  // of all before it, and of the checksums of the blocks
};

std::uint64_t blocks_of(std::uint64_t bytes) { return (bytes + kBlockBytes - 1) / kBlockBytes; }

std::uint64_t checksum_of(const Header& header, const std::string& checksums) {
  std::string covered(reinterpret_cast<const char*>(&header), offsetof(Header, checksum));
  return checksum64(covered + checksums);
}

tl::unexpected<Error> damaged(const std::string& how) {
  return fail(Code::kInvalidArgument, "damaged: " + how);
}

Result<void> read_at(const UniqueFd& fd, char* to, std::uint64_t bytes, std::uint64_t offset) {
  while (bytes > 0) {
    const ssize_t n = ::pread(fd.get(), to, bytes, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("pread");
    if (n == 0) return damaged("the file ends too early");
    to += n;
    bytes -= static_cast<std::uint64_t>(n);
    offset += static_cast<std::uint64_t>(n);
  }
  return {};
}

}  // namespace

std::string seal_blocks(std::string_view magic, std::string_view content) {
  std::string checksums;
  for (std::uint64_t at = 0; at < content.size(); at += kBlockBytes) {
    const std::uint64_t sum = checksum64(content.substr(at, kBlockBytes));
    checksums.append(reinterpret_cast<const char*>(&sum), sizeof sum);
  }
  Header header{};
  magic.copy(header.magic, kMagicBytes);
  header.content_bytes = content.size();
  header.checksum = checksum_of(header, checksums);
  std::string file(reinterpret_cast<const char*>(&header), sizeof header);
  file += checksums;
  file += content;
  return file;
}

Result<BlockFile> BlockFile::open(UniqueFd fd, std::string_view magic, std::size_t max_bytes) {
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return fail_errno("stat");
  if (!S_ISREG(status.st_mode)) return fail(Code::kInvalidArgument, "no regular file");
  const auto file_bytes = static_cast<std::uint64_t>(status.st_size);
  if (file_bytes > max_bytes) {
    return fail(Code::kResourceExhausted, std::to_string(file_bytes) + " bytes are more than the " +
                                              std::to_string(max_bytes) + " that are read");
  }
  Header header{};
  if (file_bytes < sizeof header) return damaged("the file ends too early");
  if (auto read = read_at(fd, reinterpret_cast<char*>(&header), sizeof header, 0); !read) {
    return tl::unexpected<Error>(read.error());
  }
  std::string expected(magic);
  expected.resize(kMagicBytes);
  if (expected != std::string_view(header.magic, kMagicBytes)) {
    return fail(Code::kInvalidArgument, "not a compiled file of this version of Ward (expected '" +
                                            std::string(magic) +
                                            "'): restart wardd and the shim of one version");
  }
  BlockFile out;
  // The sizes are compared before anything is added to them or allocated.
  if (header.content_bytes > file_bytes) return damaged("the file ends too early");
  const std::uint64_t table_bytes = blocks_of(header.content_bytes) * sizeof(std::uint64_t);
  if (sizeof header + table_bytes + header.content_bytes != file_bytes)
    return damaged("the size is not what it says");
  out.checksums_.resize(table_bytes);
  if (auto read = read_at(fd, out.checksums_.data(), table_bytes, sizeof header); !read) {
    return tl::unexpected<Error>(read.error());
  }
  if (checksum_of(header, out.checksums_) != header.checksum)
    return damaged("the checksum does not fit");
  out.fd_ = std::move(fd);
  out.content_at_ = sizeof header + table_bytes;
  out.size_ = header.content_bytes;
  out.content_ = std::make_unique_for_overwrite<char[]>(out.size_);
  out.loaded_.resize(blocks_of(out.size_));
  return out;
}

Result<void> BlockFile::load(std::uint64_t block) {
  const std::uint64_t at = block * kBlockBytes;
  const std::uint64_t bytes = std::min(kBlockBytes, size_ - at);
  if (auto read = read_at(fd_, content_.get() + at, bytes, content_at_ + at); !read) return read;
  std::uint64_t expected = 0;
  std::memcpy(&expected, checksums_.data() + block * sizeof expected, sizeof expected);
  if (checksum64({content_.get() + at, bytes}) != expected)
    return damaged("a checksum does not fit");
  loaded_[block] = true;
  return {};
}

Result<std::string_view> BlockFile::read(std::uint64_t offset, std::uint64_t length) {
  if (offset > size_ || length > size_ - offset) return damaged("it points behind its end");
  if (length == 0) return std::string_view();
  for (std::uint64_t block = offset / kBlockBytes; block <= (offset + length - 1) / kBlockBytes;
       ++block) {
    if (loaded_[block]) continue;
    if (auto there = load(block); !there) return tl::unexpected<Error>(there.error());
  }
  return std::string_view(content_.get() + offset, length);
}

Result<std::uint32_t> BlockFile::read_number(std::uint64_t offset) {
  const auto bytes = read(offset, sizeof(std::uint32_t));
  if (!bytes) return tl::unexpected<Error>(bytes.error());
  std::uint32_t out = 0;
  std::memcpy(&out, bytes->data(), sizeof out);
  return out;
}

}  // namespace ward::filter
