// SPDX-License-Identifier: Apache-2.0
// What comes without a notification: processes that the kernel ends with SIGSYS, and capabilities
// that enforce would have cut, used in mode supervise. In any process of a container, also while
// wardd is away.
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <set>

#include "tests/integration/guarded_test_base.h"
#include "tests/support/task_client.h"

namespace ward::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class Deaths : public GuardedTest {
 protected:
  void SetUp() override {
    GuardedTest::SetUp();
    if (const std::string why = why_not_watched(); !why.empty()) GTEST_SKIP() << why;
  }
  // As a 32-bit program would, or not at all on this kernel.
  static std::string foreign() {
    const Output tried = run_box(node().unique("off"), {"/box", "attack", "int80"});
    return tried.status == 0 ? "int80" : "x32";
  }
  static std::vector<Json> deaths(const std::string& id) {
    std::vector<Json> found;
    for (Json& event : events(id))
      if (event["syscall"] == "foreign-abi" || event["syscall"] == "sigsys")
        found.push_back(std::move(event));
    return found;
  }
  static Json await_death(const std::string& id) {
    std::vector<Json> found;
    await([&] { return !(found = deaths(id)).empty(); });
    EXPECT_FALSE(found.empty()) << "no death in `ward events` of " << id;
    return found.empty() ? Json::object() : found.front();
  }
};

TEST_F(Deaths, F07_AChildOfAnEnforcedShellThatCallsThroughAForeignAbiIsSeen) {
  const std::string attack = foreign();
  const Output output = run_box(node().unique("log"), {"/box", "child", attack});
  EXPECT_THAT(output.out, HasSubstr(attack + " ended by 31\n")) << output.err;
  const std::string id = start_watched("log");  // its shim is there to be told
  node().poke(id, attack);
  const Json event = await_death(id);
  EXPECT_EQ(event["syscall"], "foreign-abi");
  EXPECT_EQ(event["outcome"], "killed");
  EXPECT_EQ(event["origin"], "workload");
  EXPECT_EQ(event["comm"], "box");
  EXPECT_GT(event["pid"], 0);
  EXPECT_THAT(event["reason"].get<std::string>(),
              HasSubstr(attack == "int80" ? "in i386 call 20" : "in x32 call 39"));
  node().remove(id);
}

TEST_F(Deaths, F07_TheProfilesActionIsTakenForIt) {
  const std::string id = start_watched("quarantine"), attack = foreign();
  node().poke(id, attack);
  EXPECT_TRUE(await([&] { return node().task_status(id) == "PAUSED"; })) << node().task_status(id);
  EXPECT_EQ(await_death(id)["action"], "quarantine");
  node().remove(id);
}

TEST_F(Deaths, F07_InAnExecSessionItNeverCostsTheWorkloadItsLife) {
  const std::string id = start_watched("quarantine"), attack = foreign();
  const Output output =
      node().ctr({"task", "exec", "--exec-id", "e1", id, "/box", "child", attack});
  EXPECT_THAT(output.out, HasSubstr("ended by 31")) << output.err;
  EXPECT_EQ(await_death(id)["origin"], "exec");
  EXPECT_EQ(node().task_status(id), "RUNNING");
  node().remove(id);
}

// Enforce sets no_new_privs at the start; supervise takes nothing, so it can only say so.
class Gains : public Deaths {
 protected:
  // As user 1000 in a container with a set-user-ID program `grant` and a plain one, `other`.
  static std::string start(const std::string& prefix) {
    rootfs_with("box");
    rootfs_with("other");
    const std::string root = rootfs_with("grant", 04755);
    std::string id = node().unique(prefix);
    const Output started = node().ctr({"run", "-d", "--allow-new-privs", "--runtime", kWardRuntime,
                                       "--rootfs", root, id, "/box", "wait"});
    EXPECT_EQ(started.status, 0) << started.err;
    return id;
  }
  static std::string as_user(const std::string& id, const std::string& session,
                             std::vector<std::string> command) {
    command.insert(command.begin(),
                   {"task", "exec", "--user", "1000:1000", "--exec-id", session, id});
    return node().ctr(command).out;
  }
  static std::vector<Json> gains(const std::string& id) {
    auto found = events(id);
    std::erase_if(found, [](const Json& event) {
      return event["reason"].get<std::string>().find("gave its process privileges") ==
             std::string::npos;
    });
    return found;
  }
};

