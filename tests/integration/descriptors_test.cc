// SPDX-License-Identifier: Apache-2.0
// A shim that has no descriptor to spare: what it is asked for is done or fails with the reason,
// and is done as soon as there are some again. And one that has lived long: it keeps none.
#include <ctime>

#include <fstream>
#include <functional>

#include "tests/integration/robustness_test_base.h"
#include "tests/integration/task_api_base.h"

namespace ward::test {
namespace {

using testing::HasSubstr;

constexpr int kSpare[] = {0, 1, 2, 3, 4, 5, 6, 8, 10, 12};
constexpr char kNone[] = "oo many open files";

class Descriptors : public TaskApiTest {
 protected:
  void SetUp() override {
    TaskApiTest::SetUp();
    shim_ = node().shim_pid(carrier_);
    ASSERT_GT(shim_, 0);
    see_everything_once();
    before_ = open_descriptors(shim_);
  }
  void expect_all_are_given_back() {
    EXPECT_TRUE(await([&] { return open_descriptors(shim_) <= before_; }, std::chrono::seconds(5)))
        << before_ << " before, " << open_descriptors(shim_) << " after";
    EXPECT_EQ(node().shim_pid(carrier_), shim_);
    EXPECT_EQ(status(carrier_), containerd::STATUS_RUNNING);
  }
  // A build with UBSan makes a pipe when it meets an object of a type that it has not met yet, and
  // without descriptors takes the object for a wrong one: all that is done below is done once
  // before, in success and in failure.
  void see_everything_once() {
    EXPECT_FALSE(tasks_->exec(carrier_, "wrong id", {"/box", "true"}));
    for (const char* program : {"/nonexistent", "/box"}) {
      EXPECT_TRUE(tasks_->exec(carrier_, "once", {program, "true"}));
      EXPECT_EQ(tasks_->start(carrier_, "once").has_value(), program == std::string("/box"));
      (void)tasks_->wait(carrier_, "once");
      EXPECT_TRUE(tasks_->remove(carrier_, "once"));
    }
    EXPECT_FALSE(create(make_bundle("never", {"/nonexistent"}).create_request()));
    for (const char* config : {"", "[1]", R"({"process": 1})"}) {
      const Bundle& wrong = make_bundle("wrong", {"/box"});
      std::ofstream(wrong.path() / "config.json") << config;
      EXPECT_FALSE(create(wrong.create_request())) << config;
      bundles_.pop_back();
    }
    const std::string id = start_box("once").id();
    end(id);
    EXPECT_TRUE(tasks_->remove(id));
  }
  // Asks with few descriptors to spare, and once more where that failed.
  template <typename Reply>
  void expect_clear_words_and_then_success(const std::function<Result<Reply>()>& ask, int spare) {
    Result<Reply> reply;
    {
      const SpareDescriptors few(shim_, spare);
      reply = ask();
    }
    if (reply) return;
    ++failed_;
    EXPECT_THAT(reply.error().message, HasSubstr(kNone)) << spare << " to spare";
    reply = ask();
    EXPECT_TRUE(reply) << spare << " to spare, and then enough: " << reply.error().message;
  }
  void end(const std::string& id) {
    EXPECT_TRUE(tasks_->kill(id, SIGKILL));
    EXPECT_TRUE(tasks_->wait(id));
  }
  // Of the process, in user and kernel mode.
  static std::chrono::nanoseconds processor_time(pid_t pid) {
    clockid_t clock{};
    timespec time{};
    if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &time) != 0)
      ADD_FAILURE() << pid;
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  }

  pid_t shim_ = -1;
  long before_ = 0;
  int failed_ = 0;
};

