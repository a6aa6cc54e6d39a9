// SPDX-License-Identifier: Apache-2.0
// The node link with a real ttrpc client in the part of a shim.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>

#include "enforcer/node_link/container_commands.h"
#include "enforcer/node_link/node_service.h"
#include "lib/linux/unix_socket.h"
#include "lib/ttrpc/client.h"
#include "lib/ttrpc/server.h"
#include "tests/unit/enforcer/run_until.h"
#include "tests/unit/enforcer/scratch_directory.h"

namespace ward::enforcer {
namespace {

node::v1::ContainerStatus container(
    const std::string& id, node::v1::ContainerState state = node::v1::CONTAINER_STATE_RUNNING) {
  node::v1::ContainerStatus status;
  status.mutable_identity()->set_containerd_namespace("default");
  status.mutable_identity()->set_container_id(id);
  status.set_state(state);
  return status;
}

// A process that lives until it is told not to: the shim, as far as wardd watches it.
class Process {
 public:
  Process() : pid_(::fork()) {
    if (pid_ == 0) {
      for (;;) ::pause();
    }
  }
  ~Process() { end(); }
  void end() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

class NodeLinkTest : public testing::Test {
 protected:
  NodeLinkTest()
      : writer_(loop_, database()),
        journal_(writer_, database(), {}),
        shims_(loop_, [this](const KnownShim& shim) { containers_.remove_shim(shim.address); }) {
    RecordingCalls calls;
    calls.begin = [](const node::v1::BeginRecordingRequest& request) -> Result<void> {
      if (request.run_id().empty()) return fail(Code::kFailedPrecondition, "no BPF here");
      return {};
    };
    calls.end = [](const node::v1::EndRecordingRequest&) -> Result<void> { return {}; };
    auto socket = listen_unix(directory_.path() / "node.sock");
    EXPECT_TRUE(socket);
    service_.emplace(loop_, std::move(*socket), containers_, shims_, journal_, writer_, calls);
    service_->start();
    client_.emplace(loop_, (directory_.path() / "node.sock").string());
  }

  std::filesystem::path database() { return directory_.path() / "ward.db"; }
  std::string shim_address() { return (directory_.path() / "shim.sock").string(); }

  template <typename Answer, typename Request>
  Result<Answer> call(const char* method, const Request& request) {
    return call_raw<Answer>(method, request.SerializeAsString());
  }
  template <typename Answer>
  Result<Answer> call_raw(const char* method, std::string payload) {
    std::optional<Result<std::string>> bytes;
    client_->call("ward.node.v1.Node", method, std::move(payload), std::chrono::seconds(10),
                  [&](Result<std::string> result) { bytes = std::move(result); });
    EXPECT_TRUE(test::run_until(loop_, [&] { return bytes.has_value(); }));
    if (!bytes || !*bytes) return tl::unexpected<Error>(bytes ? bytes->error() : Error{});
    Answer answer;
    EXPECT_TRUE(answer.ParseFromString(**bytes));
    return answer;
  }
  Result<node::v1::RegisterResponse> register_shim(
      const Process& shim, const std::vector<node::v1::ContainerStatus>& all) {
    node::v1::RegisterRequest request;
    request.set_shim_pid(shim.pid());
    request.set_shim_address(shim_address());
    for (const auto& status : all) *request.add_containers() = status;
    return call<node::v1::RegisterResponse>("Register", request);
  }

