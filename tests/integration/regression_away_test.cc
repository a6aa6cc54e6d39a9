// SPDX-License-Identifier: Apache-2.0
// Bugs that other shims had while containerd is away (Bug14 and Bug15 in docs/shim-contract.md).
#include <fcntl.h>
#include <poll.h>

#include "containerd/events.pb.h"
#include "containerd/events_forward.pb.h"
#include "lib/linux/unix_socket.h"
#include "lib/ttrpc/server.h"
#include "tests/integration/regression_base.h"

namespace ward::test {
namespace {

using testing::ElementsAre;

// Takes events in containerd's place. `ctr events` of a containerd that is back can only subscribe
// after the shim may have told it everything; here the first event is the first one that was kept.
class EventsInContainerdsPlace {
 public:
  explicit EventsInContainerdsPlace(const Node& node)
      : path_(node.containerd_socket().string() + ".ttrpc") {
    auto listener = listen_unix(path_, StaleSocket::kReplace);
    if (!listener) {
      ADD_FAILURE() << listener.error().message;
      return;
    }
    server_ = std::make_unique<ttrpc::Server>(loop_, std::move(*listener));
    server_->add("containerd.services.events.ttrpc.v1.Events", "Forward",
                 [this](const ttrpc::Request& request, ttrpc::Responder responder) {
                   note(request.payload);
                   responder.reply(containerd::Empty());
                 });
    server_->start();
  }
  ~EventsInContainerdsPlace() {
    server_.reset();
    std::filesystem::remove(path_);
  }
  EventsInContainerdsPlace(const EventsInContainerdsPlace&) = delete;
  EventsInContainerdsPlace& operator=(const EventsInContainerdsPlace&) = delete;

  // "topic id" of each event, where it speaks of a process; as soon as there are so many.
  std::vector<std::string> await(std::size_t count) {
    const auto deadline = Clock::now() + kPatience;
    while (told_.size() < count && Clock::now() < deadline) {
      loop_.restart();
      loop_.run_one_for(std::chrono::milliseconds(20));
    }
    return told_;
  }

 private:
  void note(const std::string& payload) {
    containerd::ForwardRequest request;
    if (!request.ParseFromString(payload)) ADD_FAILURE() << "a Forward that cannot be decoded";
    const auto& envelope = request.envelope();
    const auto& value = envelope.event().value();
    std::string id;
    if (containerd::TaskExit exit; envelope.topic() == "/tasks/exit" && exit.ParseFromString(value))
      id = exit.id();
    if (containerd::TaskExecAdded added;
        envelope.topic() == "/tasks/exec-added" && added.ParseFromString(value))
      id = added.exec_id();
    if (containerd::TaskExecStarted started;
        envelope.topic() == "/tasks/exec-started" && started.ParseFromString(value))
      id = started.exec_id();
    told_.push_back(envelope.topic() + " " + id);
  }

  std::string path_;
  asio::io_context loop_{1};
  std::unique_ptr<ttrpc::Server> server_;
  std::vector<std::string> told_;
};

bool takes_more(const UniqueFd& fifo) {
  pollfd room{fifo.get(), POLLOUT, 0};
  return ::poll(&room, 1, 0) == 1;
}

TEST_F(Regression, Bug14_ContainerdMayDieAndALogThatIsFullHoldsTheShimUpNowhere) {
  const pid_t before = shim();
  const Bundle& bundle = start_box("bug14", {"/box", "tick", "0"});
  node().stop_containerd(SIGKILL);
  const UniqueFd log(
      ::open((node().bundle(carrier_) / "log").c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  ASSERT_TRUE(log);
  // To the last byte: a pipe takes less than a page only where it fits into its last one.
  for (const std::size_t size : {std::size_t{4096}, std::size_t{1}}) {
    const std::string chunk(size, '\n');
    while (::write(log.get(), chunk.data(), chunk.size()) > 0) continue;
    ASSERT_EQ(errno, EAGAIN);
  }
  ASSERT_FALSE(takes_more(log));
  // Lines for a log that nobody reads, events that nobody takes.
  for (int i = 0; i < 20; ++i) {
    const std::string exec_id = "away-" + std::to_string(i);
    ASSERT_TRUE(
        tasks_->exec(carrier_, exec_id, {i % 2 == 0 ? "nothere" : "/box", "true"}).has_value());
    EXPECT_EQ(tasks_->start(carrier_, exec_id).has_value(), i % 2 != 0) << i;
  }
  EXPECT_EQ(status(bundle.id()), containerd::STATUS_RUNNING);
  ASSERT_TRUE(tasks_->kill(bundle.id(), SIGKILL).has_value());
  EXPECT_EQ(tasks_->wait(bundle.id())->exit_status(), 137U);
  EXPECT_FALSE(takes_more(log)) << "it was full all the time";
  EXPECT_EQ(shim(), before);
  node().start_containerd();
  EXPECT_TRUE(await([&] { return takes_more(log); })) << "containerd reads it again";
  EXPECT_EQ(node().task_status(carrier_), "RUNNING");
  EXPECT_EQ(shim(), before);
}

TEST_F(Regression, Bug15_WhatHappenedWhileContainerdWasAwayIsToldInItsOrderWhenItIsBack) {
  const Bundle& bundle = start_box("bug15");
  {
    Events events(node());  // everything of before has been told
    ASSERT_TRUE(tasks_->exec(carrier_, "last", {"/box", "true"}).has_value());
    events.await(carrier_, "exec-added");
  }
  node().stop_containerd(SIGKILL);
  for (const char* exec_id : {"e1", "e2"}) {
    ASSERT_TRUE(tasks_->exec("bug15", exec_id, {"/box", "true"}).has_value());
    ASSERT_TRUE(tasks_->start("bug15", exec_id).has_value());
    ASSERT_TRUE(tasks_->wait("bug15", exec_id).has_value());
  }
  ASSERT_TRUE(tasks_->kill("bug15", SIGKILL).has_value());
  ASSERT_TRUE(tasks_->wait("bug15").has_value());
  ASSERT_TRUE(tasks_->remove(bundle.id()).has_value());
  {
    EventsInContainerdsPlace events(node());
    EXPECT_THAT(events.await(8),
                ElementsAre("/tasks/exec-added e1", "/tasks/exec-started e1", "/tasks/exit e1",
                            "/tasks/exec-added e2", "/tasks/exec-started e2", "/tasks/exit e2",
                            "/tasks/exit bug15", "/tasks/delete "));
  }
  // And to containerd itself: what comes next.
  node().start_containerd();
  Events events(node());
  ASSERT_TRUE(tasks_->start(carrier_, "last").has_value());
  EXPECT_THAT(events.await(carrier_, "exit"), ElementsAre("exec-started", "exit"));
  EXPECT_EQ(node().task_status(carrier_), "RUNNING");
}

}  // namespace
}  // namespace ward::test
