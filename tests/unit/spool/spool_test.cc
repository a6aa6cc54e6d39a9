// SPDX-License-Identifier: Apache-2.0
#include "lib/spool/spool.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <optional>

#include "lib/base/digest.h"
#include "lib/base/file.h"

namespace ward {
namespace {

class Spooling : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove_all(directory_); }

  Spool create(std::uint64_t max_bytes = kMaxSpoolFileBytes) {
    auto spool = Spool::create(path_, max_bytes);
    EXPECT_TRUE(spool) << spool.error().message;
    return std::move(*spool);
  }
  static std::vector<std::string> all(const Spool& spool, std::uint64_t* skipped = nullptr) {
    std::vector<std::string> records;
    for (std::uint64_t offset = 0;;) {
      const auto batch = spool.read(offset, 3, 1000);
      EXPECT_TRUE(batch);
      if (!batch) return records;
      records.insert(records.end(), batch->records.begin(), batch->records.end());
      if (skipped != nullptr) *skipped += batch->skipped;
      offset = batch->next_offset;
      if (batch->at_end) return records;
    }
  }
  void rewrite(const std::string& bytes) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }

  std::filesystem::path directory_ =
      std::filesystem::temp_directory_path() / ("ward-spool-" + random_hex(6));
  std::filesystem::path path_ = directory_ / "state" / "spool" / "a.spool";
};

TEST_F(Spooling, KeepsRecordsInOrderForItsOwnerAlone) {
  std::vector<std::string> written;
  {
    Spool spool = create();
    for (int i = 0; i < 10; ++i)
      written.push_back(
          std::string(static_cast<std::size_t>(i) * 100 + 1, static_cast<char>('a' + i)));
    for (const auto& record : written) ASSERT_TRUE(spool.append(record));
    EXPECT_EQ(all(spool), written);
  }
  struct stat status {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0600U);
  ASSERT_EQ(::stat(path_.parent_path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0700U);
  auto taken = Spool::take_over(path_);
  ASSERT_TRUE(taken) << taken.error().message;
  EXPECT_EQ(all(*taken), written);
  ASSERT_TRUE(taken->remove());
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_EQ(Spool::take_over(path_).error().code, Code::kNotFound);
}

TEST_F(Spooling, I4_AFileIsTakenOverOnlyWhenItsOwnerIsGone) {
  std::optional<Spool> spool = create();
  ASSERT_TRUE(spool->append("x"));
  EXPECT_EQ(Spool::take_over(path_).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(Spool::create(path_).error().code, Code::kFailedPrecondition);
  spool.reset();
  EXPECT_TRUE(Spool::take_over(path_));
}

TEST_F(Spooling, I4_RecordsSurviveTheSuddenDeathOfTheirOwner) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto spool = Spool::create(path_);
    if (!spool || !spool->append("last words")) ::_exit(1);
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  const auto taken = Spool::take_over(path_);
  ASSERT_TRUE(taken);
  EXPECT_EQ(all(*taken), std::vector<std::string>{"last words"});
}

TEST_F(Spooling, EveryCutKeepsTheRecordsBeforeItAndCountsTheRest) {
  {
    Spool spool = create();
    for (const char* record : {"first", "second", "third"}) ASSERT_TRUE(spool.append(record));
  }
  const std::string whole = read_file(path_).value();
  const std::size_t first = 20 + 5;
  const std::size_t second = first + 20 + 6;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    rewrite(whole.substr(0, size));
    const auto taken = Spool::take_over(path_);
    ASSERT_TRUE(taken);
    std::uint64_t skipped = 0;
    const auto records = all(*taken, &skipped);
    EXPECT_EQ(records.size(), size >= second ? 2U : size >= first ? 1U : 0U) << size;
    EXPECT_EQ(skipped, size == 0 || size == first || size == second ? 0U : 1U) << size;
  }
}