  test::ScratchDirectory directory_;
  asio::io_context loop_;
  Writer writer_;
  Journal journal_;
  ContainerTable containers_;
  ShimLinks shims_;
  std::optional<NodeService> service_;
  std::optional<ttrpc::Client> client_;
};

TEST_F(NodeLinkTest, RegisteringReplacesWhatTheShimHadBefore) {
  const Process shim;
  ASSERT_TRUE(register_shim(shim, {container("a"), container("b")}));
  EXPECT_EQ(containers_.size(), 2U);
  const auto answer = register_shim(shim, {container("b"), container("c")});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->node_version(), WARD_VERSION);
  EXPECT_FALSE(containers_.find("default", "a"));
  EXPECT_TRUE(containers_.find("", "c"));
}

TEST_F(NodeLinkTest, TheContainersOfAShimVanishWithItsProcess) {
  Process shim;
  ASSERT_TRUE(register_shim(shim, {container("a")}));
  shim.end();
  EXPECT_TRUE(test::run_until(loop_, [&] { return containers_.size() == 0; }));
  EXPECT_EQ(shims_.size(), 0U);
}

TEST_F(NodeLinkTest, AShimThatDoesNotLiveIsNotBelieved) {
  Process shim;
  const pid_t pid = shim.pid();
  shim.end();
  node::v1::RegisterRequest request;
  request.set_shim_pid(pid);
  request.set_shim_address(shim_address());
  *request.add_containers() = container("a");
  EXPECT_FALSE(call<node::v1::RegisterResponse>("Register", request));
  request.set_shim_pid(-1);
  EXPECT_EQ(call<node::v1::RegisterResponse>("Register", request).error().code,
            Code::kInvalidArgument);
  request.set_shim_pid(::getpid());
  request.set_shim_address("relative");
  EXPECT_EQ(call<node::v1::RegisterResponse>("Register", request).error().code,
            Code::kInvalidArgument);
  EXPECT_EQ(containers_.size(), 0U);
}

TEST_F(NodeLinkTest, GoneTakesAwayOnlyTheShimsOwnContainer) {
  const Process shim;
  ASSERT_TRUE(register_shim(shim, {container("a")}));
  node::v1::UpdateContainerRequest update;
  update.set_shim_pid(shim.pid());
  update.set_shim_address("/some/other/shim");
  *update.mutable_container() = container("a", node::v1::CONTAINER_STATE_GONE);
  ASSERT_TRUE(call<node::v1::Ack>("UpdateContainer", update));
  EXPECT_EQ(containers_.size(), 1U);
  update.set_shim_address(shim_address());
  ASSERT_TRUE(call<node::v1::Ack>("UpdateContainer", update));
  EXPECT_EQ(containers_.size(), 0U);
}

TEST_F(NodeLinkTest, I4_AReportIsAnsweredWhenTheJournalHasItAndTwiceIsOnce) {
  node::v1::ReportRequest report;
  report.add_violations()->set_event_id("e1");
  report.add_violations()->set_event_id("e2");
  for (int i = 0; i < 2; ++i) {
    const auto answer = call<node::v1::ReportResponse>("Report", report);
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_THAT(std::vector<std::string>(answer->accepted_event_ids().begin(),
                                         answer->accepted_event_ids().end()),
                testing::ElementsAre("e1", "e2"));
  }
  EXPECT_EQ(journal_.read(0, "", 100)->size(), 2U);
}

TEST_F(NodeLinkTest, WhatIsNotAMessageIsAnErrorAndTheLinkLivesOn) {
  EXPECT_EQ(call_raw<node::v1::ReportResponse>("Report", "\xff\xff\xff\xff").error().code,
            Code::kInvalidArgument);
  EXPECT_EQ(call_raw<node::v1::Ack>("NoSuchMethod", "").error().code, Code::kUnimplemented);
  EXPECT_TRUE(call<node::v1::ReportResponse>("Report", node::v1::ReportRequest()));
}

TEST_F(NodeLinkTest, ARecordingThatCannotBeginSaysWhy) {
  const auto answer =
      call<node::v1::BeginRecordingResponse>("BeginRecording", node::v1::BeginRecordingRequest());
  ASSERT_TRUE(answer);
  EXPECT_FALSE(answer->recording());
  EXPECT_EQ(answer->why_not(), "no BPF here");
}

TEST_F(NodeLinkTest, AReleaseReachesTheShimAndTheJournal) {
  const Process shim;
  auto socket = listen_unix(shim_address());
  ASSERT_TRUE(socket);
  ttrpc::Server server(loop_, std::move(*socket));
  std::string reason;
  server.add("ward.node.v1.Shim", "Release",
             [&](const ttrpc::Request& request, ttrpc::Responder responder) {
               node::v1::ContainerCommand command;
               EXPECT_TRUE(command.ParseFromString(request.payload));
               reason = command.reason();
               containers_.update(shim.pid(), shim_address(), container("a"));
               responder.reply(node::v1::Ack());
             });
  server.start();
  ASSERT_TRUE(
      register_shim(shim, {container("a", node::v1::CONTAINER_STATE_QUARANTINED), container("b")}));

  const auto release = [&](const std::string& id) {
    std::optional<Result<ContainerEntry>> done;
    command_container({ContainerCommandKind::kRelease, "", id, "false alarm"}, containers_, shims_,
                      journal_, [&](Result<ContainerEntry> entry) { done = std::move(entry); });
    EXPECT_TRUE(test::run_until(loop_, [&] { return done.has_value(); }));
    return *done;
  };
  const auto released = release("a");
  ASSERT_TRUE(released) << released.error().message;
  EXPECT_EQ(released->status.state(), node::v1::CONTAINER_STATE_RUNNING);
  EXPECT_EQ(reason, "false alarm");
  ASSERT_TRUE(test::run_until(loop_, [&] { return journal_.counts().events == 1; }));
  EXPECT_EQ(journal_.read(0, "a", 10)->front().entry.kind, EventKind::kReleased);
  EXPECT_EQ(release("b").error().code, Code::kFailedPrecondition);
  EXPECT_EQ(release("c").error().code, Code::kNotFound);
}

class ModeTest : public NodeLinkTest {
 protected:
  ModeTest() {
    auto socket = listen_unix(shim_address());
    EXPECT_TRUE(socket);
    server_.emplace(loop_, std::move(*socket));
    server_->add(
        "ward.node.v1.Shim", "SetMode",
        [this](const ttrpc::Request& request, ttrpc::Responder responder) {
          node::v1::SetModeRequest command;
          EXPECT_TRUE(command.ParseFromString(request.payload));
          ++commands_;
          if (command.container_id() == "refuses")
            return responder.error({Code::kInternal, "the disk is full", 0});
          if (command.container_id() == "old") return responder.reply(node::v1::Ack());
          node::v1::SetModeResponse response;
          *response.mutable_container() = in_mode(command.container_id(), command.mode());
          response.mutable_container()->set_partly("capabilities: own until the next start");
          responder.reply(response);
        });
    server_->start();
    EXPECT_TRUE(register_shim(
        shim_, {in_mode("a", node::v1::MODE_SUPERVISE), in_mode("old", node::v1::MODE_SUPERVISE),
                in_mode("refuses", node::v1::MODE_SUPERVISE), in_mode("b", node::v1::MODE_LEARN),
                in_mode("c", node::v1::MODE_OFF)}));
    containers_.observe([this](const ContainerEntry* before, const ContainerEntry* after) {
      if (before != nullptr && after != nullptr && before->status.mode() != after->status.mode())
        journalled_.push_back(after->asked);
    });
  }
  static node::v1::ContainerStatus in_mode(const std::string& id, node::v1::Mode mode) {
    auto status = container(id);
    status.set_mode(mode);
    return status;
  }
  Result<ModeSet> set(const std::string& id, node::v1::Mode mode) {
    std::optional<Result<ModeSet>> done;
    set_container_mode({"", id, mode, "looked at it"}, containers_, shims_,
                       [&](Result<ModeSet> set) { done = std::move(set); });
    EXPECT_TRUE(test::run_until(loop_, [&] { return done.has_value(); }));
    return *done;
  }

