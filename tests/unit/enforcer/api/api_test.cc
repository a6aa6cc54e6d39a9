// SPDX-License-Identifier: Apache-2.0
// The API over a real unix socket with a real gRPC client.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>
#include <future>
#include <optional>
#include <thread>

#include "enforcer/api/server.h"
#include "lib/base/clock.h"
#include "lib/linux/unix_socket.h"
#include "tests/unit/enforcer/scratch_directory.h"
#include "ward/v1/api.grpc.pb.h"

namespace ward::enforcer {
namespace {

class ApiTest : public testing::Test {
 protected:
  ApiTest()
      : keep_(asio::make_work_guard(loop_)),
        writer_(loop_, database()),
        journal_(writer_, database(), {}) {
    auto socket = listen_unix(socket_path());
    EXPECT_TRUE(socket);
    Operations operations;
    operations.status = [](const v1::GetStatusRequest&) -> Result<v1::NodeStatus> {
      v1::NodeStatus status;
      status.set_version("test");
      return status;
    };
    operations.recording = [](const v1::GetRecordingRequest& request) -> Result<v1::Recording> {
      return fail(Code::kNotFound, "nothing was recorded for '" + request.workload() + "'");
    };
    operations.kill = [this](const v1::ContainerRequest&,
                             std::function<void(Result<v1::ContainerResponse>)> done) {
      asio::post(loop_, [done] { done(v1::ContainerResponse()); });
    };
    operations.apply = [](const v1::ApplyProfileRequest& request,
                          std::function<void(Result<v1::ApplyProfileResponse>)> done) {
      v1::ApplyProfileResponse response;
      response.add_warnings(std::to_string(request.yaml().size()));
      done(response);
    };
    server_.emplace(loop_, std::move(*socket), std::move(operations), journal_);
    EXPECT_TRUE(server_->start());
    thread_ = std::thread([this] { loop_.run(); });
  }

  ~ApiTest() override {
    stop();
    keep_.reset();
    thread_.join();
    server_.reset();
  }

  void stop() {
    if (stopped_) return;
    stopped_ = true;
    std::promise<void> done;
    asio::post(loop_, [&] { server_->stop([&] { done.set_value(); }); });
    done.get_future().wait();
  }

  std::filesystem::path database() { return directory_.path() / "ward.db"; }
  std::filesystem::path socket_path() { return directory_.path() / "api.sock"; }

  std::unique_ptr<v1::Ward::Stub> client() {
    return v1::Ward::NewStub(
        grpc::CreateChannel("unix:" + socket_path().string(), grpc::InsecureChannelCredentials()));
  }

  void append(const std::string& id) {
    std::promise<Result<void>> done;
    asio::post(loop_, [&] {
      JournalEntry entry{EventKind::kViolation, {}};
      entry.body.set_event_id(id);
      entry.body.set_wall_ns(wall_ns());
      entry.body.set_contained_ns(1);
      journal_.append({entry}, [&](Result<void> result) { done.set_value(std::move(result)); });
    });
    EXPECT_TRUE(done.get_future().get());
  }

