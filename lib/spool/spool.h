// SPDX-License-Identifier: Apache-2.0
// An append-only file of opaque records, for what must not be lost while its reader is away. One
// process owns a file and holds its lock (flock) for as long as it lives; another may take the file
// over when the owner is gone. Nothing is buffered in the process: a record that append() took
// survives the death of the process (not that of the machine). Record: u32 length (little endian),
// 16 hex characters of SHA-256 over length and data, data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"
#include "lib/base/unique_fd.h"

namespace ward {

inline constexpr std::size_t kMaxSpoolRecordBytes = 256U << 10U;
inline constexpr std::uint64_t kMaxSpoolFileBytes = 16U << 20U;

struct SpoolBatch {
  std::vector<std::string> records;
  std::uint64_t next_offset = 0;  // where the following read goes on
  std::uint64_t skipped = 0;  // damaged records passed over; a cut or senseless tail counts as one
  bool at_end = false;
  std::uint64_t sound_end = 0;  // up to here every record's length makes sense
};

class Spool {
 public:
  // Creates file (0600) and directory (0700) where absent; goes on after the last whole record of a
  // file that is there. kFailedPrecondition: another process holds it.
  static Result<Spool> create(const std::filesystem::path& path,
                              std::uint64_t max_bytes = kMaxSpoolFileBytes);
  // An existing file whose owner is gone. kFailedPrecondition: its owner lives; kNotFound: it is
  // gone.
  static Result<Spool> take_over(const std::filesystem::path& path);

  // To look at a file whose owner is gone while another may be taking it over: no append, no
  // remove.
  static Result<Spool> look(const std::filesystem::path& path);

  // kResourceExhausted: the file or the disk is full, or the record too large. Nothing half-written
  // stays behind.
  Result<void> append(std::string_view record);

  [[nodiscard]] bool is_named() const;  // else nobody will find it (locked_file.h)

  // Would a record of that size fit? allow() sets the bound anew: so many bytes from here on.
  [[nodiscard]] bool has_room_for(std::size_t record_bytes) const;
  void allow(std::uint64_t more_bytes);

  // From `offset` (0, or a next_offset) on; damaged records are skipped and counted, never
  // returned. At least one record where there is one, then as many as fit.
  Result<SpoolBatch> read(std::uint64_t offset, std::size_t max_records,
                          std::size_t max_bytes) const;

  static std::uint64_t bytes_for(std::size_t record_bytes);  // that it takes in a file

  // Removes the file, whose records have all been delivered, and gives the lock up.
  Result<void> remove();

  [[nodiscard]] std::uint64_t size_bytes() const { return size_; }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  Spool(UniqueFd file, std::filesystem::path path, std::uint64_t size, std::uint64_t max_bytes);

  UniqueFd file_;
  std::filesystem::path path_;
  std::uint64_t size_ = 0;
  std::uint64_t max_bytes_ = kMaxSpoolFileBytes;
};

}  // namespace ward
