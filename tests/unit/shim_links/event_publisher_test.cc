// SPDX-License-Identifier: Apache-2.0
#include "shim/links/event_publisher.h"

#include <algorithm>
#include <vector>

#include "containerd/events_forward.pb.h"
#include "lib/base/clock.h"
#include "lib/linux/unix_socket.h"
#include "lib/ttrpc/server.h"
#include "tests/support/loop_test.h"

namespace ward::shim::links {
namespace {

class Publishing : public test::LoopTest {
 protected:
  enum class Manner { kTake, kKeep, kRefuse };

  void containerd(Manner manner) {
    std::filesystem::remove(path_);
    auto listener = listen_unix(path_);
    ASSERT_TRUE(listener);
    server_.emplace(loop_, std::move(*listener));
    server_->add("containerd.services.events.ttrpc.v1.Events", "Forward",
                 [this, manner](const ttrpc::Request& request, ttrpc::Responder responder) {
                   containerd::ForwardRequest forward;
                   ASSERT_TRUE(forward.ParseFromString(request.payload));
                   if (manner == Manner::kRefuse && forward.envelope().topic() == "/bad") {
                     ++refused_;
                     return responder.error(Error{Code::kInvalidArgument, "bad topic", 0});
                   }
                   if (manner == Manner::kKeep) {
                     seen_.push_back(forward.envelope());
                     deadlines_ns_.push_back(request.timeout_ns);
                     return kept_.push_back(std::move(responder));
                   }
                   namespaces_.push_back(request.containerd_namespace);
                   seen_.push_back(forward.envelope());
                   responder.answer(std::string());
                 });
    server_->start();
  }
  void publish(int number) {
    publisher_.publish("/tasks/exit", "containerd.events.TaskExit", std::to_string(number));
  }
  bool all_seen_in_order(int count) {
    if (seen_.size() != static_cast<std::size_t>(count)) return false;
    for (int i = 0; i < count; ++i) {
      if (seen_[static_cast<std::size_t>(i)].event().value() != std::to_string(i)) return false;
    }
    return true;
  }