TEST_F(Descriptors, WithoutThemAnExecFailsClearlyAndTheNextOneWorks) {
  for (const int spare : kSpare) {
    const std::string session = "e" + std::to_string(spare);
    ASSERT_TRUE(tasks_->exec(carrier_, session, {"/box", "exit", "6"}));
    Result<containerd::StartResponse> started;
    {
      const SpareDescriptors few(shim_, spare);
      started = tasks_->start(carrier_, session);
    }
    if (started) {
      EXPECT_EQ(tasks_->wait(carrier_, session)->exit_status(), 6U);
    } else {
      ++failed_;
      EXPECT_THAT(started.error().message, HasSubstr(kNone)) << spare;
    }
    EXPECT_TRUE(tasks_->remove(carrier_, session));
    ASSERT_TRUE(tasks_->exec(carrier_, session, {"/box", "exit", "7"})) << "its id is free";
    ASSERT_TRUE(tasks_->start(carrier_, session));
    EXPECT_EQ(tasks_->wait(carrier_, session)->exit_status(), 7U);
    EXPECT_TRUE(tasks_->remove(carrier_, session));
  }
  EXPECT_GT(failed_, 0) << "they were never short";
  expect_all_are_given_back();
}

TEST_F(Descriptors, WithoutThemACreateFailsClearlyAndTheNextOneWorks) {
  for (const int spare : kSpare) {
    const Bundle& bundle = make_bundle("create" + std::to_string(spare), {"/box", "wait"});
    expect_clear_words_and_then_success<containerd::CreateTaskResponse>(
        [&] { return create(bundle.create_request()); }, spare);
    EXPECT_TRUE(tasks_->start(bundle.id())) << spare;
    end(bundle.id());
    EXPECT_TRUE(tasks_->remove(bundle.id())) << spare;
  }
  EXPECT_GT(failed_, 0) << "they were never short";
  expect_all_are_given_back();
}

TEST_F(Descriptors, WithoutThemAStartIsDoneOrFailsClearly) {
  for (const int spare : kSpare) {
    const std::string id = create_box("start" + std::to_string(spare)).id();
    expect_clear_words_and_then_success<containerd::StartResponse>(
        [&] { return tasks_->start(id); }, spare);
    EXPECT_EQ(status(id), containerd::STATUS_RUNNING) << spare;
    end(id);
    EXPECT_TRUE(tasks_->remove(id)) << spare;
  }
  expect_all_are_given_back();
}

TEST_F(Descriptors, WithoutThemADeleteIsDoneOrFailsClearly) {
  for (const int spare : kSpare) {
    const std::string id = start_box("delete" + std::to_string(spare)).id();
    end(id);
    expect_clear_words_and_then_success<containerd::DeleteResponse>(
        [&] { return tasks_->remove(id); }, spare);
    EXPECT_EQ(code_of(tasks_->state(id)), Code::kNotFound) << spare;
    bundles_.pop_back();  // and with it what may be mounted there
  }
  expect_all_are_given_back();
}

TEST_F(Descriptors, WithoutThemAClientWaitsAndTheShimDoesNotSpin) {
  constexpr std::chrono::milliseconds kObserved(600);
  asio::io_context loop(1);
  ttrpc::Client client(loop, node().shim_socket(carrier_));
  containerd::StateRequest request;
  request.set_id(carrier_);
  std::optional<Result<std::string>> answer;
  {
    const SpareDescriptors none(shim_, 0);
    const auto before = processor_time(shim_);
    client.call("containerd.task.v2.Task", "State", request.SerializeAsString(), kPatience,
                [&](Result<std::string> got) { answer = std::move(got); });
    loop.run_for(kObserved);
    EXPECT_FALSE(answer) << "there was a descriptor all the same";
    EXPECT_LT(processor_time(shim_) - before, kObserved / 4);
    EXPECT_TRUE(tasks_->state(carrier_)) << "who has a connection already is answered meanwhile";
  }
  EXPECT_TRUE(await([&] {
    loop.restart();
    loop.poll();
    return answer.has_value();
  }));
  ASSERT_TRUE(answer);
  EXPECT_TRUE(*answer) << answer->error().message;
}

TEST_F(Descriptors, OfAPodsShimAreNoMoreAfterAHundredLivesInIt) {
  const int lives = long_forms() ? 1000 : 100;
  for (int i = 0; i < lives; ++i) {
    const std::string id = start_box("life" + std::to_string(i), {"/box", "exit", "5"}).id();
    ASSERT_EQ(tasks_->wait(id)->exit_status(), 5U) << id;
    ASSERT_TRUE(tasks_->remove(id)) << id;
    bundles_.pop_back();
  }
  expect_all_are_given_back();
}

}  // namespace
}  // namespace ward::test
