// SPDX-License-Identifier: Apache-2.0
#include "enforcer/evidence/sealing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "lib/base/clock.h"
#include "lib/seal/verify.h"
#include "tests/unit/enforcer/scratch_directory.h"

namespace ward::enforcer {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Sealing : public testing::Test {
 protected:
  void SetUp() override { fs::create_directory(places_.directories()); }

  EvidenceBundle add(const std::string& name, std::int64_t taken_wall_ns) const {
    fs::create_directory(places_.directories() / name);
    std::ofstream(places_.directories() / name / "evidence.json") << "{}";
    std::ofstream(places_.directories() / name / "SHA256SUMS") << "x";
    return {name, "", taken_wall_ns, 0};
  }
  [[nodiscard]] PublicKey key() const { return PublicKey::read(places_.public_key()).value(); }
  [[nodiscard]] std::vector<std::string> order() const {
    const auto ledger = read_ledger(places_.ledger(), key());
    std::vector<std::string> names;
    for (const auto& entry : ledger.value().entries)
      names.push_back((entry.what == LedgerEntry::What::kRemoved ? "-" : "") + entry.directory);
    return names;
  }
  [[nodiscard]] std::vector<Finding> findings() const {
    std::vector<Verified> all;
    for (const auto& entry : fs::directory_iterator(places_.directories()))
      all.push_back(verify_directory(entry.path(), key()).value());
    auto out = verify_chain(read_ledger(places_.ledger(), key()).value(), all);
    for (const auto& one : all) out.insert(out.end(), one.findings.begin(), one.findings.end());
    return out;
  }

  test::ScratchDirectory scratch_;
  SealedPlaces places_{scratch_.path()};
  EvidenceSealing sealing_{scratch_.path()};
};

TEST_F(Sealing, BundlesAreSealedInTheOrderOfTheirCompletionAndOnce) {
  const auto second = add("a", 2);
  const auto first = add("b", 1);
  sealing_.seal({second, first}, wall_ns());
  EXPECT_THAT(order(), ElementsAre("b", "a"));
  sealing_.seal({second, first, add("c", 0)}, wall_ns());
  EXPECT_THAT(order(), ElementsAre("b", "a", "c"));
  EXPECT_THAT(findings(), IsEmpty());
  EXPECT_THAT(sealing_.problems(), IsEmpty());
}

TEST_F(Sealing, AnotherLifeOfWarddGoesOn) {
  sealing_.seal({add("a", 1)}, wall_ns());
  EvidenceSealing next(scratch_.path());
  next.seal({{"a", "", 1, 0}, add("b", 2)}, wall_ns());
  EXPECT_THAT(order(), ElementsAre("a", "b"));
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(Sealing, ARemovalIsNotedAndIsNoFinding) {
  sealing_.seal({add("a", 1), add("b", 2)}, wall_ns());
  sealing_.note_removal({{"a", "", 1, 0}, Why::kAge}, wall_ns());
  fs::remove_all(places_.directories() / "a");
  EXPECT_THAT(order(), ElementsAre("a", "b", "-a"));
  EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(Sealing, WhoTakesTheLedgerAwayDoesNotGetForgedBundlesSealedAnew) {
  sealing_.seal({add("a", 1)}, wall_ns());
  std::ofstream(places_.directories() / "a/evidence.json") << "{\"forged\": true}";
  fs::remove(places_.ledger());
  EvidenceSealing next(scratch_.path());
  next.seal({{"a", "", 1, 0}}, wall_ns());
  EXPECT_THAT(order(), IsEmpty());
  ASSERT_EQ(next.problems().size(), 1U);
  EXPECT_THAT(next.problems().front(), HasSubstr("has a manifest that the ledger does not know"));
}

TEST_F(Sealing, WhereWarddEndedBeforeTheLedgersLineItIsWrittenNow) {
  sealing_.seal({add("a", 1)}, wall_ns());
  fs::copy_file(places_.ledger(), scratch_.path() / "before");
  sealing_.seal({add("b", 2)}, wall_ns());
  fs::rename(scratch_.path() / "before", places_.ledger());
  EvidenceSealing next(scratch_.path());
  next.seal({{"a", "", 1, 0}, {"b", "", 2, 0}}, wall_ns());
  EXPECT_THAT(order(), ElementsAre("a", "b"));
  EXPECT_THAT(findings(), IsEmpty());
}

// Also where a bundle of before became complete meanwhile.
TEST_F(Sealing, WhatHasANumberAlreadyComesBeforeWhatIsOlder) {
  sealing_.seal({add("a", 2)}, wall_ns());
  fs::copy_file(places_.ledger(), scratch_.path() / "before");
  sealing_.seal({add("b", 3)}, wall_ns());
  fs::rename(scratch_.path() / "before", places_.ledger());
  EvidenceSealing next(scratch_.path());
  next.seal({{"a", "", 2, 0}, {"b", "", 3, 0}, add("c", 1)}, wall_ns());
  EXPECT_THAT(order(), ElementsAre("a", "b", "c"));
  EXPECT_THAT(findings(), IsEmpty());
  EXPECT_THAT(next.problems(), IsEmpty());
}

TEST_F(Sealing, OnePassReadsABoundedNumberOfBytes) {
  const std::uint64_t half = EvidenceSealing::kMaxBytesOfOnePass / 2;
  std::vector<EvidenceBundle> bundles{add("large", 1), add("b", 2), add("c", 3)};
  bundles[0].bytes = 4 * half;
  bundles[1].bytes = half + 1;
  bundles[2].bytes = half;
  sealing_.seal(bundles, wall_ns());
  EXPECT_THAT(order(), ElementsAre("large")) << "one always goes, however large";
  sealing_.seal(bundles, wall_ns());
  EXPECT_THAT(order(), ElementsAre("large", "b"));
  sealing_.seal(bundles, wall_ns());
  EXPECT_THAT(order(), ElementsAre("large", "b", "c"));
}

TEST_F(Sealing, AKeyThatIsNoneStaysAndIsToldAndNothingIsSealed) {
  fs::create_directory(places_.keys());
  std::ofstream(places_.keys() / "evidence.key") << "mine\n";
  sealing_.seal({add("a", 1)}, wall_ns());
  ASSERT_EQ(sealing_.problems().size(), 1U);
  EXPECT_THAT(sealing_.problems().front(), HasSubstr("evidence.key"));
  EXPECT_FALSE(fs::exists(places_.directories() / "a/manifest.json"));
}

TEST_F(Sealing, OnePassIsBoundedAndTheNextGoesOn) {
  std::vector<EvidenceBundle> bundles;
  for (int i = 0; i < 20; ++i) bundles.push_back(add("n" + std::to_string(i), i));
  sealing_.seal(bundles, wall_ns());
  EXPECT_EQ(order().size(), EvidenceSealing::kMaxSealedOfOnePass);
  sealing_.seal(bundles, wall_ns());
  EXPECT_EQ(order().size(), 20U);
}

}  // namespace
}  // namespace ward::enforcer
