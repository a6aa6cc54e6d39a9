// SPDX-License-Identifier: Apache-2.0
// Directories that are sealed, touched, and verified: every touch is named.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "lib/base/digest.h"
#include "lib/base/file.h"
#include "lib/base/unique_fd.h"
#include "lib/seal/ledger.h"
#include "lib/seal/manifest.h"
#include "lib/seal/signing_key.h"
#include "lib/seal/verify.h"

namespace ward {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Seal : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(root_); }
  void TearDown() override { fs::remove_all(root_); }

  [[nodiscard]] fs::path made(const std::string& name) const {
    fs::create_directory(root_ / name);
    std::ofstream(root_ / name / "a.json") << "{}";
    std::ofstream(root_ / name / "b.txt") << "lines\n";
    return root_ / name;
  }
  // As wardd does it.
  void seal(const std::string& name) {
    const UniqueFd directory(::open(made(name).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    Manifest manifest;
    manifest.directory = name;
    manifest.number = ledger_.next_number();
    manifest.previous = ledger_.last_manifest();
    const auto digest = seal_directory(directory.get(), manifest, key_);
    ASSERT_TRUE(digest) << digest.error().message;
    LedgerEntry entry;
    entry.directory = name;
    entry.manifest_sha256 = *digest;
    ASSERT_TRUE(ledger_.append(entry, key_));
  }
  void note_removed(const std::string& name) {
    LedgerEntry entry;
    entry.what = LedgerEntry::What::kRemoved;
    entry.directory = name;
    entry.why = "older than evidence.maxAge";
    ASSERT_TRUE(ledger_.append(entry, key_));
    fs::remove_all(root_ / name);
  }
  std::vector<std::string> findings(const std::string& name) {
    const auto verified = verify_directory(root_ / name, key_.public_key());
    EXPECT_TRUE(verified) << verified.error().message;
    std::vector<std::string> out;
    if (verified) {
      for (const auto& finding : verified->findings)
        out.push_back(finding.part + " " + finding.what);
    }
    return out;
  }
  std::vector<std::string> chain(const std::vector<std::string>& names) {
    std::vector<Verified> all;
    for (const auto& name : names)
      all.push_back(verify_directory(root_ / name, key_.public_key()).value());
    const auto reading = read_ledger(root_ / "ledger", key_.public_key());
    std::vector<std::string> out;
    for (const auto& finding : verify_chain(reading.value(), all))
      out.push_back(finding.directory + " " + finding.what);
    return out;
  }

  fs::path root_ = fs::temp_directory_path() / ("ward-seal-" + random_hex(4));
  bool made_ = fs::create_directories(root_);
  SigningKey key_ = SigningKey::open_or_make(root_ / "keys", "evidence").value();
  Ledger ledger_ = Ledger::open(root_ / "ledger", key_).value();
};

TEST_F(Seal, WhatIsUntouchedIsAsItWas) {
  seal("one");
  EXPECT_THAT(findings("one"), IsEmpty());
  EXPECT_THAT(chain({"one"}), IsEmpty());
}

TEST_F(Seal, EveryTouchIsNamedPartByPart) {
  seal("one");
  std::ofstream(root_ / "one/a.json") << "{\"forged\": true}";
  fs::remove(root_ / "one/b.txt");
  std::ofstream(root_ / "one/c.txt") << "planted";
  EXPECT_THAT(findings("one"), ElementsAre("a.json changed", "b.txt missing", "c.txt added"));
}

TEST_F(Seal, ALinkOrAFifoInThePlaceOfAFileIsAChange) {
  seal("one");
  const std::string same = read_file(root_ / "one/a.json").value();
  std::ofstream(root_ / "elsewhere") << same;
  fs::remove(root_ / "one/a.json");
  fs::create_symlink(root_ / "elsewhere", root_ / "one/a.json");
  fs::remove(root_ / "one/b.txt");
  ASSERT_EQ(::mkfifo((root_ / "one/b.txt").c_str(), 0600), 0);
  EXPECT_THAT(findings("one"), ElementsAre("a.json changed", "b.txt changed"));
}

TEST_F(Seal, AManifestThatIsWrittenAnewDoesNotVerify) {
  seal("one");
  std::ofstream(root_ / "one/a.json") << "{\"forged\": true}";
  const UniqueFd directory(::open((root_ / "one").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const auto other = SigningKey::open_or_make(root_ / "other", "evidence").value();
  Manifest manifest;
  manifest.directory = "one";
  ASSERT_TRUE(seal_directory(directory.get(), manifest, other));
  ASSERT_EQ(findings("one").size(), 1U);
  EXPECT_THAT(findings("one").front(), HasSubstr("another key"));
  EXPECT_THAT(chain({"one"}), ElementsAre("one not the one that the ledger names"));
}

TEST_F(Seal, WhatRetentionRemovedIsToldFromWhatVanished) {
  seal("one");
  seal("two");
  seal("three");
  note_removed("one");
  fs::remove_all(root_ / "two");
  EXPECT_THAT(chain({"three"}), ElementsAre("two vanished: nothing says that it was removed"));
}

TEST_F(Seal, AManifestThatIsTakenAwayIsMissed) {
  seal("one");
  fs::remove(root_ / "one/manifest.json");
  EXPECT_THAT(findings("one"), ElementsAre("manifest.json missing"));
  fs::remove(root_ / "one/manifest.sig");
  EXPECT_THAT(chain({"one"}), ElementsAre("one missing, and the ledger names it"));
}

TEST_F(Seal, ALineOfTheLedgerThatIsChangedOrTakenOutIsAProblem) {
  for (const char* name : {"one", "two", "three"}) seal(name);
  const std::string text = read_file(root_ / "ledger").value();
  const std::size_t second = text.find('\n') + 1;
  const std::size_t third = text.find('\n', second) + 1;
  const auto problems = [&](const std::string& forged) {
    return read_ledger_text(forged, key_.public_key()).problems;
  };
  EXPECT_THAT(problems(text), IsEmpty());
  EXPECT_THAT(problems(text.substr(0, second) + text.substr(third)).size(), 2U);
  std::string changed = text;
  changed.replace(changed.find("two"), 3, "owt");
  EXPECT_THAT(problems(changed).front(), HasSubstr("entry 2: the signature"));
  EXPECT_THAT(problems("{}\n" + text).front(), HasSubstr("line 1 is no entry"));
}

TEST_F(Seal, ALedgerGoesOnWhereItWasAndDropsALineThatWasCutShort) {
  seal("one");
  std::ofstream(root_ / "ledger", std::ios::app) << "{\"number\": 2, \"wh";
  ledger_ = Ledger::open(root_ / "ledger", key_).value();
  EXPECT_EQ(ledger_.next_number(), 2U);
  seal("two");
  EXPECT_THAT(chain({"one", "two"}), IsEmpty());
}

TEST_F(Seal, TheKeyIsPrivateStaysAndIsNeverReplaced) {
  struct stat status {};
  ASSERT_EQ(::stat((root_ / "keys/evidence.key").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  const auto again = SigningKey::open_or_make(root_ / "keys", "evidence");
  ASSERT_TRUE(again);
  EXPECT_EQ(again->public_key().id(), key_.public_key().id());
  EXPECT_EQ(PublicKey::read(root_ / "keys/evidence.pub").value().id(), key_.public_key().id());
  std::ofstream(root_ / "keys/evidence.key") << "no key";
  EXPECT_FALSE(SigningKey::open_or_make(root_ / "keys", "evidence"));
  EXPECT_EQ(read_file(root_ / "keys/evidence.key").value(), "no key");
}

TEST_F(Seal, ManifestsOfStrangersAreRefusedAndNotTrusted) {
  for (const char* text : {"", "[]", "{\"format\": 2}", "{\"format\": 1, \"parts\": 7}", "\xff"})
    EXPECT_FALSE(parse_manifest(text)) << text;
  EXPECT_FALSE(PublicKey::parse("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"));
}

TEST_F(Seal, ADirectoryKeepsTheTimeOfItsLastChange) {
  const fs::path one = made("one");
  const auto long_ago = fs::file_time_type::clock::now() - std::chrono::hours(100);
  fs::last_write_time(one, long_ago);
  const UniqueFd directory(::open(one.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  ASSERT_TRUE(seal_directory(directory.get(), {}, key_));
  EXPECT_EQ(fs::last_write_time(one), long_ago);
}

}  // namespace
}  // namespace ward
