// SPDX-License-Identifier: Apache-2.0
#include "lib/spool/room.h"

#include <gtest/gtest.h>

#include <fstream>

#include "lib/base/digest.h"
#include "lib/spool/spool.h"

namespace ward {
namespace {

namespace fs = std::filesystem;

class Room : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(directory_); }
  void TearDown() override { fs::remove_all(directory_); }

  // A process that begins a file and fills it for as long as it is given room: the bytes it got.
  std::uint64_t fill(const SpoolOwner& owner, std::uint64_t wanted = ~0ULL) {
    const std::string name = spool_prefix(owner) + std::to_string(++made_) + ".spool";
    std::uint64_t have = 0;
    while (have < wanted) {
      const auto room = spool_room(directory_, owner, name, limits_);
      if (!room) {
        EXPECT_EQ(room.error().code, Code::kResourceExhausted);
        break;
      }
      have += std::min(*room, wanted - have);
      { std::ofstream file(directory_ / name, std::ios::app); }
      fs::resize_file(directory_ / name, have);
    }
    return have;
  }
  // A workload that is restarted again and again.
  std::uint64_t fill_in_a_loop(const SpoolOwner& owner, std::uint64_t each) {
    std::uint64_t sum = 0;
    for (int i = 0; i < 200; ++i) sum += fill(owner, each);
    return sum;
  }
  [[nodiscard]] std::uint64_t bytes() const {
    std::uint64_t sum = 0;
    for (const auto& file : fs::directory_iterator(directory_)) sum += file.file_size();
    return sum;
  }

  fs::path directory_ = fs::temp_directory_path() / ("ward-room-" + random_hex(6));
  SpoolLimits limits_{1U << 20U, 64};
  int made_ = 0;
};

TEST_F(Room, H10_OneWorkloadGetsAQuarterHoweverOftenItIsRestarted) {
  EXPECT_EQ(fill_in_a_loop({"shop", "web"}, 1U << 16U), limits_.max_bytes / kSpoolShareOfOwner);
  EXPECT_EQ(fill({"shop", "db"}, 1000), 1000U) << "another one of the same namespace";
  EXPECT_EQ(fill({"bank", "web"}, 1000), 1000U) << "and one of another";
}

TEST_F(Room, H10_ManySmallFilesOfOneWorkloadLeavePlacesForOthers) {
  EXPECT_EQ(fill_in_a_loop({"shop", "web"}, 10), 10 * limits_.max_files / kSpoolShareOfOwner);
  EXPECT_EQ(fill({"bank", "web"}, 10), 10U);
}

TEST_F(Room, H10_ATenantOfManyWorkloadsGetsAHalf) {
  std::uint64_t sum = 0;
  for (int i = 0; i < 100; ++i) sum += fill({"shop", "web" + std::to_string(i)}, 1U << 17U);
  EXPECT_EQ(sum, limits_.max_bytes / kSpoolShareOfGroup);
  EXPECT_EQ(fill({"bank", "web"}, 1000), 1000U);
}

TEST_F(Room, H10_TheWholeIsBoundedWhoeverFillsIt) {
  for (int i = 0; i < 100; ++i) fill({"tenant" + std::to_string(i), "web"}, 1U << 17U);
  EXPECT_LE(bytes(), limits_.max_bytes);
  for (int i = 0; i < 100; ++i) fill({"small" + std::to_string(i), "web"}, 1);
  EXPECT_LE(std::distance(fs::directory_iterator(directory_), fs::directory_iterator()), 64);
}

TEST_F(Room, NamesOfOwnersAreNotConfused) {
  EXPECT_NE(spool_prefix({"a", "b"}), spool_prefix({"a", "c"}));
  const auto group = [](const SpoolOwner& owner) {
    const std::string prefix = spool_prefix(owner);
    return prefix.substr(0, prefix.find('.'));
  };
  EXPECT_NE(group({"a", "b"}), group({"c", "b"}));
  EXPECT_EQ(group({"a", "b"}), group({"a", "c"}));
  EXPECT_EQ(spool_prefix({"../x", "/"}).find('/'), std::string::npos);
}

// Of 32 bits somebody finds two with the same in a second, and takes the room of another tenant.
TEST_F(Room, H10_TwoTenantsOfOneHashAreNotToBeHad) {
  const std::string prefix = spool_prefix({"a", "b"});
  EXPECT_GE(prefix.find('.'), 16U);
  EXPECT_GE(prefix.size() - prefix.find('.'), 16U + 2U);
}

TEST_F(Room, ADirectoryThatIsNotThereYetIsEmpty) {
  directory_ /= "absent";
  EXPECT_EQ(spool_room(directory_, {"a", "b"}, "x").value_or(0), kSpoolPieceBytes);
  directory_ = directory_.parent_path();
}

}  // namespace
}  // namespace ward
