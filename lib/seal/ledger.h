// SPDX-License-Identifier: Apache-2.0
// What was sealed and what was removed, in order: one line of JSON each, with the SHA-256 of the
// line before and a signature. So a directory that retention removed is told from one that
// vanished. One process writes; anybody may read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"
#include "lib/base/unique_fd.h"
#include "lib/seal/signing_key.h"

namespace ward {

struct LedgerEntry {
  enum class What { kSealed, kRemoved };
  std::uint64_t number = 0;
  What what = What::kSealed;
  std::string directory;
  std::string manifest_sha256;  // empty: it was removed before it was sealed
  std::string why;              // of a removal
  std::int64_t wall_ns = 0;
  std::string before;  // SHA-256 of the line before; empty: the first one
};

// The bytes that are signed, without a newline.
std::string to_line(const LedgerEntry& entry);

struct LedgerReading {
  std::vector<LedgerEntry> entries;
  std::vector<std::string> problems;  // "entry 7: the signature is not this key's"
  std::string last_line_sha256;
  std::size_t whole_bytes = 0;  // up to the last complete line
};
// Lines that are no entries are problems, and the reading goes on behind them.
LedgerReading read_ledger_text(std::string_view text, const PublicKey& key);
Result<LedgerReading> read_ledger(const std::filesystem::path& file, const PublicKey& key);

class Ledger {
 public:
  static constexpr std::size_t kMaxEntries = 20'000;  // then the older half goes

  // A last line that was cut short (a crash) is dropped.
  static Result<Ledger> open(std::filesystem::path file, const SigningKey& key);
  // `number` and `before` are the ledger's to set. On disk when this returns.
  Result<void> append(LedgerEntry entry, const SigningKey& key);
  [[nodiscard]] std::uint64_t next_number() const { return next_number_; }
  [[nodiscard]] const std::string& last_manifest() const { return last_manifest_; }
  // By directory: the manifest it was sealed with last.
  [[nodiscard]] const std::map<std::string, std::string>& sealed() const { return sealed_; }
  [[nodiscard]] const std::vector<std::string>& problems() const { return problems_; }

 private:
  void note(const LedgerEntry& entry);
  Result<void> shorten();

  std::filesystem::path file_;
  UniqueFd fd_;
  std::uint64_t next_number_ = 1;
  std::size_t lines_ = 0;
  std::string last_line_sha256_;
  std::string last_manifest_;
  std::map<std::string, std::string> sealed_;
  std::vector<std::string> problems_;
};

}  // namespace ward
