// SPDX-License-Identifier: Apache-2.0
// The other end of the FIFO is played here as libcontainer's init plays it; the real one is in the
// integration tests.
#include "shim/runtime/start_fifo.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <optional>

#include "lib/base/digest.h"
#include "lib/base/unique_fd.h"

namespace ward::shim::runtime {
namespace {

class StartFifoTest : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(root_ / "id");
    record(R"({"config":{}})");
    ASSERT_EQ(::mkfifo(fifo_.c_str(), 0622), 0);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  void record(const char* text) const { std::ofstream(root_ / "id" / "state.json") << text; }
  std::shared_ptr<StartFifo> open() { return StartFifo::open(loop_, root_, "id"); }
  void wait(const std::shared_ptr<StartFifo>& start) {
    start->wait([this](Result<void> result) { result_ = std::move(result); });
  }
  // What the init does; its end of the FIFO stays open for as long as the answer lives.
  [[nodiscard]] UniqueFd open_as_init() const {
    return UniqueFd(::open(fifo_.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  }

  asio::io_context loop_;
  std::filesystem::path root_ =
      std::filesystem::temp_directory_path() / ("ward-start-" + random_hex(6));
  std::filesystem::path fifo_ = root_ / "id" / "exec.fifo";
  std::optional<Result<void>> result_;
};

TEST_F(StartFifoTest, AnswersWhenTheInitHasWrittenAndRemovesTheFifo) {
  const auto start = open();
  ASSERT_TRUE(start);
  wait(start);
  loop_.poll();
  EXPECT_FALSE(result_) << "the init has not come yet";
  const auto init = open_as_init();
  ASSERT_TRUE(init) << "an init that waits for a reader is let go";
  ASSERT_EQ(::write(init.get(), "0", 1), 1);
  loop_.restart();
  loop_.run();
  ASSERT_TRUE(result_);
  EXPECT_TRUE(*result_);
  EXPECT_FALSE(std::filesystem::exists(fifo_))
      << "as long as it is there, the runtime takes the container for created";
}

TEST_F(StartFifoTest, AnInitThatDiesBeforeItComesIsAnError) {
  const auto start = open();
  ASSERT_TRUE(start);
  wait(start);
  start->init_ended();
  ASSERT_TRUE(result_);
  ASSERT_FALSE(*result_);
  EXPECT_NE(result_->error().message.find("dead"), std::string::npos);
}

TEST_F(StartFifoTest, AnInitThatOpensAndDiesIsAnErrorOnceItIsReaped) {
  const auto start = open();
  ASSERT_TRUE(start);
  wait(start);
  open_as_init().reset();
  loop_.run();
  EXPECT_FALSE(result_)
      << "who is told now finds a container that has not ended, and cannot delete it";
  start->init_ended();
  ASSERT_TRUE(result_);
  EXPECT_FALSE(*result_);
}

TEST_F(StartFifoTest, AProgramThatIsOverBeforeTheLoopLooksWasStarted) {
  const auto start = open();
  ASSERT_TRUE(start);
  wait(start);
  ASSERT_EQ(::write(open_as_init().get(), "0", 1), 1);
  start->init_ended();
  ASSERT_TRUE(result_);
  EXPECT_TRUE(*result_);
  result_.reset();
  loop_.run();
  EXPECT_FALSE(result_) << "answered twice";
}

TEST_F(StartFifoTest, LeavesToTheRuntimeWhatItDoesNotKnow) {
  std::filesystem::remove(root_ / "id" / "state.json");
  EXPECT_FALSE(open()) << "crun's FIFO works the other way round";
  record(R"({"config":{"Hooks":{"poststart":[{"path":"/x"}]}}})");
  EXPECT_FALSE(open()) << "a wrapper may have added hooks at create";
  record(R"({"config":{"Hooks":{"poststart":null,"prestart":[{"path":"/x"}]}}})");
  EXPECT_TRUE(open());
  std::filesystem::remove(fifo_);
  EXPECT_FALSE(open()) << "running already";
  std::ofstream(fifo_.string()) << "0";
  EXPECT_FALSE(open()) << "a file is no FIFO";
  std::filesystem::remove(fifo_);
  std::filesystem::create_symlink("/dev/null", fifo_);
  EXPECT_FALSE(open());
}

}  // namespace
}  // namespace ward::shim::runtime
