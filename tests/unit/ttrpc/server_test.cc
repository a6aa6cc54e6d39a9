// SPDX-License-Identifier: Apache-2.0
#include "lib/ttrpc/server.h"

#include <sys/resource.h>
#include <sys/wait.h>

#include <fstream>
#include <optional>

#include "lib/base/scope_exit.h"
#include "lib/linux/unix_socket.h"
#include "lib/ttrpc/channel.h"
#include "tests/support/loop_test.h"
#include "tests/support/raw_peer.h"

namespace ward::ttrpc {
namespace {

class Serving : public test::LoopTest {
 protected:
  void SetUp() override {
    LoopTest::SetUp();
    auto listener = listen_unix(path_);
    ASSERT_TRUE(listener) << listener.error().message;
    server_.emplace(loop_, std::move(*listener));
    server_->add("test.S", "Echo",
                 [](Request request, Responder responder) { responder.answer(request.payload); });
    server_->add("test.S", "Keep", [this](const Request&, Responder responder) {
      kept_.push_back(std::move(responder));
    });
    server_->add("test.S", "Forget", [](const Request&, const Responder&) {});
    server_->add("test.S", "Large", [](const Request& request, Responder responder) {
      responder.answer(std::string(std::stoul(request.payload), 'x'));
    });
    server_->start();
  }
  RawPeer connect() {
    auto socket = connect_unix(path_);
    EXPECT_TRUE(socket) << socket.error().message;
    return RawPeer(std::move(*socket));
  }
  // Sends all of it, serving meanwhile.
  void send_all(RawPeer& peer, std::string_view bytes) {
    ASSERT_TRUE(run_until([&] {
      bytes.remove_prefix(peer.send(bytes));
      return bytes.empty();
    }));
  }
  bool answered(RawPeer& peer, std::size_t count) {
    return run_until([&] { return peer.frames().size() >= count; });
  }

