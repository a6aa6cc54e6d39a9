// SPDX-License-Identifier: Apache-2.0
// Recordings with a recorder that sees what it is told.
#include "enforcer/recordings/recordings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <optional>

#include "enforcer/recordings/describe.h"
#include "enforcer/recordings/run_json.h"
#include "lib/oci/seccomp.h"
#include "tests/unit/enforcer/run_until.h"
#include "tests/unit/enforcer/scratch_directory.h"

namespace ward::enforcer {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

profiles::Run observed(const std::vector<std::string>& calls) {
  profiles::Run run;
  for (const std::string& name : calls) {
    profiles::ObservedSyscall call;
    call.nr = oci::find_syscall(name).value();
    call.count = 3;
    call.first_seen_ns = 1'000'000;
    call.last_seen_ns = 9'000'000;
    if (name == "socket") call.arguments[0] = {{2, 38}, false};
    run.syscalls.push_back(call);
  }
  run.capabilities = {{"CAP_CHOWN", profiles::Origin::kWorkload, 2}};
  run.programs = {"/usr/sbin/nginx"};
  run.fine = {profiles::kFineWindow_ns, 2, {{0, 2}}};
  run.coarse = {profiles::kCoarseWindow_ns, 1, {{0, 1}}};
  return run;
}

// Like the real one it outlives wardd: the test hands it from one Recordings to the next.
class FakeRecorder : public RunRecorder {
 public:
  Result<void> begin(const std::string& run_id, pid_t) override {
    runs.emplace(run_id, profiles::Run());
    return {};
  }
  Result<void> begin_running(const std::string& run_id, pid_t) override {
    runs.emplace(run_id, profiles::Run()).first->second.start_seen = false;
    return {};
  }
  Result<std::uint64_t> join(const std::string& run_id, pid_t) override {
    if (runs.count(run_id) == 0) return fail(Code::kNotFound, "no such run");
    return 3;
  }
  Result<void> add_exec(const std::string& run_id, pid_t) override {
    if (runs.count(run_id) == 0) return fail(Code::kNotFound, "no such run");
    return {};
  }
  Result<profiles::Run> snapshot(const std::string& run_id) override {
    if (runs.count(run_id) == 0) return fail(Code::kNotFound, "no such run");
    return runs.at(run_id);
  }
  Result<profiles::Run> end(const std::string& run_id) override {
    auto run = snapshot(run_id);
    runs.erase(run_id);
    return run;
  }
  std::map<std::string, profiles::Run> runs;
};

class RecordingsTest : public testing::Test {
 protected:
  RecordingsTest() { open(); }

  void open() {
    recordings_.reset();
    journal_.reset();
    writer_.reset();
    writer_.emplace(loop_, database());
    journal_.emplace(*writer_, database(), JournalLimits{});
    recordings_.emplace(recorder_, *writer_, *journal_, database(),
                        [this](const std::string&) { return alive_; });
  }
  void settle() {
    bool stored = false;
    writer_->drain([&] { stored = true; });
    EXPECT_TRUE(test::run_until(loop_, [&] { return stored; }));
  }
  Result<void> begin(const std::string& run_id, const std::string& workload = "web") {
    node::v1::BeginRecordingRequest request;
    request.set_run_id(run_id);
    request.set_workload(workload);
    request.set_pid(1);
    request.mutable_identity()->set_containerd_namespace("default");
    request.mutable_identity()->set_container_id(workload + "-1");
    return recordings_->begin(request);
  }
  void end(const std::string& run_id) {
    node::v1::EndRecordingRequest request;
    request.set_run_id(run_id);
    request.set_graceful(true);
    EXPECT_TRUE(recordings_->end(request));
  }
  std::filesystem::path database() { return directory_.path() / "ward.db"; }

