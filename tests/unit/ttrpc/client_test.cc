// SPDX-License-Identifier: Apache-2.0
#include "lib/ttrpc/client.h"

#include <optional>

#include "lib/linux/unix_socket.h"
#include "lib/ttrpc/channel.h"
#include "tests/support/loop_test.h"
#include "tests/support/raw_peer.h"

namespace ward::ttrpc {
namespace {

constexpr auto kLong = std::chrono::seconds(30);

class Calling : public test::LoopTest {
 protected:
  void serve() {
    std::filesystem::remove(path_);
    auto listener = listen_unix(path_);
    ASSERT_TRUE(listener);
    server_.emplace(loop_, std::move(*listener));
    server_->add("test.S", "Echo", [this](const Request& request, Responder responder) {
      seen_namespace_ = request.containerd_namespace;
      seen_timeout_ns_ = request.timeout_ns;
      responder.answer(request.payload);
    });
    server_->add("test.S", "Keep", [this](const Request&, Responder responder) {
      kept_.push_back(std::move(responder));
    });
    server_->start();
  }
  Result<std::string> call(const std::string& method, std::string payload,
                           std::chrono::nanoseconds timeout = kLong) {
    std::optional<Result<std::string>> result;
    client_.call(
        "test.S", method, std::move(payload), timeout,
        [&](Result<std::string> got) { result = std::move(got); }, "ns");
    EXPECT_FALSE(result) << "answered from inside call()";
    EXPECT_TRUE(run_until([&] { return result.has_value(); }));
    return result ? std::move(*result) : fail(Code::kUnknown, "never answered");
  }