  std::optional<Server> server_;
  std::vector<Responder> kept_;
};

TEST_F(Serving, AnswersOnTheStreamOfTheRequest) {
  RawPeer peer = connect();
  peer.request(1, "test.S", "Echo", "hello");
  ASSERT_TRUE(answered(peer, 1));
  EXPECT_EQ(peer.frames()[0].stream, 1U);
  EXPECT_EQ(peer.frames()[0].type, FrameType::kResponse);
  EXPECT_EQ(peer.response(0).value(), "hello");
}

TEST_F(Serving, AnswersOutOfOrder) {
  RawPeer peer = connect();
  peer.request(1, "test.S", "Keep");
  peer.request(3, "test.S", "Echo", "second");
  ASSERT_TRUE(answered(peer, 1));
  EXPECT_EQ(peer.frames()[0].stream, 3U);
  kept_.at(0).answer("first");
  ASSERT_TRUE(answered(peer, 2));
  EXPECT_EQ(peer.frames()[1].stream, 1U);
}

TEST_F(Serving, APeerOfAnotherUserOrGroupIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can be another user";
  constexpr unsigned kNobody = 65534;
  {
    ASSERT_EQ(::setegid(kNobody), 0);  // the kernel notes who connects, not who reads
    const ScopeExit back([group = ::getgid()] { (void)::setegid(group); });
    RawPeer peer = connect();
    ASSERT_EQ(::setegid(::getgid()), 0);
    EXPECT_TRUE(run_until([&] { return peer.closed(); }));
  }
  RawPeer peer = connect();
  peer.request(1, "test.S", "Echo", "ours");
  EXPECT_TRUE(answered(peer, 1));
}

TEST_F(Serving, KnowsSinceWhenItIsAlone) {
  const auto started = server_->alone_since();
  ASSERT_TRUE(started.has_value());
  {
    RawPeer peer = connect();
    EXPECT_TRUE(run_until([&] { return !server_->alone_since(); }));
  }
  EXPECT_TRUE(run_until([&] { return server_->alone_since().has_value(); }));
  EXPECT_GT(*server_->alone_since(), *started);
}

TEST_F(Serving, EvenAndReusedStreamsAreInvalid) {
  RawPeer peer = connect();
  peer.request(2, "test.S", "Echo");
  peer.request(5, "test.S", "Echo");
  peer.request(5, "test.S", "Echo");
  peer.request(3, "test.S", "Echo");
  peer.request(7, "test.S", "Echo");
  ASSERT_TRUE(answered(peer, 5));
  EXPECT_EQ(peer.response(0).error().code, Code::kInvalidArgument);
  EXPECT_TRUE(peer.response(1));
  EXPECT_EQ(peer.response(2).error().code, Code::kInvalidArgument);
  EXPECT_EQ(peer.response(3).error().code, Code::kInvalidArgument);
  EXPECT_TRUE(peer.response(4));
}

TEST_F(Serving, UnknownServicesAndMethodsAreUnimplemented) {
  RawPeer peer = connect();
  peer.request(1, "containerd.task.v3.Task", "Create");
  peer.request(3, "test.S", "Nothing");
  ASSERT_TRUE(answered(peer, 2));
  EXPECT_EQ(peer.response(0).error().code, Code::kUnimplemented);
  EXPECT_EQ(peer.response(1).error().code, Code::kUnimplemented);
}

TEST_F(Serving, AMalformedRequestIsInvalidOnItsStreamAndTheConnectionGoesOn) {
  RawPeer peer = connect();
  peer.send(encode_frame(1, FrameType::kRequest, "\xff\xff\xff"));
  peer.send(encode_frame(3, FrameType::kRequest, ""));
  peer.request(5, "test.S", "Echo", "still here");
  ASSERT_TRUE(answered(peer, 3));
  EXPECT_EQ(peer.response(0).error().code, Code::kInvalidArgument);
  EXPECT_EQ(peer.response(1).error().code, Code::kUnimplemented);
  EXPECT_EQ(peer.response(2).value(), "still here");
}

TEST_F(Serving, UnknownFrameTypesAreIgnored) {
  RawPeer peer = connect();
  peer.send(encode_frame(1, static_cast<FrameType>(99), "?"));
  peer.send(encode_frame(1, FrameType::kResponse, "?"));
  peer.send(encode_frame(1, FrameType::kData, "?"));
  peer.request(1, "test.S", "Echo", "x");
  ASSERT_TRUE(answered(peer, 1));
  EXPECT_EQ(peer.response(0).value(), "x");
}

TEST_F(Serving, AFrameOverTheLimitIsAnsweredAndTheConnectionGoesOn) {
  RawPeer peer = connect();
  std::string bytes = encode_frame(1, FrameType::kRequest, "");
  bytes[0] = 1;  // 16 MiB
  bytes.append(16U << 20U, 'x');
  send_all(peer, bytes);
  peer.request(3, "test.S", "Echo", "next");
  ASSERT_TRUE(answered(peer, 2));
  EXPECT_EQ(peer.frames()[0].stream, 1U);
  EXPECT_EQ(peer.response(0).error().code, Code::kResourceExhausted);
  EXPECT_EQ(peer.response(1).value(), "next");
}

TEST_F(Serving, ALargeRequestAndAnswerPassAndATooLargeAnswerFailsAlone) {
  RawPeer peer = connect();
  const std::string payload(3U << 20U, 'y');
  send_all(peer,
           encode_frame(1, FrameType::kRequest,
                        encode_request("test.S", "Echo", payload, std::chrono::seconds(1), {})));
  peer.request(3, "test.S", "Large", std::to_string(5U << 20U));
  peer.request(5, "test.S", "Echo", "after");
  ASSERT_TRUE(answered(peer, 3));
  EXPECT_EQ(peer.response(0).value(), payload);
  EXPECT_EQ(peer.response(1).error().code, Code::kResourceExhausted);
  EXPECT_EQ(peer.response(2).value(), "after");
}

TEST_F(Serving, AForgottenAnswerIsInternal) {
  RawPeer peer = connect();
  peer.request(1, "test.S", "Forget");
  ASSERT_TRUE(answered(peer, 1));
  EXPECT_EQ(peer.response(0).error().code, Code::kInternal);
}

TEST_F(Serving, RequestsByteByByteArePutTogether) {
  RawPeer peer = connect();
  for (const char byte :
       encode_frame(1, FrameType::kRequest,
                    encode_request("test.S", "Echo", "slow", std::chrono::seconds(1), {}))) {
    send_all(peer, {&byte, 1});
    loop_.restart();
    loop_.poll();
  }
  ASSERT_TRUE(answered(peer, 1));
  EXPECT_EQ(peer.response(0).value(), "slow");
}

TEST_F(Serving, AConnectionThatEndsLeavesItsRequestsRunningAndDropsTheirAnswers) {
  {
    RawPeer peer = connect();
    peer.request(1, "test.S", "Keep");
    ASSERT_TRUE(run_until([&] { return kept_.size() == 1; }));
    peer.send(encode_frame(3, FrameType::kRequest, "half").substr(0, 12));
  }
  RawPeer other = connect();
  other.request(1, "test.S", "Echo", "a");
  ASSERT_TRUE(answered(other, 1));
  kept_.at(0).answer("to nobody");
  other.request(3, "test.S", "Echo", "b");
  ASSERT_TRUE(answered(other, 2));
  EXPECT_EQ(other.response(1).value(), "b");
}

TEST_F(Serving, APeerThatDoesNotReadIsDisconnectedAndOthersAreServed) {
  RawPeer deaf = connect();
  RawPeer other = connect();
  const std::size_t answers = kMaxOutgoingBytes / (1U << 20U) + 4;
  for (std::uint32_t i = 0; i < answers; ++i)
    deaf.request(2 * i + 1, "test.S", "Large", std::to_string(1U << 20U));
  other.request(1, "test.S", "Echo", "alive");
  ASSERT_TRUE(answered(other, 1));
  ASSERT_TRUE(run_until([&] { return deaf.closed(); }));
  EXPECT_LT(deaf.frames().size(), answers);
}

TEST_F(Serving, AFloodOfRequestsNobodyAnswersIsBounded) {
  RawPeer peer = connect();
  std::string flood;
  for (std::uint32_t i = 0; i < 5000; ++i) {
    flood += encode_frame(2 * i + 1, FrameType::kRequest,
                          encode_request("test.S", "Keep", "", std::chrono::seconds(0), {}));
  }
  send_all(peer, flood);
  ASSERT_TRUE(answered(peer, 5000 - 4096));
  EXPECT_EQ(kept_.size(), 4096U);
  EXPECT_EQ(peer.response(0).error().code, Code::kResourceExhausted);
}

TEST_F(Serving, ProbesThatConnectAndCloseAtOnceLeaveNoDescriptor) {
  const auto open = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
  };
  { RawPeer peer = connect(); }
  const auto before = open();
  for (int i = 0; i < 200; ++i) connect();
  ASSERT_TRUE(run_until([&] { return open() <= before; }));
}

TEST_F(Serving, WithoutDescriptorsItWaitsInsteadOfSpinningAndThenServes) {
  RawPeer peer = connect();
  loop_.restart();
  loop_.poll();
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &old), 0);
  const ScopeExit restore([&] { ::setrlimit(RLIMIT_NOFILE, &old); });
  RawPeer late = connect();  // in the queue of the listener
  late.request(1, "test.S", "Echo", "late");
  const UniqueFd lowest(::dup(0));
  rlimit tight = old;
  tight.rlim_cur = static_cast<rlim_t>(lowest.get());
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &tight), 0);
  int handlers = 0;
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(300);
  while (std::chrono::steady_clock::now() < until) {
    loop_.restart();
    handlers += static_cast<int>(loop_.run_one_until(until));
  }
  EXPECT_LT(handlers, 20);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &old), 0);
  ASSERT_TRUE(answered(late, 1));
  EXPECT_EQ(late.response(0).value(), "late");
}

