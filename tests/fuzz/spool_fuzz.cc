// SPDX-License-Identifier: Apache-2.0
// A spool file of any content: whatever is in it, reading ends, returns only records whose checksum
// is right, and an owner that goes on behind it loses none of those. The same bytes as a tally: an
// answer, in bounds.
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "lib/spool/spool.h"
#include "lib/spool/tally.h"

namespace {

std::vector<std::string> read_all(const ward::Spool& spool) {
  std::vector<std::string> records;
  for (std::uint64_t offset = 0;;) {
    const auto batch = spool.read(offset, 2, 64);
    if (!batch || (!batch->at_end && batch->next_offset <= offset)) std::abort();
    records.insert(records.end(), batch->records.begin(), batch->records.end());
    offset = batch->next_offset;
    if (batch->at_end) return records;
  }
}

// In memory where there is such a file system: the speed of the disk is not what is looked for.
struct Scratch {
  Scratch() { std::filesystem::create_directories(directory); }
  ~Scratch() { std::filesystem::remove_all(directory); }
  std::filesystem::path directory =
      std::filesystem::path(std::filesystem::exists("/dev/shm") ? "/dev/shm" : "/tmp") /
      ("ward-fuzz-spool-" + std::to_string(::getpid()));
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // The first byte chooses: the bytes as they are, or three records with the bytes poured over them
  // at some offset.
  static const Scratch scratch;
  const std::filesystem::path path = scratch.directory / "f.spool";
  std::filesystem::remove(path);
  std::size_t at = 0;
  if (size > 0 && data[0] != 0) {
    auto made = ward::Spool::create(path);
    if (!made) std::abort();
    for (const char* record : {"one", "two", "three"}) {
      if (!made->append(record)) std::abort();
    }
    at = data[0];
  }
  {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out | std::ios::app);
    if (size > 0 && data[0] == 0)
      file.write(reinterpret_cast<const char*>(data) + 1, static_cast<std::streamsize>(size - 1));
  }
  if (at > 0) {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(at % 72));
    file.write(reinterpret_cast<const char*>(data) + 1, static_cast<std::streamsize>(size - 1));
  }
  std::vector<std::string> before;
  {
    const auto taken = ward::Spool::take_over(path);
    if (!taken) std::abort();
    before = read_all(*taken);
  }
  auto owned = ward::Spool::create(path);
  if (!owned || !owned->append("last")) std::abort();
  before.emplace_back("last");
  if (read_all(*owned) != before) std::abort();
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  for (const std::string& tally : {bytes, "wardtal1" + bytes}) {
    const auto content = ward::parse_tally(tally);
    if (content && content->merged.size() + content->about.size() > tally.size()) std::abort();
  }
  return 0;
}
