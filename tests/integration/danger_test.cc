// SPDX-License-Identifier: Apache-2.0
// The danger set on a node: what a signature for a capability opens, and what the fallback keeps
// shut.
#include <fstream>

#include "tests/integration/guarded_test_base.h"

namespace ward::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class Danger : public GuardedTest {
 protected:
  static void SetUpTestSuite() {
    GuardedTest::SetUpTestSuite();
    node().write_profile("reaching", reaching(true));
    node().write_policy("reaching", R"(apiVersion: ward.dev/v1alpha1
kind: Policy
metadata: {name: reaching}
spec:
  rules:
    - {match: {containers: ["reaching-*"]}, mode: enforce, profile: reaching}
)");
    await([] {
      return node().ward({"--output", "json", "profile", "list"}).out.find("reaching") !=
             std::string::npos;
    });
  }

  // The profile of box with a capability that reaches into other processes.
  static std::string reaching(bool with_signature) {
    std::string text = box_profile();
    const auto replace = [&](const std::string& what, const std::string& by) {
      text.replace(text.find(what), what.size(), by);
    };
    replace("name: box", "name: reaching");
    replace("[CAP_CHOWN, CAP_KILL]", "[CAP_SYS_PTRACE]");
    if (with_signature)
      text += "  accept:\n    - {capability: CAP_SYS_PTRACE, reason: a debugger for this test}\n";
    return text;
  }

  // What a workload meets that opens the memory of the runtime's init of so many exec sessions.
  static std::string hunt(const std::string& prefix, int sessions) {
    const std::string id = node().unique(prefix);
    Child hunter(node().ctr_command(run_arguments(id, {"--rm", "--cap-add", "CAP_SYS_PTRACE"},
                                                  {"/box", "hunt", std::to_string(sessions)})),
                 node().environment());
    EXPECT_TRUE(hunter.await_output("ready")) << hunter.err();
    EXPECT_EQ(row(id)["note"].dump().find("holds CAP_SYS_PTRACE") != std::string::npos,
              prefix == "reaching");
    for (int i = 0; i < 20 * sessions && !hunter.wait(std::chrono::milliseconds(1)); ++i) {
      node().ctr({"task", "exec", "--exec-id", "e" + std::to_string(i), id, "/box", "true"});
    }
    EXPECT_EQ(hunter.wait(std::chrono::seconds(10)), 0) << hunter.out() << hunter.err();
    EXPECT_TRUE(events(id).empty())
        << "opening a file is no call that a filter can tell from another";
    return hunter.out();
  }
};

TEST_F(Danger, H02_WithoutASignatureTheCapabilityIsCutAndTheRuntimesInitIsOutOfReach) {
  const std::string met = hunt("deny", 3);
  EXPECT_THAT(met, HasSubstr("init refused 13\n"));
  EXPECT_THAT(met, Not(HasSubstr("init opened")));
}

// What docs/threat-model.md says under "What a signature opens".
TEST_F(Danger, H02_ASignatureForPtraceOpensTheRuntimesInitOfAnExecSession) {
  EXPECT_THAT(hunt("reaching", 1), HasSubstr("init opened\n"));
}

TEST_F(Danger, H02_ApplyAndLintRefuseTheCapabilityWithoutASignature) {
  const std::filesystem::path file = node().state() / "unsigned.yaml";
  std::ofstream(file) << reaching(false);
  for (const char* verb : {"apply", "lint"}) {
    const Output refused = node().ward({"profile", verb, file.string()});
    EXPECT_NE(refused.status, 0);
    EXPECT_THAT(refused.err, HasSubstr("CAP_SYS_PTRACE is in the danger set")) << refused.out;
  }
  std::ofstream(file) << reaching(true);
  EXPECT_EQ(node().ward({"profile", "lint", file.string()}).status, 0);
}

TEST_F(Danger, H08_UnderTheFallbackNoFilterOfItsOwnHidesAnAttempt) {
  const std::string id = node().unique("baseline");
  const Output output = run_box(id, {"/box", "attack", "hide", "unshare", "set-mm", "netlink"});
  EXPECT_EQ(output.out, "hide -1 1\nunshare -1 1\nset-mm -1 1\nnetlink -1 1\n") << output.err;
  ASSERT_TRUE(await([&] { return events(id).size() >= 4; }));
  std::string calls;
  for (const Json& event : events(id)) calls += event["syscall"].get<std::string>() + " ";
  for (const char* call : {"prctl ", "unshare ", "socket "}) EXPECT_THAT(calls, HasSubstr(call));
}

}  // namespace
}  // namespace ward::test