  test::ScratchDirectory directory_;
  asio::io_context loop_;
  FakeRecorder recorder_;
  bool alive_ = true;
  std::optional<Writer> writer_;
  std::optional<Journal> journal_;
  std::optional<Recordings> recordings_;
};

TEST(RunJson, ReadingBackGivesTheSameRun) {
  profiles::Run run = observed({"read", "socket"});
  run.id = "r1";
  run.container = "web-1";
  run.started_wall_ns = 5;
  run.ended_wall_ns = 9;
  run.exit_status = 137;
  run.runtime = observed({"prctl"}).syscalls;
  run.lost_events = 4;
  run.foreign_calls = 1;
  run.refused = observed({"keyctl"}).syscalls;
  run.foreign_programs = {"/opt/tool32"};
  run.unknown_calls = {{600}, true};
  run.life = profiles::Life{{{15, profiles::Receiver::kExec, profiles::Sender::kKernel, 2, 3, 44}},
                            true,
                            5,
                            {1, 15},
                            profiles::ProcessEnd{256, 99}};
  run.source = {"k8s.io", "shop", "cart-1", "app", "docker.io/shop/cart:1", "abc"};
  run.start_seen = false;
  run.record_id = "0123456789abcdef";
  run.syscalls.back().together = profiles::ArgumentTuples{{{2, 0x80001, 0}, {38, 5, 0}}, true};
  const auto back = read_run_json(write_run_json(run));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, run);
}

TEST(RunJson, F01_ARunFromBeforeRefusedCallsWereRecordedHasNone) {
  std::string text = write_run_json(observed({"read"}));
  const std::string key = "\"refused\":[],";
  ASSERT_NE(text.find(key), std::string::npos) << text;
  const auto back = read_run_json(text.erase(text.find(key), key.size()));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_TRUE(back->refused.empty());
}

TEST(RunJson, F24_ARunFromBeforeLifeWasRecordedHasNone) {
  std::string text = write_run_json(observed({"read"}));
  EXPECT_EQ(text.find("\"life\""), std::string::npos);
  for (const std::string key :
       {"\"foreign_programs\":[],", ",\"unknown_calls\":{\"overflowed\":false,\"values\":[]}"}) {
    ASSERT_NE(text.find(key), std::string::npos) << text;
    text.erase(text.find(key), key.size());
  }
  const auto back = read_run_json(text);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_FALSE(back->life);
}

TEST(RunJson, F24_ASignalFromNobodyIsDamage) {
  profiles::Run run = observed({"read"});
  run.life = profiles::Life{
      {{15, profiles::Receiver::kFirst, profiles::Sender::kOutside, 1, 0, 44}}, false, 0, {}, {}};
  std::string text = write_run_json(run);
  const std::string from = "\"from\":0";
  ASSERT_NE(text.find(from), std::string::npos) << text;
  EXPECT_FALSE(read_run_json(text.replace(text.find(from), from.size(), "\"from\":4")));
}

TEST(RunJson, WhatIsDamagedIsAnError) {
  for (const char* text : {"", "{", "[]", "{\"id\": 7}", "null"})
    EXPECT_FALSE(read_run_json(text)) << text;
}

TEST_F(RecordingsTest, RunsAreKeptOneByOneAndSurviveARestart) {
  ASSERT_TRUE(begin("r1"));
  recorder_.runs["r1"] = observed({"read", "socket"});
  end("r1");
  ASSERT_TRUE(begin("r2"));
  recorder_.runs["r2"] = observed({"read", "openat"});
  recorder_.runs["r2"].refused = observed({"keyctl"}).syscalls;
  end("r2");
  settle();
  open();
  const auto found = recordings_->find("web");
  ASSERT_TRUE(found) << found.error().message;
  ASSERT_EQ(found->observations.runs.size(), 2U);
  EXPECT_TRUE(found->observations.runs[0].graceful);
  const v1::Recording shown = describe(*found);
  ASSERT_EQ(shown.syscalls_size(), 3);
  EXPECT_EQ(shown.syscalls(0).name(), "read");
  EXPECT_EQ(shown.syscalls(0).runs(), 2U);
  EXPECT_EQ(shown.syscalls(0).count(), 6U);
  ASSERT_EQ(shown.refused_size(), 1) << "F01";
  EXPECT_EQ(shown.refused(0).name(), "keyctl");
  const v1::SeenSyscall& socket_call = shown.syscalls(1);
  EXPECT_EQ(socket_call.name(), "socket");
  EXPECT_TRUE(socket_call.dangerous()) << "38 is AF_ALG";
  EXPECT_THAT(socket_call.arguments(0).values_text(), Contains("AF_ALG"));
  EXPECT_FALSE(shown.coverage().verdict().empty());
  EXPECT_THAT(recordings_->workloads().value(), ElementsAre("web"));
}