  const Process shim_;
  std::optional<ttrpc::Server> server_;
  int commands_ = 0;
  std::vector<std::string> journalled_;  // the reasons
};

TEST_F(ModeTest, F08_AModeReachesTheShimAndTheJournalOnceWithItsReason) {
  const auto set_once = set("a", node::v1::MODE_ENFORCE);
  ASSERT_TRUE(set_once) << set_once.error().message;
  EXPECT_FALSE(set_once->unchanged);
  EXPECT_EQ(set_once->container.status.partly(), "capabilities: own until the next start");
  EXPECT_EQ(containers_.find("", "a")->status.mode(), node::v1::MODE_ENFORCE)
      << "at once, and not when the shim tells";
  const auto set_twice = set("a", node::v1::MODE_ENFORCE);
  ASSERT_TRUE(set_twice);
  EXPECT_TRUE(set_twice->unchanged);
  EXPECT_EQ(commands_, 1);
  // What the shim tells by itself is no second change, and a later one of its own is nobody's wish.
  containers_.update(shim_.pid(), shim_address(), in_mode("a", node::v1::MODE_ENFORCE));
  containers_.update(shim_.pid(), shim_address(), in_mode("a", node::v1::MODE_SUPERVISE));
  EXPECT_THAT(journalled_, testing::ElementsAre("looked at it", ""));
}

TEST_F(ModeTest, F08_TheReasonIsKeptWhereTheShimsOwnWordComesFirst) {
  server_->add(
      "ward.node.v1.Shim", "SetMode", [this](const ttrpc::Request&, ttrpc::Responder responder) {
        auto told = in_mode("a", node::v1::MODE_SUPERVISE);
        told.set_violations(7);
        containers_.update(shim_.pid(), shim_address(), told);  // of before
        containers_.update(shim_.pid(), shim_address(), in_mode("a", node::v1::MODE_ENFORCE));
        responder.reply(node::v1::Ack());
      });
  ASSERT_TRUE(set("a", node::v1::MODE_ENFORCE));
  EXPECT_THAT(journalled_, testing::ElementsAre("looked at it"));
}

TEST_F(ModeTest, F08_AnOlderShimAndOneThatRefuses) {
  const auto old = set("old", node::v1::MODE_ENFORCE);
  ASSERT_TRUE(old);
  EXPECT_EQ(old->container.status.mode(), node::v1::MODE_ENFORCE);
  const auto refused = set("refuses", node::v1::MODE_ENFORCE);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message,
              testing::AllOf(testing::HasSubstr("default/refuses"), testing::HasSubstr("disk")));
  containers_.update(shim_.pid(), shim_address(), in_mode("refuses", node::v1::MODE_ENFORCE));
  EXPECT_THAT(journalled_, testing::ElementsAre(""))
      << "what was refused is not what happened later";
}

TEST_F(ModeTest, F08_WhatHasNoFilterOfWardCannotBeSwitched) {
  for (const char* id : {"b", "c"}) {
    const auto refused = set(id, node::v1::MODE_ENFORCE);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kFailedPrecondition);
    EXPECT_THAT(refused.error().message, testing::HasSubstr("has no filter of Ward"));
  }
  EXPECT_EQ(set("nobody", node::v1::MODE_ENFORCE).error().code, Code::kNotFound);
  EXPECT_EQ(set("a", node::v1::MODE_LEARN).error().code, Code::kInvalidArgument);
  containers_.update(shim_.pid(), shim_address(),
                     container("a", node::v1::CONTAINER_STATE_STOPPED));
  EXPECT_THAT(set("a", node::v1::MODE_ENFORCE).error().message, testing::HasSubstr("stopped"));
  EXPECT_EQ(commands_, 0);
}