  test::ScratchDirectory directory_;
  asio::io_context loop_;
  asio::executor_work_guard<asio::io_context::executor_type> keep_;
  Writer writer_;
  Journal journal_;
  std::optional<ApiServer> server_;
  std::thread thread_;
  bool stopped_ = false;
};

void set_deadline(grpc::ClientContext& context, int seconds = 20) {
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(seconds));
}

// The ids that a stream has before it waits, or ends.
std::vector<std::string> read_ids(v1::Ward::Stub& ward, const v1::ListEventsRequest& request,
                                  std::size_t count) {
  grpc::ClientContext context;
  set_deadline(context);
  const auto reader = ward.ListEvents(&context, request);
  std::vector<std::string> ids;
  v1::Event event;
  while (ids.size() < count && reader->Read(&event)) ids.push_back(event.id());
  context.TryCancel();
  (void)reader->Finish();
  return ids;
}

TEST_F(ApiTest, F28_AFollowerGetsNewOnesOnlyAndIsToldWhereItBegan) {
  append("old");
  auto ward = client();
  grpc::ClientContext context;
  set_deadline(context);
  v1::ListEventsRequest request;
  request.set_follow(true);
  request.set_only_new(true);
  const auto reader = ward->ListEvents(&context, request);
  reader->WaitForInitialMetadata();
  const auto place = context.GetServerInitialMetadata().find("ward-after");
  ASSERT_NE(place, context.GetServerInitialMetadata().end());
  EXPECT_EQ(std::string(place->second.data(), place->second.size()), "1");
  append("new");
  v1::Event event;
  ASSERT_TRUE(reader->Read(&event));
  EXPECT_EQ(event.id(), "new");
  context.TryCancel();
  (void)reader->Finish();
}

TEST_F(ApiTest, F28_SinceIsOfWhatIsThereAndWhatComesIsNewWheneverItHappened) {
  append("old");
  const std::int64_t between = wall_ns();
  append("newer");
  auto ward = client();
  v1::ListEventsRequest request;
  request.set_since_wall_ns(between);
  EXPECT_EQ(read_ids(*ward, request, 9), std::vector<std::string>{"newer"});
  request.set_only_new(true);
  EXPECT_TRUE(read_ids(*ward, request, 9).empty());
  // A number from a journal that was begun anew since: what comes is shown all the same.
  v1::ListEventsRequest beyond;
  beyond.set_follow(true);
  beyond.set_after_sequence(1000);
  grpc::ClientContext context;
  set_deadline(context);
  const auto reader = ward->ListEvents(&context, beyond);
  reader->WaitForInitialMetadata();
  append("after");
  v1::Event event;
  ASSERT_TRUE(reader->Read(&event));
  EXPECT_EQ(event.id(), "after");
  context.TryCancel();
  (void)reader->Finish();
}

TEST_F(ApiTest, AnswersOverAConnectionItAcceptedItself) {
  auto ward = client();
  grpc::ClientContext context;
  set_deadline(context);
  v1::NodeStatus status;
  const auto answer = ward->GetStatus(&context, {}, &status);
  ASSERT_TRUE(answer.ok()) << answer.error_message();
  EXPECT_EQ(status.version(), "test");
}

TEST_F(ApiTest, ErrorsKeepTheirCodeAndText) {
  auto ward = client();
  grpc::ClientContext context;
  set_deadline(context);
  v1::GetRecordingRequest request;
  request.set_workload("web");
  v1::Recording recording;
  const auto answer = ward->GetRecording(&context, request, &recording);
  EXPECT_EQ(answer.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(answer.error_message(), "nothing was recorded for 'web'");
}

TEST_F(ApiTest, AnOperationMayAnswerLater) {
  auto ward = client();
  grpc::ClientContext context;
  set_deadline(context);
  v1::ContainerResponse response;
  EXPECT_TRUE(ward->KillContainer(&context, {}, &response).ok());
}

TEST_F(ApiTest, AMessageOverFourMebibytesIsRefused) {
  auto ward = client();
  v1::ApplyProfileRequest request;
  request.set_yaml(std::string(ApiServer::kMaxMessageBytes, 'x'));
  v1::ApplyProfileResponse response;
  grpc::ClientContext context;
  set_deadline(context);
  EXPECT_EQ(ward->ApplyProfile(&context, request, &response).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  grpc::ClientContext second;
  set_deadline(second);
  request.set_yaml("small");
  EXPECT_TRUE(ward->ApplyProfile(&second, request, &response).ok())
      << "the connection is still good";
}

TEST_F(ApiTest, EventsAreListedInOrderAndTheStreamEnds) {
  append("a");
  append("b");
  auto ward = client();
  grpc::ClientContext context;
  set_deadline(context);
  auto stream = ward->ListEvents(&context, {});
  v1::Event event;
  ASSERT_TRUE(stream->Read(&event));
  EXPECT_EQ(event.id(), "a");
  EXPECT_EQ(event.kind(), "violation");
  EXPECT_EQ(event.contained_us(), 1) << "a contained violation never shows as zero";
  ASSERT_TRUE(stream->Read(&event));
  EXPECT_EQ(event.id(), "b");
  EXPECT_FALSE(stream->Read(&event));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(ApiTest, AFollowerGetsNewEventsAndEndsCleanlyAtShutdown) {
  append("before");
  auto ward = client();
  grpc::ClientContext context;
  set_deadline(context);
  v1::ListEventsRequest request;
  request.set_follow(true);
  auto stream = ward->ListEvents(&context, request);
  v1::Event event;
  ASSERT_TRUE(stream->Read(&event));
  EXPECT_EQ(event.id(), "before");
  for (int i = 0; i < 300; ++i) append("n" + std::to_string(i));
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(stream->Read(&event));
    EXPECT_EQ(event.id(), "n" + std::to_string(i));
  }
  stop();
  EXPECT_FALSE(stream->Read(&event));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(ApiTest, AFollowerThatGoesAwayMidStreamIsForgotten) {
  auto ward = client();
  for (int i = 0; i < ApiServer::kMaxFollowers + 10; ++i) {
    grpc::ClientContext context;
    set_deadline(context);
    v1::ListEventsRequest request;
    request.set_follow(true);
    auto stream = ward->ListEvents(&context, request);
    stream->WaitForInitialMetadata();
    context.TryCancel();
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
    // The cancellation reaches the server before a later call of the same connection does.
    grpc::ClientContext after;
    set_deadline(after);
    v1::NodeStatus status;
    ASSERT_TRUE(ward->GetStatus(&after, {}, &status).ok());
  }
}

TEST_F(ApiTest, AnotherUserIsRefusedEvenWhereTheFileModesWouldLetHim) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become another user";
  ASSERT_EQ(::chmod(directory_.path().c_str(), 0777), 0);
  ASSERT_EQ(::chmod(socket_path().c_str(), 0777), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    // Plain system calls only: this is a fork of a program with threads.
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(3);
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socket_path().string().copy(static_cast<char*>(address.sun_path), sizeof(address.sun_path) - 1);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) ::_exit(4);
    const timeval limit{10, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    char byte = 0;
    ::_exit(::read(fd, &byte, 1) == 0 ? 0 : 5);  // closed without a single byte of HTTP/2
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace ward::enforcer