TEST_F(RecordingsTest, AnActiveRunIsSeenAtOnceAndGoesOnAfterARestart) {
  ASSERT_TRUE(begin("r1"));
  recorder_.runs["r1"] = observed({"read"});
  settle();
  EXPECT_EQ(recordings_->find("web")->observations.runs.at(0).syscalls.size(), 1U);
  open();
  recordings_->adopt({"r1"});
  EXPECT_EQ(recordings_->open_runs(), 1U);
  recorder_.runs["r1"] = observed({"read", "openat"});
  end("r1");
  const auto found = recordings_->find("web");
  ASSERT_EQ(found->observations.runs.size(), 1U);
  EXPECT_EQ(found->observations.runs[0].syscalls.size(), 2U);
  EXPECT_EQ(found->observations.runs[0].container, "web-1");
  EXPECT_EQ(found->observations.runs[0].lost_events, 0U);
}

TEST_F(RecordingsTest, ARunThatTheRecorderNoLongerHasIsALossAndSaysSo) {
  ASSERT_TRUE(begin("r1"));
  recorder_.runs["r1"] = observed({"read"});
  recordings_->persist();
  settle();
  open();
  recordings_->adopt({});
  const auto found = recordings_->find("web");
  ASSERT_EQ(found->observations.runs.size(), 1U);
  EXPECT_EQ(found->observations.runs[0].syscalls.size(), 1U) << "what was persisted is still there";
  EXPECT_GT(found->observations.runs[0].lost_events, 0U);
  EXPECT_THAT(describe(*found).warnings(), Contains(HasSubstr("cut off")));
}

TEST_F(RecordingsTest, AnAdoptedRunWithoutARecordIsIdentifiedByItsContainer) {
  recorder_.runs["r1"] = observed({"read"});
  recordings_->adopt({"r1"});
  EXPECT_FALSE(recordings_->find("web"));
  node::v1::ContainerStatus status;
  status.set_recording_id("r1");
  status.set_workload("web");
  status.mutable_identity()->set_container_id("web-1");
  recordings_->identify(status);
  EXPECT_TRUE(recordings_->find("web"));
}

TEST_F(RecordingsTest, ARunOfARequestIsKnownByItAlsoAfterItsEndAndARestart) {
  node::v1::ContainerStatus running;
  running.mutable_identity()->set_containerd_namespace("default");
  running.mutable_identity()->set_container_id("web-1");
  running.set_pid(7);
  ASSERT_TRUE(recordings_->begin_running(running, "r1", "abc", "web"));
  recorder_.runs["r1"] = observed({"read"});
  recorder_.runs["r1"].start_seen = false;
  EXPECT_EQ(recordings_->join("r1", 7).value(), 3U);
  settle();
  open();
  recordings_->adopt({"r1"});
  const auto runs = recordings_->runs_of("abc");
  ASSERT_EQ(runs.size(), 1U);
  EXPECT_EQ(runs[0].run_id, "r1");
  EXPECT_EQ(runs[0].workload, "web");
  EXPECT_FALSE(runs[0].start_seen);
  node::v1::EndRecordingRequest end;
  end.set_run_id("r1");
  end.set_goes_on(true);
  EXPECT_TRUE(recordings_->end(end));
  EXPECT_EQ(recordings_->runs_of("abc").size(), 1U);
  const auto found = recordings_->find("web");
  ASSERT_TRUE(found);
  EXPECT_THAT(found->notes, Contains(HasSubstr("went on")));
  const v1::Recording shown = describe(*found);
  EXPECT_TRUE(shown.runs(0).start_not_seen());
  EXPECT_THAT(shown.warnings(), Contains(HasSubstr("start not seen in 1 of 1 runs")));
}