TEST_F(Serving, StopLetsBufferedAnswersOut) {
  RawPeer peer = connect();
  peer.request(1, "test.S", "Large", std::to_string(3U << 20U));
  RawPeer idle = connect();
  idle.request(1, "test.S", "Echo");
  ASSERT_TRUE(answered(idle, 1));
  bool stopped = false;
  server_->stop([&] { stopped = true; });
  ASSERT_TRUE(answered(peer, 1));
  EXPECT_EQ(peer.response(0)->size(), 3U << 20U);
  ASSERT_TRUE(run_until([&] { return stopped; }));
  EXPECT_TRUE(peer.closed());
  EXPECT_TRUE(idle.closed());
  EXPECT_EQ(connect_unix(path_).error().code, Code::kUnavailable);
}

TEST_F(Serving, StopDoesNotWaitForAPeerThatDoesNotRead) {
  RawPeer deaf = connect();
  deaf.request(1, "test.S", "Large", std::to_string(3U << 20U));
  RawPeer other = connect();
  other.request(1, "test.S", "Echo");
  ASSERT_TRUE(answered(other, 1));
  bool stopped = false;
  server_->stop([&] { stopped = true; });
  ASSERT_TRUE(run_until([&] { return stopped; }, std::chrono::seconds(10)));
}

TEST_F(Serving, AnAnswerAfterTheServerIsGoneIsDropped) {
  RawPeer peer = connect();
  peer.request(1, "test.S", "Keep");
  ASSERT_TRUE(run_until([&] { return kept_.size() == 1; }));
  server_.reset();
  kept_.at(0).answer("too late");
  ASSERT_TRUE(run_until([&] { return peer.closed(); }));
}

TEST_F(Serving, AConnectionOfAnotherUserIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to connect as another user";
  std::filesystem::permissions(directory_, std::filesystem::perms::all);
  std::filesystem::permissions(path_, std::filesystem::perms::all);
  int ends[2] = {-1, -1};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  // The credentials are those of the moment of connect(), so a child of another uid connects and
  // hands the socket over.
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (::setuid(65534) != 0) ::_exit(1);
    const auto socket = connect_unix(path_);
    ::_exit(socket && send_descriptors(theirs, "x", {socket->get()}) ? 0 : 1);
  }
  auto message = receive_descriptors(ours);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  ASSERT_TRUE(message);
  RawPeer stranger(std::move(message->descriptors.at(0)));
  stranger.request(1, "test.S", "Echo");
  ASSERT_TRUE(run_until([&] { return stranger.closed(); }));
  EXPECT_TRUE(stranger.frames().empty());
}

}  // namespace
}  // namespace ward::ttrpc
