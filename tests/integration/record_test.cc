// SPDX-License-Identifier: Apache-2.0
// `ward record` and `ward learn watch`: containers that no policy speaks of are recorded because a
// person asks for it, and for no longer.
#include <csignal>
#include <fstream>
#include <set>
#include <sstream>

#include "tests/integration/guarded_test_base.h"

namespace ward::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::Not;

class Record : public GuardedTest {
 protected:
  void SetUp() override {
    GuardedTest::SetUp();
    if (HasFatalFailure()) return;
    const std::string recorder = ward_json({"status"})["recorder"];
    if (recorder.find("none") == 0) GTEST_SKIP() << "this machine cannot record: " << recorder;
  }

  static std::vector<std::string> ward_command(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), ward_binary().string());
    return arguments;
  }
  static std::uint64_t generation() {
    return ward_json({"status"})["index_generation"].get<std::uint64_t>();
  }
  // `ward record` in the background; returns when the index says so.
  static std::unique_ptr<Child> begin(const std::vector<std::string>& arguments) {
    const std::uint64_t before = generation();
    auto child = std::make_unique<Child>(ward_command(arguments), node().environment());
    EXPECT_TRUE(await([&] { return generation() > before; })) << child->err();
    return child;
  }
  static std::string start(const std::string& prefix, const std::vector<std::string>& command,
                           std::vector<std::string> flags = {}) {
    std::string id = node().unique(prefix);
    flags.insert(flags.begin(), "-d");
    const Output started = node().ctr(run_arguments(id, flags, command));
    EXPECT_EQ(started.status, 0) << started.err;
    return id;
  }
  static bool is_recorded(const std::string& id) {
    const Json found = row(id);
    return found.is_object() && found["recording_id"] != "";
  }
  static std::string file(const std::string& name) { return (node().directory() / name).string(); }
  static std::string text_of(const std::string& path) {
    std::ifstream in(path);
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
  }
  static std::set<std::string> calls_of(const Json& recording, const char* by) {
    std::set<std::string> names;
    for (const Json& call : recording["syscalls"])
      if (call[by].get<bool>()) names.insert(call["name"].get<std::string>());
    return names;
  }
};

TEST_F(Record, ANextStartedContainerBecomesAProfileWithoutAPolicy) {
  const std::string out = file("next.yaml");
  const auto record = begin({"record", "-o", out, "next-*"});
  const std::string id = node().unique("next");
  EXPECT_EQ(run_box(id, {"/box", "fork", "2"}).status, 0);
  record->signal(SIGINT);
  EXPECT_EQ(record->wait(), 0) << record->err();
  EXPECT_THAT(record->err(), AllOf(HasSubstr("as 'next'"), HasSubstr("workload"),
                                   HasSubstr("coverage: "), HasSubstr("wrote " + out)));
  EXPECT_THAT(text_of(out),
              AllOf(HasSubstr("name: next"), HasSubstr("wait4"), Not(HasSubstr("rehearsal"))));
  // Without the request nothing is recorded any more.
  const std::string later = start("next", {"/box", "wait"});
  EXPECT_EQ(row(later)["mode"], "off");
  EXPECT_FALSE(is_recorded(later));
  node().remove(later);
}