TEST_F(Gains, F08_ASetUserIdProgramUnderSuperviseGainsAndItIsToldOncePerProgram) {
  const std::string id = start("supervise");
  for (const char* session : {"e1", "e2"}) {
    EXPECT_THAT(as_user(id, session, {"/box", "entry", "/none", "/grant", "status"}),
                Not(HasSubstr("CapEff:\t0000000000000000")))
        << "it is root now";
  }
  std::vector<Json> told;
  ASSERT_TRUE(await([&] { return !(told = gains(id)).empty(); }));
  EXPECT_EQ(told.front()["outcome"], "continued");
  EXPECT_EQ(told.front()["comm"], "grant");
  EXPECT_EQ(told.front()["origin"], "exec");
  EXPECT_THAT(told.front()["reason"].get<std::string>(), HasSubstr("noNewPrivileges"));
  EXPECT_EQ(node().task_status(id), "RUNNING");
  // A program that gives nothing is not told of; the one after it shows that all was told.
  as_user(id, "e3", {"/box", "entry", "/none", "/other", "true"});
  as_user(id, "e4", {"/grant", "attack", "unshare"});
  EXPECT_TRUE(await([&] { return events(id).size() > 1; }));
  EXPECT_EQ(gains(id).size(), 1U);
  node().remove(id);
}

TEST_F(Gains, F08_TheSessionsOwnProgramMayBeOne) {
  const std::string id = start("supervise");
  as_user(id, "e1", {"/grant", "true"});
  EXPECT_TRUE(await([&] { return gains(id).size() == 1; }));
  node().remove(id);
}

TEST_F(Gains, F08_UnderEnforceThereIsNothingToGain) {
  const std::string id = start("log");
  EXPECT_THAT(as_user(id, "e1", {"/box", "entry", "/none", "/grant", "status"}),
              HasSubstr("CapEff:\t0000000000000000"));
  EXPECT_TRUE(gains(id).empty());
  node().remove(id);
}

TEST_F(Deaths, F07_TheFirstProcessIsToldOfOnce) {
  const std::string id = node().unique("deny");
  run_box(id, {"/box", "attack", foreign()});
  await_death(id);
  run_box(node().unique("deny"),
          {"/box", "true"});  // whatever wardd had to tell of the first has been told
  EXPECT_EQ(deaths(id).size(), 1U);
}

// The container's own filter kills for one call.
class OwnKill : public Deaths {
 protected:
  static std::vector<std::string> killing(const char* action) {
    const Json rule = {{"names", {"sched_rr_get_interval"}}, {"action", action}};
    const Json filter = {{"defaultAction", "SCMP_ACT_ALLOW"},
                         {"architectures", {"SCMP_ARCH_X86_64"}},
                         {"syscalls", {rule}}};
    const std::string file = node().directory() / (node().unique("filter") + ".json");
    std::ofstream(file) << filter.dump();
    return {"--seccomp", "--seccomp-profile", file};
  }
};

TEST_F(OwnKill, F07_InAChildIsSeenOnceWithEachOfItsActions) {
  for (const char* action : {"SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS"}) {
    const Output output =
        run_box(node().unique("log"), {"/box", "child", "novel"}, killing(action));
    EXPECT_EQ(output.out, "novel ended by 31\n") << output.err;
    // The shim of one that lives on is there to be told.
    const std::string id = start_watched("log", killing(action));
    node().poke(id, "novel");
    const Json event = await_death(id);
    EXPECT_EQ(event["syscall"], "sigsys") << action;
    EXPECT_EQ(event["outcome"], "killed");
    EXPECT_EQ(event["origin"], "workload");
    EXPECT_EQ(deaths(id).size(), 1U);
    node().remove(id);
  }
}

TEST_F(OwnKill, F07_InAChildOfASupervisedOneToo) {
  const std::string id = start_watched("supervise", killing("SCMP_ACT_KILL_PROCESS"));
  node().poke(id, "novel");
  EXPECT_EQ(await_death(id).value("mode", ""), "supervise");
  node().remove(id);
}

TEST_F(Deaths, F07_AnOrphanThatTheFirstProcessInheritedIsSeen) {
  const std::string id = start_watched("deny");
  const Output left = node().ctr(
      {"task", "exec", "--exec-id", "e1", id, "/box", "orphan", "/box", "attack", foreign()});
  EXPECT_EQ(left.status, 0) << left.err;
  EXPECT_EQ(await_death(id)["origin"], "exec") << "whose child it was, not whose it became";
  EXPECT_EQ(deaths(id).size(), 1U);
  node().remove(id);
}

// Without a pid namespace of its own the shim waits for what a session leaves behind.
TEST_F(Deaths, F07_AnOrphanThatTheShimInheritedIsSeenOnce) {
  const std::string attack = foreign(), carrier = node().unique("off"), id = node().unique("deny");
  ASSERT_EQ(node().ctr(run_arguments(carrier, {"-d"}, {"/box", "wait"})).status, 0);
  {
    TaskClient tasks(node().shim_socket(carrier));
    const Bundle bundle(node(), carrier, id, {"/box", "wait"});
    bundle.patch(
        R"({"linux":{"namespaces":[{"type":"mount"},{"type":"ipc"},{"type":"uts"},{"type":"network"}]}})");
    const auto created =
        tasks.call<containerd::CreateTaskResponse>("Create", bundle.create_request());
    ASSERT_TRUE(created.has_value()) << created.error().message;
    ASSERT_TRUE(tasks.start(id).has_value());
    ASSERT_TRUE(tasks.exec(id, "e", {"/box", "orphan", "/box", "attack", attack}).has_value());
    ASSERT_TRUE(tasks.start(id, "e").has_value());
    EXPECT_EQ(tasks.wait(id, "e")->exit_status(), 0U);
    await_death(id);  // whose it was the shim does not know, and it may be the first to tell
    ASSERT_TRUE(tasks.exec(id, "f", {"/box", "attack", attack}).has_value());
    ASSERT_TRUE(tasks.start(id, "f").has_value());
    EXPECT_EQ(tasks.wait(id, "f")->exit_status(), 128U + SIGSYS);
    EXPECT_TRUE(await([&] { return deaths(id).size() >= 2; }));
    EXPECT_EQ(deaths(id).size(), 2U)
        << "by the shim, which waits for both, and by the kernel: each once";
    (void)tasks.kill(id, SIGKILL, {}, true);
    (void)tasks.wait(id);
    (void)tasks.remove(id);
  }
  node().remove(carrier);
}