TEST_F(Spooling, EveryFlippedBitIsSeenAndOtherRecordsStay) {
  {
    Spool spool = create();
    for (const char* record : {"first", "second", "third"}) ASSERT_TRUE(spool.append(record));
  }
  const std::string whole = read_file(path_).value();
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(static_cast<unsigned char>(damaged[i]) ^ 1U << (i % 8));
    rewrite(damaged);
    const auto taken = Spool::take_over(path_);
    std::uint64_t skipped = 0;
    for (const auto& record : all(*taken, &skipped))
      EXPECT_TRUE(record == "first" || record == "second" || record == "third");
    EXPECT_GE(skipped, 1U) << i;
    // Damage inside the data of one record costs that record only.
    if (i >= 20 && i < 25) {
      EXPECT_EQ(all(*taken), (std::vector<std::string>{"second", "third"}));
    }
  }
}

TEST_F(Spooling, GarbageIsNeverARecord) {
  std::filesystem::create_directories(path_.parent_path());
  std::string garbage;
  for (int i = 0; i < 5000; ++i) garbage.push_back(static_cast<char>(i * 7919 >> 3));
  for (const std::string& bytes : {garbage, std::string(5000, '\0'), std::string(5000, '\xff')}) {
    rewrite(bytes);
    const auto taken = Spool::take_over(path_);
    std::uint64_t skipped = 0;
    EXPECT_TRUE(all(*taken, &skipped).empty());
    EXPECT_GE(skipped, 1U);
  }
}

TEST_F(Spooling, GoesOnBehindTheLastWholeRecordOfATornFile) {
  {
    Spool spool = create();
    ASSERT_TRUE(spool.append("whole"));
    ASSERT_TRUE(spool.append("torn"));
  }
  std::filesystem::resize_file(path_, std::filesystem::file_size(path_) - 2);
  Spool spool = create();
  ASSERT_TRUE(spool.append("after"));
  EXPECT_EQ(all(spool), (std::vector<std::string>{"whole", "after"}));
}

TEST_F(Spooling, IsBounded) {
  Spool spool = create(100);  // room for one record of up to 80 bytes
  ASSERT_TRUE(spool.append(std::string(60, 'x')));
  EXPECT_EQ(spool.append("x").error().code, Code::kResourceExhausted);
  EXPECT_EQ(spool.append("").error().code, Code::kResourceExhausted);
  EXPECT_EQ(all(spool).size(), 1U);
  Spool large = [&] {
    path_ += "2";
    return create();
  }();
  EXPECT_EQ(large.append(std::string(kMaxSpoolRecordBytes + 1, 'x')).error().code,
            Code::kResourceExhausted);
}

TEST_F(Spooling, AFullDiskLeavesNoHalfRecord) {
  Spool spool = create();
  ASSERT_TRUE(spool.append("before"));
  const rlimit old = [] {
    rlimit limit{};
    ::getrlimit(RLIMIT_FSIZE, &limit);
    return limit;
  }();
  const auto old_handler = ::signal(SIGXFSZ, SIG_IGN);
  rlimit tight = old;
  tight.rlim_cur = spool.size_bytes() + 25;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &tight), 0);
  EXPECT_FALSE(spool.append(std::string(100, 'x')));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  ::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(std::filesystem::file_size(path_), spool.size_bytes());
  ASSERT_TRUE(spool.append("after"));
  std::uint64_t skipped = 0;
  EXPECT_EQ(all(spool, &skipped), (std::vector<std::string>{"before", "after"}));
  EXPECT_EQ(skipped, 0U);
}

TEST_F(Spooling, ALinkOrAFifoInItsPlaceIsRefused) {
  std::filesystem::create_directories(path_.parent_path());
  std::filesystem::create_symlink("/etc/passwd", path_);
  EXPECT_FALSE(Spool::take_over(path_));
  EXPECT_FALSE(Spool::create(path_));
  std::filesystem::remove(path_);
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_EQ(Spool::take_over(path_).error().code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace ward
