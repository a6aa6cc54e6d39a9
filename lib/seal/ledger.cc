// SPDX-License-Identifier: Apache-2.0
#include "lib/seal/ledger.h"

#include <fcntl.h>
#include <sodium/utils.h>
#include <unistd.h>

#include <array>

#include "lib/base/digest.h"
#include "lib/base/file.h"
#include "lib/base/write_all.h"
#include "lib/json/json.h"

namespace ward {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMaxLedgerBytes = 32U << 20U;
constexpr std::size_t kMaxProblems = 32;

std::string unhex(const std::string& text) {
  std::string bytes(text.size() / 2, '\0');
  std::size_t length = 0;
  if (sodium_hex2bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), text.data(),
                     text.size(), nullptr, &length, nullptr) != 0)
    return {};
  bytes.resize(length);
  return bytes;
}

Json to_json(const LedgerEntry& entry) {
  return {{"number", entry.number},
          {"what", entry.what == LedgerEntry::What::kSealed ? "sealed" : "removed"},
          {"directory", entry.directory},
          {"manifest_sha256", entry.manifest_sha256},
          {"why", entry.why},
          {"wall_ns", entry.wall_ns},
          {"before", entry.before}};
}

std::string text_of(const Json& json) {
  return json.dump(-1, ' ', true, Json::error_handler_t::replace);
}

// A line of the file: the entry and its signature.
Result<std::pair<LedgerEntry, std::string>> parse_line(std::string_view line) {
  try {
    const Json json = Json::parse(line);
    LedgerEntry entry;
    entry.number = json.at("number").get<std::uint64_t>();
    const auto what = json.at("what").get<std::string>();
    if (what != "sealed" && what != "removed") return fail(Code::kInvalidArgument, "what is it?");
    entry.what = what == "sealed" ? LedgerEntry::What::kSealed : LedgerEntry::What::kRemoved;
    entry.directory = json.at("directory").get<std::string>();
    entry.manifest_sha256 = json.at("manifest_sha256").get<std::string>();
    entry.why = json.at("why").get<std::string>();
    entry.wall_ns = json.at("wall_ns").get<std::int64_t>();
    entry.before = json.at("before").get<std::string>();
    return std::pair(std::move(entry), unhex(json.at("signature").get<std::string>()));
  } catch (const Json::exception& error) {
    return fail(Code::kInvalidArgument, error.what());
  }
}

std::string signed_line(const LedgerEntry& entry, const SigningKey& key) {
  Json json = to_json(entry);
  json["signature"] = hex(key.sign(text_of(json)));
  return text_of(json);
}

}  // namespace

std::string to_line(const LedgerEntry& entry) { return text_of(to_json(entry)); }

LedgerReading read_ledger_text(std::string_view text, const PublicKey& key) {
  LedgerReading reading;
  const auto problem = [&reading](const std::string& what) {
    if (reading.problems.size() < kMaxProblems) reading.problems.push_back(what);
  };
  std::size_t at = 0;
  std::size_t count = 0;
  for (std::size_t end = text.find('\n'); end != std::string_view::npos;
       at = end + 1, end = text.find('\n', at)) {
    const std::string_view line = text.substr(at, end - at);
    ++count;
    reading.whole_bytes = end + 1;
    auto parsed = parse_line(line);
    const bool first = reading.last_line_sha256.empty();
    const std::string before = std::exchange(reading.last_line_sha256, sha256_hex(line));
    if (!parsed) {
      problem("line " + std::to_string(count) + " is no entry");
      continue;
    }
    const LedgerEntry& entry = parsed->first;
    const std::string name = "entry " + std::to_string(entry.number);
    if (!key.verifies(to_line(entry), parsed->second))
      problem(name + ": the signature is not this key's");
    // The first line may follow one that was dropped for its age.
    if (!first && entry.before != before) problem(name + ": it does not follow the line before it");
    if (!reading.entries.empty() && entry.number != reading.entries.back().number + 1)
      problem(name + ": it follows entry " + std::to_string(reading.entries.back().number));
    reading.entries.push_back(std::move(parsed->first));
  }
  return reading;
}

Result<LedgerReading> read_ledger(const std::filesystem::path& file, const PublicKey& key) {
  const auto text = read_regular_file(file, kMaxLedgerBytes);
  if (!text) return tl::unexpected<Error>(text.error());
  return read_ledger_text(*text, key);
}

Result<Ledger> Ledger::open(std::filesystem::path file, const SigningKey& key) {
  Ledger ledger;
  ledger.file_ = std::move(file);
  ledger.fd_.reset(::open(ledger.file_.c_str(),
                          O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600));
  if (!ledger.fd_) return fail_errno("open '" + ledger.file_.string() + "'");
  auto reading = read_ledger(ledger.file_, key.public_key());
  if (!reading) return tl::unexpected<Error>(reading.error());
  if (::ftruncate(ledger.fd_.get(), static_cast<off_t>(reading->whole_bytes)) != 0)
    return fail_errno("truncate '" + ledger.file_.string() + "'");
  ledger.last_line_sha256_ = reading->last_line_sha256;
  ledger.problems_ = std::move(reading->problems);
  for (const LedgerEntry& entry : reading->entries) ledger.note(entry);
  return ledger;
}

void Ledger::note(const LedgerEntry& entry) {
  next_number_ = entry.number + 1;
  ++lines_;
  if (entry.what == LedgerEntry::What::kRemoved) {
    sealed_.erase(entry.directory);
    return;
  }
  sealed_[entry.directory] = entry.manifest_sha256;
  last_manifest_ = entry.manifest_sha256;
}

Result<void> Ledger::append(LedgerEntry entry, const SigningKey& key) {
  entry.number = next_number_;
  entry.before = last_line_sha256_;
  const std::string line = signed_line(entry, key);
  const off_t end = ::lseek(fd_.get(), 0, SEEK_END);
  auto written = write_all(fd_.get(), line + "\n", "the ledger");
  if (written && ::fdatasync(fd_.get()) != 0) written = fail_errno("sync the ledger");
  if (!written) {
    (void)!::ftruncate(fd_.get(), end);  // half a line would be a problem for ever
    return written;
  }
  last_line_sha256_ = sha256_hex(line);
  note(entry);
  return lines_ > kMaxEntries ? shorten() : Result<void>();
}

Result<void> Ledger::shorten() {
  const auto text = read_regular_file(file_, kMaxLedgerBytes);
  if (!text) return tl::unexpected<Error>(text.error());
  std::size_t at = 0;
  for (std::size_t dropped = 0; dropped < lines_ / 2 && at != std::string::npos; ++dropped)
    at = text->find('\n', at) + 1;
  if (auto written = write_file_atomically(file_, text->substr(at)); !written) return written;
  fd_.reset(::open(file_.c_str(), O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd_) return fail_errno("open '" + file_.string() + "'");
  lines_ -= lines_ / 2;
  return {};
}

}  // namespace ward