TEST_F(Deaths, F07_WhatTheKernelHadNoRoomForIsSaidWithItsNumber) {
  const std::string attack = foreign(), id = node().unique("log");
  ASSERT_TRUE(await([&] { return ward_json({"status"})["processes"] == "ebpf"; }));
  node().stop_wardd(SIGKILL);
  constexpr std::uint64_t kDeaths = 4500;
  std::vector<std::string> command{"/box", "child"};
  command.resize(2 + kDeaths, attack);
  const Output output = run_box(id, command);
  EXPECT_EQ(static_cast<std::uint64_t>(std::count(output.out.begin(), output.out.end(), '\n')),
            kDeaths)
      << output.err;
  node().start_wardd();
  std::vector<Json> lost;
  ASSERT_TRUE(await([&] { return !(lost = events(id, "seen-lost")).empty(); }));
  EXPECT_EQ(lost.size(), 1U);
  const std::string reason = lost[0]["reason"];
  const std::uint64_t number = std::strtoull(reason.c_str(), nullptr, 10);
  EXPECT_THAT(reason, HasSubstr("found no room"));
  EXPECT_GT(number, 0U);
  EXPECT_LT(number, kDeaths);
}

TEST_F(Deaths, F08_UnderSuperviseTheProcessDiesAndItIsSaid) {
  const std::string id = start_watched("supervise");
  node().poke(id, foreign());
  EXPECT_EQ(await_death(id)["mode"], "supervise");
  EXPECT_EQ(node().task_status(id), "RUNNING");
  node().remove(id);
}

TEST_F(Deaths, F07_WhatHappensWhileWarddIsAwayIsToldWhenItIsBack) {
  const std::string id = start_watched("quarantine"), attack = foreign();
  node().stop_wardd(SIGKILL);
  node().poke(id, attack);
  node().poke(id, "noop");
  EXPECT_EQ(node().task_status(id), "RUNNING") << "the reaction needs wardd, and docs say so";
  node().start_wardd();
  EXPECT_TRUE(await([&] { return node().task_status(id) == "PAUSED"; })) << node().task_status(id);
  EXPECT_EQ(await_death(id)["action"], "quarantine");
  node().remove(id);
}

TEST_F(Deaths, F08_ACapabilityThatEnforceWouldCutIsReportedWhenUsed) {
  const std::string id = node().unique("supervise");
  const Output output =
      run_box(id, {"/box", "attack", "raw", "raw", "nice"}, {"--cap-add", "CAP_SYS_NICE"});
  EXPECT_EQ(output.out, "raw 3 0\nraw 4 0\nnice 0 0\n") << output.err;
  std::set<std::string> used;
  EXPECT_TRUE(await([&] {
    for (const Json& event : events(id)) used.insert(event["capability"].get<std::string>());
    return used.count("CAP_NET_RAW") == 1 && used.count("CAP_SYS_NICE") == 1;
  })) << testing::PrintToString(used);
  std::size_t told = 0;
  for (const Json& event : events(id)) {
    if (event["capability"] != "CAP_NET_RAW") continue;
    ++told;
    EXPECT_EQ(event["outcome"], "continued");
    EXPECT_THAT(event["reason"].get<std::string>(),
                HasSubstr("CAP_NET_RAW was used and is not in profile box"));
  }
  EXPECT_EQ(told, 1U) << "the first use is told, not each";
  EXPECT_EQ(used.count("CAP_CHOWN") + used.count("CAP_SETUID") + used.count("CAP_SYS_ADMIN"), 0U)
      << "what the profile has, and what only the runtime used, is nobody's concern";
}

TEST_F(Deaths, F08_UnderEnforceTheCapabilityIsNotThereAndNothingIsReported) {
  const std::string id = node().unique("log");
  const Output output = run_box(id, {"/box", "attack", "raw"});
  EXPECT_EQ(output.out, "raw -1 1\n") << output.err;
  for (const Json& event : events(id)) EXPECT_EQ(event["capability"], "");
}

}  // namespace
}  // namespace ward::test
