// SPDX-License-Identifier: Apache-2.0
// Calls that a posture lets run without asking are seen in windows of the recorder: told once,
// proposed, and nothing is attached in between.
#include <csignal>
#include <filesystem>
#include <fstream>

#include "tests/integration/guarded_test_base.h"

namespace ward::test {
namespace {

using std::chrono::seconds;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kReason =
    "whose posture lets it run without asking: seen in a sampled window";

class Sampling : public GuardedTest {
 protected:
  static void SetUpTestSuite() {
    GuardedTest::SetUpTestSuite();
    settings("{window: 400ms, every: 1s}");
    node().write_profile("balanced", box_profile("balanced", "balanced"));
    node().write_policy("balanced", R"(apiVersion: ward.dev/v1alpha1
kind: Policy
metadata: {name: balanced}
spec:
  rules:
    - {match: {containers: ["free-*"]}, mode: enforce, profile: balanced}
    - {match: {containers: ["rehearsed-*"]}, mode: supervise, profile: balanced}
    - {match: {containers: ["learned-*"]}, mode: learn, workload: learned}
)");
    await([] {
      return node().ward({"profile", "list"}).out.find("balanced") != std::string::npos;
    });
  }
  void SetUp() override {
    GuardedTest::SetUp();
    if (const std::string why = why_not_watched(); !why.empty()) GTEST_SKIP() << why;
    settings("{window: 400ms, every: 1s}");
  }
  static void settings(const std::string& sampling) {
    std::filesystem::create_directories(node().config());
    std::ofstream(node().config() / "wardd.yaml")
        << "apiVersion: ward.dev/v1alpha1\nkind: NodeConfig\nsampling: " << sampling << "\n";
  }
  static void switch_off() {
    settings("{every: 0s}");
    EXPECT_TRUE(await([] { return sampling()["why_not"] == "off in wardd.yaml (sampling)"; }));
  }
  static Json sampling() { return ward_json({"status"})["sampling"]; }
  static std::uint64_t windows() { return sampling()["windows"].get<std::uint64_t>(); }
  static bool await_windows(std::uint64_t more) {
    const std::uint64_t before = windows();
    return await([&] { return windows() >= before + more; }, seconds(20));
  }
  // pwrite64 and a pause, again and again.
  static std::string start_writer(const std::string& prefix) {
    const std::string id = node().unique(prefix);
    const Output started =
        node().ctr(run_arguments(id, {"-d"}, {"/box", "rate", "p", "1", "600000", "2000"}));
    EXPECT_EQ(started.status, 0) << started.err;
    return id;
  }
  static std::vector<Json> seen_in_windows(const std::string& id) {
    std::vector<Json> found = events(id, "tolerated");
    std::erase_if(found, [](const Json& event) {
      return event["reason"].get<std::string>().find(kReason) == std::string::npos;
    });
    return found;
  }
  static std::size_t count(const std::vector<Json>& events, const std::string& syscall) {
    return static_cast<std::size_t>(std::count_if(
        events.begin(), events.end(), [&](const Json& e) { return e["syscall"] == syscall; }));
  }
  // By wardd, of programs at the entry of calls.
  static bool is_attached() {
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(
             "/proc/" + std::to_string(node().wardd_pid()) + "/fdinfo", ignored)) {
      std::ifstream file(entry.path());
      const std::string text{std::istreambuf_iterator<char>(file), {}};
      if (text.find("tp_name:\tsys_enter") != std::string::npos) return true;
    }
    return false;
  }
};

TEST_F(Sampling, I11_AFreeCallIsToldOnceIsProposedAndIsNoViolation) {
  const std::string id = start_writer("free");
  ASSERT_TRUE(await([&] { return row(id)["mode"] == "enforce"; }));
  ASSERT_TRUE(await_windows(2));
  std::vector<Json> seen;
  ASSERT_TRUE(await([&] { return count(seen = seen_in_windows(id), "pwrite64") > 0; }))
      << node().ward({"events", "-c", id}).out;
  for (const Json& event : seen) {
    EXPECT_THAT(box_profile(), Not(HasSubstr("- " + event["syscall"].get<std::string>() + "\n")))
        << "a call that is listed is not told";
    if (event["syscall"] != "pwrite64") continue;
    EXPECT_EQ(event["reason"].get<std::string>(),
              std::string("pwrite64 is not in profile balanced, ") + kReason);
    EXPECT_EQ(event["comm"], "box");
    EXPECT_EQ(event["exe"], "/box");
    EXPECT_EQ(event["origin"], "workload");
    EXPECT_EQ(event["mode"], "enforce");
    EXPECT_EQ(event["container"], id);
    EXPECT_EQ(event["outcome"], "continued");
    EXPECT_GT(std::stoull(event["repeats"].dump()), 10U) << "how often in the window";
  }
  // Once for the version of the profile, whoever makes it, and also by a wardd that starts anew.
  const std::string second = start_writer("free");
  ASSERT_TRUE(await_windows(2));
  node().stop_wardd(SIGTERM);
  node().start_wardd();
  ASSERT_TRUE(await([&] { return row(second)["mode"] == "enforce"; }));
  ASSERT_TRUE(await_windows(2));
  EXPECT_EQ(count(seen_in_windows(id), "pwrite64") + count(seen_in_windows(second), "pwrite64"),
            1U);
  EXPECT_EQ(row(id)["violations"], Json(0)) << row(id);
  EXPECT_TRUE(events(id).empty()) << events(id).front();
  const Output proposal = node().ward({"profile", "propose", "balanced"});
  EXPECT_THAT(proposal.out, HasSubstr("pwrite64 (held, let run)")) << proposal.err;
  EXPECT_THAT(proposal.out, ContainsRegex("serving:[^#]*pwrite64"));
  const Json status = sampling();
  EXPECT_EQ(status["containers"], 2U) << status;
  EXPECT_GT(status["watched_share"].get<double>(), 0) << status;
  EXPECT_EQ(status["why_not"], "");
  EXPECT_EQ(status["unwatched_wall_ns"], Json(0));
  EXPECT_THAT(node().ward({"status"}).out, HasSubstr("of the last hour, newest window "));
  node().remove(id);
  node().remove(second);
}

TEST_F(Sampling, ASessionsCallsAreToldAsASessionsAndSuperviseIsWatchedToo) {
  const std::string id = node().unique("rehearsed");
  ASSERT_EQ(node().ctr(run_arguments(id, {"-d"}, {"/box", "wait"})).status, 0);
  ASSERT_TRUE(await([&] { return row(id)["mode"] == "supervise"; }));
  std::vector<Json> seen;
  unsigned round = 0;
  ASSERT_TRUE(await(
      [&] {
        node().ctr({"task", "exec", "--exec-id", "e" + std::to_string(++round), id, "/box", "rate",
                    "p", "1", "700", "1000"});
        seen = seen_in_windows(id);
        return count(seen, "pwrite64") > 0;
      },
      seconds(30)));
  for (const Json& event : seen) {
    if (event["syscall"] != "pwrite64") continue;
    EXPECT_EQ(event["origin"], "exec");
    EXPECT_EQ(event["phase"], "exec");
    EXPECT_EQ(event["mode"], "supervise");
  }
  node().remove(id);
}

TEST_F(Sampling, WithoutAProfileThatHasFreeCallsThereIsNoWindow) {
  const std::string strict = start_watched("quarantine");
  const std::string learning = node().unique("learned");
  ASSERT_EQ(node().ctr(run_arguments(learning, {"-d"}, {"/box", "wait"})).status, 0);
  ASSERT_TRUE(await([&] { return row(strict)["mode"] == "enforce"; }));
  ASSERT_TRUE(await([&] { return sampling()["containers"] == 0U; }, seconds(15))) << sampling();
  const std::uint64_t before = windows();
  EXPECT_FALSE(await([&] { return windows() != before; }, seconds(4)));
  EXPECT_THAT(node().ward({"status"}).out, HasSubstr("free calls   no container has any"));
  node().remove(strict);
  node().remove(learning);
}

TEST_F(Sampling, NothingIsAttachedBetweenWindowsAndNeverWhereItIsOff) {
  const std::string id = start_writer("free");
  ASSERT_TRUE(await([] { return is_attached(); }, seconds(15)));
  switch_off();
  EXPECT_GT(sampling()["unwatched_wall_ns"].get<std::int64_t>(), 0);
  EXPECT_THAT(node().ward({"status"}).out, HasSubstr("1 container: off in wardd.yaml (sampling)"));
  EXPECT_FALSE(is_attached());
  const std::uint64_t before = windows();
  settings("{window: 50ms, every: 1h}");
  ASSERT_TRUE(await([&] { return windows() == before + 1; }, seconds(15))) << "the first is soon";
  EXPECT_FALSE(await([] { return is_attached(); }, seconds(2)));
  EXPECT_EQ(sampling()["why_not"], "");
  node().remove(id);
}

TEST_F(Sampling, I13_AWarddThatIsKilledInAWindowLeavesNothingAndTheNextOneSaysSinceWhen) {
  const std::string id = start_writer("free");
  ASSERT_TRUE(await_windows(1));
  switch_off();
  settings("{window: 10s, every: 30s}");
  ASSERT_TRUE(await([] { return is_attached(); }, seconds(15)));
  std::int64_t last = 0;
  ASSERT_TRUE(await([&] { return (last = sampling()["last_wall_ns"].get<std::int64_t>()) > 0; }));
  const std::set<std::uint32_t> programs = bpf_programs_of(node().name());
  node().stop_wardd(SIGKILL);
  settings("{window: 10s, every: 1h}");
  node().start_wardd();
  // Those that watch processes are pinned, and stay.
  std::size_t gone = 0;
  ASSERT_TRUE(await([&] {
    gone = 0;
    for (const std::uint32_t program : programs) gone += bpf_program_exists(program) ? 0 : 1;
    return gone > 0;
  })) << "the program of the window";
  Json status;
  ASSERT_TRUE(await([&] { return (status = sampling())["containers"] == 1U; }));
  EXPECT_EQ(status["windows"], Json(0)) << status;
  EXPECT_EQ(status["unwatched_wall_ns"].get<std::int64_t>(), last) << status;
  EXPECT_THAT(node().ward({"status"}).out, HasSubstr("wardd has just started"));
  node().remove(id);
}

}  // namespace
}  // namespace ward::test