TEST_F(Record, AFileThatIsThereStaysAndNothingIsRecorded) {
  const std::string out = file("kept.yaml");
  std::ofstream(out) << "mine\n";
  const Output refused = node().ward({"record", "--for", "1s", "-o", out, "kept-*"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.err, HasSubstr("--force"));
  EXPECT_EQ(text_of(out), "mine\n");
}

TEST_F(Record, ARunningContainerIsTakenInWholeAndItsStartIsNotSeen) {
  const std::string id = start("whole", {"/box", "threads"});
  const std::string out = file("whole.yaml");
  const Output done = node().ward({"record", "--for", "2s", "-o", out, id});
  ASSERT_EQ(done.status, 0) << done.err;
  EXPECT_THAT(done.err, AllOf(HasSubstr("start not seen"), HasSubstr("no start was seen")));
  const Json recording = ward_json({"learn", "show", id});
  // Those of all threads of both processes, and the one that both first threads wait in for ever.
  EXPECT_THAT(calls_of(recording, "by_workload"),
              IsSupersetOf({"getppid", "geteuid", "getegid", "getpgrp", "getuid", "getgid",
                            "sched_yield", "poll", "pause"}));
  ASSERT_EQ(recording["runs"].size(), 1U);
  EXPECT_TRUE(recording["runs"][0]["start_not_seen"].get<bool>());
  EXPECT_EQ(recording["lost_events"], 0);
  EXPECT_TRUE(recording["refused"].empty()) << recording["refused"].dump();
  EXPECT_THAT(recording["coverage"]["life_events_missing"].dump(), HasSubstr("\"start\""));
  EXPECT_THAT(text_of(out), AllOf(HasSubstr("rehearsal: true"), HasSubstr("startNotSeen")));
  EXPECT_EQ(node().task_status(id), "RUNNING");
  EXPECT_FALSE(is_recorded(id));
  // What has seen no start is not enforced.
  const Output linted = node().ward({"profile", "lint", out});
  EXPECT_THAT(linted.out + linted.err, HasSubstr("without a start"));
  EXPECT_EQ(node().ward({"profile", "apply", out}).status, 0);
  node().write_policy("whole",
                      "apiVersion: ward.dev/v1alpha1\nkind: Policy\nmetadata: {name: whole}\nspec: "
                      "{rules: [{match: {containers: [whole-x]}, mode: enforce, profile: " +
                          id + "}]}\n");
  EXPECT_TRUE(await([] {
    return ward_json({"status"})["problems"].dump().find("is for rehearsal") != std::string::npos;
  }));
  std::filesystem::remove(node().config() / "policies/whole.yaml");
  EXPECT_TRUE(await([] {
    return ward_json({"status"})["problems"].dump().find("is for rehearsal") == std::string::npos;
  }));
  node().remove(id);
}

TEST_F(Record, OnATerminalOneLineSaysHowItStands) {
  const std::string id = start("terminal", {"/box", "threads"});
  const std::string out = file("terminal.yaml");
  Child record(ward_command({"record", "--for", "3s", "-o", out, id}), node().environment(true));
  EXPECT_TRUE(record.await_output("s left | ")) << record.out();
  EXPECT_EQ(record.wait(), 0) << record.out();
  EXPECT_THAT(record.out(), AllOf(HasSubstr("getppid"), HasSubstr("\033[K"), HasSubstr("wrote ")));
  node().remove(id);
}

TEST_F(Record, AsJsonTheAnswerIsOneDocument) {
  const std::string id = start("json", {"/box", "threads"});
  const Json answer = ward_json({"record", "--for", "1s", id});
  EXPECT_EQ(answer["schema"], "ward.dev/v1/GenerateProfileResponse");
  EXPECT_THAT(answer["yaml"].get<std::string>(), HasSubstr("rehearsal: true"));
  node().remove(id);
}

TEST_F(Record, WhatTakesLongerThanTwoSecondsSaysWhatIsWaitedFor) {
  ASSERT_TRUE(signal_process(node().wardd_pid(), SIGSTOP));
  Child status(ward_command({"ps"}), node().environment(true));
  EXPECT_TRUE(status.await_output("asking wardd: 2 s"));
  EXPECT_TRUE(signal_process(node().wardd_pid(), SIGCONT));
  EXPECT_EQ(status.wait(), 0) << status.out();
}

TEST_F(Record, AnExecSessionOfAContainerThatRanAlreadyIsRecordedAsOne) {
  const std::string id = start("session", {"/box", "wait"});
  const auto record = begin({"record", "-o", file("session.yaml"), id});
  ASSERT_TRUE(await([&] { return is_recorded(id); })) << record->err();
  EXPECT_EQ(node().ctr({"task", "exec", "--exec-id", "one", id, "/box", "fork", "2"}).status, 0);
  record->signal(SIGTERM);
  EXPECT_EQ(record->wait(), 0) << record->err();
  const Json recording = ward_json({"learn", "show", id});
  EXPECT_THAT(calls_of(recording, "by_exec"), testing::Contains("wait4"));
  // The runtime's own calls, on its way in, are none of the session.
  EXPECT_THAT(calls_of(recording, "by_exec"), Not(testing::Contains("setns")));
  EXPECT_EQ(recording["runs"][0]["exec_sessions"], 1);
  node().remove(id);
}

TEST_F(Record, OneCommandIsRecordedWithWhatItStarts) {
  const std::string id = node().unique("command");
  const std::string out = file("command.yaml");
  std::vector<std::string> arguments{"record", "-o", out, "--"};
  const auto command = node().ctr_command(
      {"run", "--rm", "--runtime", kWardRuntime, kBoxImage, id, "/box", "fork", "2"});
  arguments.insert(arguments.end(), command.begin(), command.end());
  const Output done = node().ward(arguments);
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_THAT(done.err, HasSubstr("wrote " + out));
  EXPECT_THAT(text_of(out), HasSubstr("kind: Profile"));
  // A command that fails, and one that starts nothing.
  EXPECT_EQ(node().ward({"record", "--", "/nonexistent/program"}).status, 1);
  const Output nothing = node().ward({"record", "--", "true"});
  EXPECT_EQ(nothing.status, 1);
  EXPECT_THAT(nothing.err, HasSubstr("nothing was recorded"));
}

TEST_F(Record, WarddIsStartedAnewInBetweenAndTheProfileComes) {
  const std::string id = start("restart", {"/box", "threads"});
  const std::string out = file("restart.yaml");
  const auto record = begin({"record", "-o", out, id});
  ASSERT_TRUE(await([&] { return is_recorded(id); }));
  node().stop_wardd(SIGKILL);
  node().start_wardd();
  ASSERT_TRUE(await([&] { return is_recorded(id); }));
  record->signal(SIGINT);
  EXPECT_EQ(record->wait(), 0) << record->err();
  EXPECT_THAT(text_of(out), HasSubstr("rehearsal: true"));
  EXPECT_TRUE(await([&] { return !is_recorded(id); }));
  EXPECT_EQ(ward_json({"learn", "show", id})["lost_events"], 0);
  node().remove(id);
}

TEST_F(Record, I2_WhatAPolicyEnforcesIsRefusedAndStaysEnforced) {
  const std::string id = start_watched("deny");
  const Output refused = node().ward({"record", "--for", "1s", id});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("mode enforce"), HasSubstr("mode: learn")));
  EXPECT_EQ(row(id)["mode"], "enforce");
  // Nor does a request take one that starts meanwhile.
  const auto record = begin({"record", "*"});
  const std::string next = start_watched("deny");
  EXPECT_EQ(row(next)["mode"], "enforce");
  EXPECT_FALSE(is_recorded(next));
  record->signal(SIGINT);
  EXPECT_TRUE(record->wait());
  node().remove(id);
  node().remove(next);
}