  std::filesystem::path path_ = directory_ / "containerd.ttrpc";
  EventPublisher publisher_{loop_, path_.string(), "ns1"};
  std::optional<ttrpc::Server> server_;
  std::vector<ttrpc::Responder> kept_;
  std::vector<containerd::Envelope> seen_;
  std::vector<std::string> namespaces_;
  std::vector<std::int64_t> deadlines_ns_;
  int refused_ = 0;
};

TEST_F(Publishing, SendsTheEnvelopeContainerdChecks) {
  containerd(Manner::kTake);
  publish(0);
  ASSERT_TRUE(run_until([&] { return seen_.size() == 1; }));
  EXPECT_EQ(seen_[0].topic(), "/tasks/exit");
  EXPECT_EQ(seen_[0].namespace_(), "ns1");
  EXPECT_EQ(namespaces_[0], "ns1");
  EXPECT_EQ(seen_[0].event().type_url(), "containerd.events.TaskExit");
  EXPECT_NEAR(static_cast<double>(seen_[0].timestamp().seconds()),
              static_cast<double>(wall_ns()) / 1e9, 60);
}

TEST_F(Publishing, KeepsOrderAndEachOnceWhenContainerdStartsLateDiesAndComesBack) {
  for (int i = 0; i < 100; ++i) publish(i);
  run_for(std::chrono::milliseconds(50));
  containerd(Manner::kTake);
  ASSERT_TRUE(run_until([&] { return seen_.size() >= 40; }));
  server_.reset();
  for (int i = 100; i < 200; ++i) publish(i);
  run_for(std::chrono::milliseconds(50));
  containerd(Manner::kTake);
  ASSERT_TRUE(run_until([&] { return publisher_.waiting() == 0; }));
  // The one whose answer died with containerd is sent again: at least once is what events promise.
  const auto twice = std::unique(seen_.begin(), seen_.end(), [](const auto& a, const auto& b) {
    return a.event().value() == b.event().value();
  });
  EXPECT_LE(std::distance(twice, seen_.end()), 1);
  seen_.erase(twice, seen_.end());
  EXPECT_TRUE(all_seen_in_order(200));
  EXPECT_EQ(publisher_.dropped(), 0U);
}

// Longer than any deadline that the publisher could have: the request says itself that it has none.
TEST_F(Publishing, AContainerdThatTakesItsTimeHearsOfEachEventOnceAndInOrder) {
  constexpr int kEvents = 5;
  containerd(Manner::kKeep);
  for (int i = 0; i < kEvents; ++i) publish(i);
  for (std::size_t i = 0; i < kEvents; ++i) {
    ASSERT_TRUE(run_until([&] { return kept_.size() == i + 1; }));
    run_for(std::chrono::milliseconds(200));
    ASSERT_EQ(kept_.size(), i + 1) << "sent again, or the next one before the answer";
    kept_[i].answer(std::string());
  }
  ASSERT_TRUE(run_until([&] { return publisher_.waiting() == 0; }));
  EXPECT_TRUE(all_seen_in_order(kEvents));
  for (const std::int64_t deadline : deadlines_ns_)
    EXPECT_EQ(deadline, 0) << "it would be sent again after that";
}

TEST_F(Publishing, WhatADeadContainerdHadNotAnsweredIsSentToTheNext) {
  containerd(Manner::kKeep);
  for (int i = 0; i < 3; ++i) publish(i);
  ASSERT_TRUE(run_until([&] { return kept_.size() == 1; }));
  server_.reset();
  kept_.clear();
  seen_.clear();
  containerd(Manner::kTake);
  ASSERT_TRUE(run_until([&] { return publisher_.waiting() == 0; }));
  EXPECT_TRUE(all_seen_in_order(3));
}

TEST_F(Publishing, IsNotBusyWhileContainerdIsAway) {
  publish(0);
  int handlers = 0;
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
  while (std::chrono::steady_clock::now() < until) {
    loop_.restart();
    handlers += static_cast<int>(loop_.run_one_until(until));
  }
  EXPECT_LT(handlers, 30);
}

TEST_F(Publishing, IsBoundedAndTheOldestGoFirst) {
  for (int i = 0; i < static_cast<int>(EventPublisher::kMaxEvents) + 10; ++i) publish(i);
  EXPECT_EQ(publisher_.waiting(), EventPublisher::kMaxEvents);
  EXPECT_EQ(publisher_.dropped(), 10U);
  containerd(Manner::kTake);
  ASSERT_TRUE(run_until([&] { return publisher_.waiting() == 0; }));
  EXPECT_EQ(seen_.back().event().value(), std::to_string(EventPublisher::kMaxEvents + 9));
  for (int i = 0; i < 20; ++i) publisher_.publish("/t", "u", std::string(1U << 20U, 'x'));
  EXPECT_LE(publisher_.waiting(), 8U);
}

TEST_F(Publishing, AnEventContainerdRefusesIsCountedAndTheNextGoOn) {
  containerd(Manner::kRefuse);
  publisher_.publish("/bad", "u", "");
  publish(0);
  ASSERT_TRUE(run_until([&] { return all_seen_in_order(1); }));
  EXPECT_EQ(publisher_.dropped(), 1U);
  EXPECT_EQ(refused_, 5);
}

TEST_F(Publishing, DrainWaitsForTheLastAnswer) {
  containerd(Manner::kTake);
  for (int i = 0; i < 10; ++i) publish(i);
  bool drained = false;
  publisher_.drain([&] { drained = true; });
  EXPECT_FALSE(drained);
  ASSERT_TRUE(run_until([&] { return drained; }));
  EXPECT_TRUE(all_seen_in_order(10));
  drained = false;
  publisher_.drain([&] { drained = true; });
  ASSERT_TRUE(run_until([&] { return drained; }));
}

TEST_F(Publishing, DrainGivesUpOnAContainerdThatIsAwayOrSilent) {
  for (const bool silent : {false, true}) {
    if (silent) containerd(Manner::kKeep);
    publish(0);
    bool drained = false;
    publisher_.drain([&] { drained = true; });
    ASSERT_TRUE(run_until([&] { return drained; }, std::chrono::seconds(10)));
    EXPECT_EQ(publisher_.waiting(), 0U);
  }
  EXPECT_EQ(publisher_.dropped(), 2U);
}

TEST_F(Publishing, DrainReachesAContainerdThatComesBackInTime) {
  publish(0);
  run_for(std::chrono::milliseconds(400));
  bool drained = false;
  publisher_.drain([&] { drained = true; });
  containerd(Manner::kTake);
  ASSERT_TRUE(run_until([&] { return drained; }));
  EXPECT_TRUE(all_seen_in_order(1));
}

TEST_F(Publishing, WithoutAnAddressEventsAreCounted) {
  EventPublisher nobody(loop_, "", "ns");
  nobody.publish("/t", "u", "");
  EXPECT_EQ(nobody.dropped(), 1U);
  EXPECT_EQ(nobody.waiting(), 0U);
}

}  // namespace
}  // namespace ward::shim::links