TEST_F(RecordingsTest, WhatItsShimRefusedLeavesNoTrace) {
  node::v1::ContainerStatus running;
  running.mutable_identity()->set_container_id("web-1");
  ASSERT_TRUE(recordings_->begin_running(running, "r1", "abc", "web"));
  recordings_->drop("r1", "its shim refused");
  settle();
  EXPECT_TRUE(recordings_->runs_of("abc").empty());
  EXPECT_FALSE(recordings_->find("web"));
  EXPECT_TRUE(recorder_.runs.empty());
}

TEST_F(RecordingsTest, ARunThatNobodyClaimsIsEnded) {
  ASSERT_TRUE(begin("r1"));
  alive_ = false;
  for (int i = 0; i < 5; ++i) recordings_->persist();
  EXPECT_EQ(recordings_->open_runs(), 1U) << "its shim may come back";
  recordings_->persist();
  EXPECT_EQ(recordings_->open_runs(), 0U);
  EXPECT_THAT(recordings_->find("web")->notes, Contains(HasSubstr("without a word")));
}

TEST_F(RecordingsTest, F24_OfARunThatNobodyClaimsTheKernelSawTheEnd) {
  ASSERT_TRUE(begin("r1"));
  alive_ = false;
  recorder_.runs["r1"].life = profiles::Life{{}, false, 0, {}, profiles::ProcessEnd{SIGTERM, 5}};
  recordings_->persist();
  EXPECT_EQ(recordings_->open_runs(), 1U) << "its shim may be about to say so";
  recordings_->persist();
  EXPECT_EQ(recordings_->open_runs(), 0U);
  const auto found = recordings_->find("web");
  EXPECT_TRUE(found->notes.empty());
  EXPECT_EQ(found->observations.runs.at(0).exit_status, 143U);
  EXPECT_EQ(describe(*found).runs(0).stop(), "by TERM");
}

TEST_F(RecordingsTest, EndingTwiceOrTheUnknownIsHarmlessAndNonsenseIsRefused) {
  ASSERT_TRUE(begin("r1"));
  end("r1");
  end("r1");
  end("never");
  EXPECT_EQ(begin("").error().code, Code::kInvalidArgument);
  EXPECT_EQ(begin(std::string(200, 'x')).error().code, Code::kInvalidArgument);
  EXPECT_EQ(begin("r1").error().code, Code::kAlreadyExists);
  EXPECT_EQ(recordings_->find("nothing").error().code, Code::kNotFound);
}

TEST_F(RecordingsTest, ARunThatItsShimDidNotWaitForLeavesNoTrace) {
  ASSERT_TRUE(begin("r1"));
  recordings_->persist();
  node::v1::EndRecordingRequest request;
  request.set_run_id("r1");
  request.set_abandoned(true);
  ASSERT_TRUE(recordings_->end(request));
  EXPECT_EQ(recordings_->open_runs(), 0U);
  EXPECT_TRUE(recorder_.runs.empty());
  settle();
  EXPECT_EQ(recordings_->find("web").error().code, Code::kNotFound);
  ASSERT_TRUE(recordings_->end(request)) << "a second one is a shim that did not get the answer";
  open();
  recordings_->adopt({});
  EXPECT_EQ(recordings_->find("web").error().code, Code::kNotFound);
}

TEST_F(RecordingsTest, TheOldestRunsGoFirst) {
  recordings_->set_runs_per_workload(2);
  for (const char* run_id : {"r1", "r2", "r3"}) {
    ASSERT_TRUE(begin(run_id));
    end(run_id);
  }
  settle();
  const auto found = recordings_->find("web");
  ASSERT_EQ(found->observations.runs.size(), 2U);
  EXPECT_EQ(found->observations.runs[0].id, "r2");
}

TEST_F(RecordingsTest, AForgottenWorkloadIsGoneFromMemoryAndDisk) {
  ASSERT_TRUE(begin("aa1"));
  end("aa1");  // not yet on disk
  ASSERT_TRUE(begin("bb1", "other"));
  std::optional<Result<Forgotten>> answer;
  recordings_->forget("web", "",
                      [&](Result<Forgotten> forgotten) { answer = std::move(forgotten); });
  settle();
  ASSERT_TRUE(answer && *answer) << (answer ? (*answer).error().message : "no answer");
  EXPECT_EQ((*answer)->runs, 1U);
  recordings_->persist();
  settle();
  open();
  EXPECT_FALSE(recordings_->find("web"));
  EXPECT_TRUE(recordings_->find("other"));
}