  Client client_{loop_, path_.string()};
  std::optional<Server> server_;
  std::vector<Responder> kept_;
  std::string seen_namespace_;
  std::int64_t seen_timeout_ns_ = 0;
};

TEST_F(Calling, GetsItsAnswerAndSaysNamespaceAndTimeout) {
  serve();
  EXPECT_EQ(call("Echo", "hello").value(), "hello");
  EXPECT_EQ(seen_namespace_, "ns");
  EXPECT_EQ(seen_timeout_ns_, 30'000'000'000);
  EXPECT_EQ(call("Nothing", "").error().code, Code::kUnimplemented);
}

TEST_F(Calling, APeerThatIsAwayIsUnavailableAndIsFoundWhenItComes) {
  EXPECT_EQ(call("Echo", "").error().code, Code::kUnavailable);
  serve();
  EXPECT_EQ(call("Echo", "x").value(), "x");
}

TEST_F(Calling, ReconnectsAfterThePeerDiedAndSaysOnceThatItDid) {
  serve();
  int broken = 0;
  client_.on_disconnect([&] { ++broken; });
  EXPECT_TRUE(call("Echo", "x"));
  std::optional<Code> pending;
  client_.call("test.S", "Keep", "", kLong,
               [&](const Result<std::string>& got) { pending = got.error().code; });
  ASSERT_TRUE(run_until([&] { return kept_.size() == 1; }));
  server_.reset();
  ASSERT_TRUE(run_until([&] { return pending.has_value() && broken > 0; }));
  EXPECT_EQ(*pending, Code::kUnavailable);
  serve();
  EXPECT_EQ(call("Echo", "back").value(), "back");
  EXPECT_EQ(broken, 1);
}

TEST_F(Calling, TheDeadlineIsKeptAndALateAnswerIsIgnored) {
  serve();
  EXPECT_EQ(call("Keep", "", std::chrono::milliseconds(20)).error().code, Code::kDeadlineExceeded);
  kept_.at(0).answer("late");
  EXPECT_EQ(call("Echo", "x").value(), "x");
}

TEST_F(Calling, ATooLargeRequestFailsAlone) {
  serve();
  EXPECT_EQ(call("Echo", std::string(kMaxFrameBytes, 'x')).error().code, Code::kResourceExhausted);
  EXPECT_EQ(call("Echo", std::string(3U << 20U, 'x'))->size(), 3U << 20U);
}

TEST_F(Calling, ManyAtOnceAreAnsweredEachWithItsOwn) {
  serve();
  int right = 0;
  for (int i = 0; i < 500; ++i) {
    const std::string text = std::to_string(i);
    client_.call("test.S", "Echo", text, kLong, [&right, text](const Result<std::string>& got) {
      right += got && *got == text ? 1 : 0;
    });
  }
  EXPECT_TRUE(run_until([&] { return right == 500; })) << right;
}

TEST_F(Calling, CloseCancelsWhatIsPending) {
  serve();
  std::optional<Code> pending;
  client_.call("test.S", "Keep", "", kLong,
               [&](const Result<std::string>& got) { pending = got.error().code; });
  client_.close();
  EXPECT_FALSE(pending);
  ASSERT_TRUE(run_until([&] { return pending.has_value(); }));
  EXPECT_EQ(*pending, Code::kCanceled);
}

TEST_F(Calling, NothingIsAnsweredAfterTheClientIsGone) {
  serve();
  bool answered = false;
  {
    Client brief(loop_, path_.string());
    brief.call("test.S", "Echo", "", kLong, [&](const Result<std::string>&) { answered = true; });
    Client away(loop_, (directory_ / "none").string());
    away.call("test.S", "Echo", "", kLong, [&](const Result<std::string>&) { answered = true; });
  }
  EXPECT_TRUE(call("Echo", "x"));
  EXPECT_FALSE(answered);
}

TEST_F(Calling, AHostileServerCannotConfuseIt) {
  const auto listener = listen_unix(path_);
  ASSERT_TRUE(listener);
  std::vector<Result<std::string>> got;
  for (int i = 0; i < 3; ++i) {
    client_.call("test.S", "Echo", "", kLong,
                 [&](Result<std::string> answer) { got.push_back(std::move(answer)); });
  }
  auto accepted = accept_unix(*listener);
  ASSERT_TRUE(accepted);
  RawPeer server(std::move(*accepted));
  server.send(encode_frame(99, FrameType::kResponse, ""));             // nobody asked
  server.send(encode_frame(1, FrameType::kRequest, ""));               // not an answer
  server.send(encode_frame(1, FrameType::kResponse, "\xff\xff\xff"));  // not a response
  std::string oversize = encode_frame(3, FrameType::kResponse, "");
  oversize[1] = 0x50;
  oversize.append(0x500000, 'x');
  std::string_view left = oversize;
  ASSERT_TRUE(run_until([&] {
    left.remove_prefix(server.send(left));
    return left.empty();
  }));
  ASSERT_TRUE(run_until([&] { return got.size() == 2; }));
  EXPECT_EQ(got[0].error().code, Code::kInternal);
  EXPECT_EQ(got[1].error().code, Code::kResourceExhausted);
  server.send(encode_frame(5, FrameType::kResponse, "").substr(0, 4));
  server.socket().reset();  // inside a header
  ASSERT_TRUE(run_until([&] { return got.size() == 3; }));
  EXPECT_EQ(got[2].error().code, Code::kUnavailable);
}

TEST_F(Calling, AServerThatDoesNotReadBoundsWhatIsKeptForIt) {
  const auto listener = listen_unix(path_);
  ASSERT_TRUE(listener);
  std::vector<Code> got;
  const std::string payload(1U << 20U, 'x');
  const std::size_t calls = kMaxOutgoingBytes / payload.size() + 4;
  for (std::size_t i = 0; i < calls; ++i) {
    client_.call("test.S", "Echo", payload, std::chrono::milliseconds(300),
                 [&](const Result<std::string>& answer) { got.push_back(answer.error().code); });
  }
  ASSERT_TRUE(run_until([&] { return got.size() == calls; }));
  EXPECT_EQ(got.front(), Code::kResourceExhausted);
  EXPECT_EQ(got.back(), Code::kDeadlineExceeded);
}

}  // namespace
}  // namespace ward::ttrpc