TEST_F(Record, I10_APatternThatMatchesAllReachesNoPrivilegedContainerUnlessAsked) {
  const std::string runs = start("spared", {"/box", "wait"}, {"--privileged"});
  auto record = begin({"record", "*"});
  const std::string next = start("spared", {"/box", "wait"}, {"--privileged"});
  EXPECT_EQ(row(next)["mode"], "off");
  EXPECT_FALSE(is_recorded(next));
  EXPECT_FALSE(is_recorded(runs));
  record->signal(SIGINT);
  EXPECT_TRUE(record->wait());
  EXPECT_THAT(record->err(), HasSubstr("--include privileged"));
  record = begin({"record", "--include", "privileged", "spared-*"});
  EXPECT_TRUE(await([&] { return is_recorded(runs); })) << record->err();
  record->signal(SIGINT);
  EXPECT_TRUE(record->wait());
  node().remove(runs);
  node().remove(next);
}

TEST_F(Record, ARequestWhoseAuthorWasKilledEndsInItsTime) {
  const std::string runs = start("killed", {"/box", "wait"});
  const auto record = begin({"record", "--for", "4s", "killed-*"});
  ASSERT_TRUE(await([&] { return is_recorded(runs); }));
  record->signal(SIGKILL);
  EXPECT_TRUE(record->wait());
  const std::string next = start("killed", {"/box", "wait"});
  EXPECT_EQ(row(next)["mode"], "learn");
  // Both by their shims, without anybody's word.
  EXPECT_TRUE(await([&] { return !is_recorded(runs) && !is_recorded(next); }));
  EXPECT_THAT(row(next)["note"].get<std::string>(), HasSubstr("is over"));
  const std::string later = start("killed", {"/box", "wait"});
  EXPECT_EQ(row(later)["mode"], "off");
  EXPECT_EQ(ward_json({"status"})["recording"], 0);
  for (const std::string& id : {runs, next, later}) node().remove(id);
}

TEST_F(Record, LearnWatchTellsWhatIsNewAsItComes) {
  const auto record = begin({"record", "-o", file("watched.yaml"), "watched-*"});
  const std::string id = start("watched", {"/box", "wait"});
  ASSERT_TRUE(await([&] { return is_recorded(id); }));
  Child text(ward_command({"learn", "watch", "watched"}), node().environment());
  EXPECT_TRUE(text.await_output("watched: ")) << text.err();
  Child json(ward_command({"learn", "watch", "-o", "json"}), node().environment());
  EXPECT_TRUE(json.await_output("ward.dev/v1/Discovery")) << json.err();
  EXPECT_EQ(node().ctr({"task", "exec", "--exec-id", "one", id, "/box", "fork", "2"}).status, 0);
  EXPECT_TRUE(text.await_output("exec  ")) << text.err();
  EXPECT_TRUE(json.await_output("\"by\":\"exec\"")) << json.err();
  for (Child* child : {&text, &json}) {
    child->signal(SIGINT);
    EXPECT_EQ(child->wait(), 0) << child->err();
  }
  EXPECT_THAT(text.out(), HasSubstr("not exercised yet: "));
  std::istringstream lines(json.out());
  for (std::string line; std::getline(lines, line);) EXPECT_TRUE(Json::accept(line)) << line;
  record->signal(SIGINT);
  EXPECT_EQ(record->wait(), 0) << record->err();
  node().remove(id);
}

}  // namespace
}  // namespace ward::test