TEST_F(NodeLinkTest, ANewWarddAsksTheShimsOfTheOneBefore) {
  const Process shim;
  auto socket = listen_unix(shim_address());
  ASSERT_TRUE(socket);
  ttrpc::Server server(loop_, std::move(*socket));
  server.add("ward.node.v1.Shim", "ListContainers",
             [&](const ttrpc::Request&, ttrpc::Responder responder) {
               node::v1::RegisterRequest all;
               *all.add_containers() = container("a");
               responder.reply(all);
             });
  server.start();
  ASSERT_TRUE(register_shim(shim, {}));
  bool stored = false;
  writer_.drain([&] { stored = true; });
  ASSERT_TRUE(test::run_until(loop_, [&] { return stored; }));
  shims_.forget(shim_address());
  service_->ask_known_shims(database());
  EXPECT_TRUE(test::run_until(loop_, [&] { return containers_.size() == 1; }));
}

TEST(ContainerTable, AnIdInTwoNamespacesHasToBeNamedInFull) {
  ContainerTable table;
  auto other = container("a");
  other.mutable_identity()->set_containerd_namespace("k8s.io");
  table.update(1, "/x", container("a"));
  table.update(1, "/x", other);
  EXPECT_EQ(table.find("", "a").error().code, Code::kFailedPrecondition);
  EXPECT_TRUE(table.find("k8s.io", "a"));
}

node::v1::ContainerStatus in_pod(const std::string& id, const std::string& ns,
                                 const std::string& pod, const std::string& name) {
  auto status = container(id);
  auto& who = *status.mutable_identity();
  who.set_containerd_namespace("k8s.io");
  who.set_kubernetes_namespace(ns);
  who.set_pod(pod);
  who.set_container_name(name);
  return status;
}

TEST(ContainerTable, F21_ANameWithItsNamespaceMeansExactlyOneOrIsRefusedWithTheList) {
  ContainerTable table;
  table.update(1, "/x", container("a"));
  table.update(1, "/x", in_pod("11", "shop", "cart", "app"));
  table.update(1, "/x", in_pod("22", "shop", "payment", "app"));
  table.update(1, "/x", in_pod("33", "bank", "cart", "app"));
  const std::string own = container("a").identity().containerd_namespace();
  const auto id_of = [&](const std::string& name) {
    const auto found = table.find("", name);
    return found ? found->status.identity().container_id() : found.error().message;
  };
  EXPECT_EQ(id_of(own + "/a"), "a");
  EXPECT_EQ(id_of("shop/11"), "11");
  EXPECT_EQ(id_of("shop/cart/app"), "11");
  EXPECT_EQ(id_of("payment/app"), "22");
  EXPECT_EQ(id_of("bank/app"), "33");
  for (const char* vague : {"app", "shop/app", "cart/app"}) {
    EXPECT_EQ(table.find("", vague).error().code, Code::kFailedPrecondition) << vague;
  }
  EXPECT_NE(id_of("shop/app").find("k8s.io/11 (shop/cart/app)"), std::string::npos)
      << id_of("shop/app");
  EXPECT_NE(id_of("shop/app").find("k8s.io/22 (shop/payment/app)"), std::string::npos);
  EXPECT_EQ(table.find("", "k8s.io/a").error().code, Code::kNotFound);
  // A pod chooses its names, and may choose another container's id.
  table.update(1, "/x", in_pod("44", "evil", "p", "a"));
  EXPECT_EQ(id_of("a"), "a");
}

}  // namespace
}  // namespace ward::enforcer