TEST_F(RecordingsTest, OneRunIsForgottenByTheBeginningOfItsIdAndOnlyIfThatIsClear) {
  for (const char* id : {"aa1", "aa2", "bb1"}) {
    ASSERT_TRUE(begin(id));
    if (std::string(id) != "bb1") end(id);
  }
  settle();
  const auto forget = [&](const std::string& workload, const std::string& id) {
    std::optional<Result<Forgotten>> answer;
    recordings_->forget(workload, id,
                        [&](Result<Forgotten> forgotten) { answer = std::move(forgotten); });
    settle();
    return answer.value_or(fail(Code::kInternal, "no answer"));
  };
  EXPECT_EQ(forget("web", "aa").error().code, Code::kInvalidArgument);
  EXPECT_EQ(forget("web", "cc").error().code, Code::kNotFound);
  EXPECT_EQ(forget("nobody", "").error().code, Code::kNotFound);
  EXPECT_EQ(forget("web", "bb1").error().code, Code::kFailedPrecondition) << "it goes on";
  ASSERT_TRUE(forget("web", "aa2"));
  const auto rest = forget("web", "");
  ASSERT_TRUE(rest) << rest.error().message;
  EXPECT_EQ(rest->runs, 1U);
  EXPECT_EQ(rest->kept_active, 1U);
  ASSERT_TRUE(recordings_->find("web"));
  EXPECT_EQ(recordings_->find("web")->observations.runs.size(), 1U);
}

TEST_F(RecordingsTest, F26_RunsOfStrangersUnderOneNameAreSaidAndKnownByTheirSource) {
  const auto begin_of = [&](const std::string& run_id, const std::string& space,
                            const std::string& pod, const std::string& image) {
    node::v1::BeginRecordingRequest request;
    request.set_run_id(run_id);
    request.set_workload("app");
    request.set_pid(1);
    auto& identity = *request.mutable_identity();
    identity.set_containerd_namespace("k8s.io");
    identity.set_kubernetes_namespace(space);
    identity.set_pod(pod);
    identity.set_container_name("app");
    identity.set_image(image);
    identity.set_layers(std::string(64, 'a'));
    ASSERT_TRUE(recordings_->begin(request));
    recorder_.runs[run_id] = observed({"read"});
    end(run_id);
    settle();
  };
  begin_of("r1", "shop", "cart-1", "docker.io/shop/cart:1");
  begin_of("r2", "shop", "cart-2", "docker.io/shop/cart:1");
  EXPECT_THAT(recordings_->problems(), testing::IsEmpty()) << "replicas are one thing";
  begin_of("r3", "shop", "payment", "docker.io/shop/payment:1");
  open();
  recordings_->adopt({});
  EXPECT_THAT(recordings_->problems(),
              ElementsAre(testing::AllOf(
                  HasSubstr("warning: recording 'app': it has runs of different images"),
                  HasSubstr("image docker.io/shop/cart:1 with the layers aaaaaaaaaaaa"),
                  HasSubstr("image docker.io/shop/payment:1"))));
  const auto found = recordings_->find("app");
  ASSERT_TRUE(found);
  const auto shown = describe(*found);
  ASSERT_EQ(shown.runs_size(), 3);
  EXPECT_EQ(shown.runs(2).kubernetes_namespace(), "shop");
  EXPECT_EQ(shown.runs(2).pod(), "payment");
  EXPECT_EQ(shown.runs(2).container_name(), "app");
  EXPECT_EQ(shown.runs(2).image(), "docker.io/shop/payment:1");
  EXPECT_THAT(shown.warnings(), Contains(HasSubstr("different images")));
  bool forgotten = false;
  recordings_->forget("app", "r3",
                      [&](const Result<Forgotten>& done) { forgotten = done.has_value(); });
  settle();
  EXPECT_TRUE(forgotten);
  EXPECT_THAT(recordings_->problems(), testing::IsEmpty());
}

}  // namespace
}  // namespace ward::enforcer
