// SPDX-License-Identifier: Apache-2.0
// What exec sessions may do, by the policy's `exec`, and what the workload gains where it makes a
// session do its work: by the program that a probe runs, or through the session's memory.
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "tests/integration/guarded_test_base.h"

namespace ward::test {
namespace {

using testing::AnyOf;
using testing::EndsWith;
using testing::HasSubstr;

class Sessions : public GuardedTest {
 protected:
  static void SetUpTestSuite() {
    GuardedTest::SetUpTestSuite();
    std::string text = box_profile();
    text.replace(text.find("name: box"), 9, "name: balanced");
    text.insert(text.find("  syscalls:"), "  posture: balanced\n");
    node().write_profile("balanced", text);
    node().write_policy("balanced", R"(apiVersion: ward.dev/v1alpha1
kind: Policy
metadata: {name: balanced}
spec:
  rules:
    - {match: {containers: ["layer-*"]}, mode: enforce, profile: balanced}
    - {match: {containers: ["as-workload-*"]}, mode: enforce, profile: balanced, exec: workload}
    - {match: {containers: ["refuse-sessions-*"]}, mode: enforce, profile: balanced, exec: refuse}
    - {match: {containers: ["rehearse-*"]}, mode: supervise, profile: balanced, exec: refuse}
)");
    await([] {
      return node().ward({"profile", "list"}).out.find("balanced") != std::string::npos;
    });
  }

  static Output session(const std::string& id, const std::string& exec_id,
                        const std::vector<std::string>& command) {
    std::vector<std::string> arguments{"task", "exec", "--exec-id", exec_id, id};
    arguments.insert(arguments.end(), command.begin(), command.end());
    return node().ctr(arguments);
  }
  static std::filesystem::path root_of(const std::string& id) {
    return "/proc/" + std::to_string(node().task_pid(id)) + "/root";
  }
  // A container whose workload waits for a session that ticks, and writes into its memory.
  static std::string start_usurper(const std::string& prefix, const std::string& attack) {
    const std::string id = node().unique(prefix);
    const Output started = node().ctr(run_arguments(id, {"-d"}, {"/box", "usurp", attack}));
    EXPECT_EQ(started.status, 0) << started.err;
    return id;
  }
  static std::string events_of(const std::string& id) {
    return node().ward({"events", "-c", id}).out;
  }
};

TEST_F(Sessions, T36_TheWorkloadItselfHasNothingOfTheirLayer) {
  const std::string id = start_watched("layer");
  node().poke(id, "inet");
  EXPECT_TRUE(await([&] { return row(id)["state"] == "QUARANTINED"; })) << events_of(id);
  node().remove(id);
}

TEST_F(Sessions, TheResolverOfMuslWorksInThem) {
  const std::string id = start_watched("layer");
  EXPECT_EQ(session(id, "e1", {"/box", "attack", "resolve"}).out, "resolve 0 0\n");
  EXPECT_TRUE(events(id).empty()) << events_of(id);
  node().remove(id);
}

// What scripts/build-busybox has made; WARD_TEST_MUSL_BUSYBOX names another.
std::filesystem::path busybox_of_musl() {
  if (const char* const named = std::getenv("WARD_TEST_MUSL_BUSYBOX")) return named;
  if (const char* const peers = std::getenv("WARD_PEERS"))
    return std::filesystem::path(peers) / "busybox-musl/busybox";
  const char* const cache = std::getenv("XDG_CACHE_HOME");
  return std::filesystem::path(cache == nullptr ? "/var/cache" : cache) /
         "ward/peers/busybox-musl/busybox";
}

// Each does what it does in a container that nobody governs.
TEST_F(Sessions, OrdinaryCommandsOfMuslWorkInThem) {
  const auto busybox = busybox_of_musl();
  if (!std::filesystem::exists(busybox))
    GTEST_SKIP() << busybox << " is not there: scripts/build-busybox makes it";
  const std::vector<std::vector<std::string>> commands = {
      {"sh", "-c", "echo one | cat | tr o 0; for i in 1 2; do test -d /bin && echo $i; done"},
      {"sh", "-c", "sleep 9 & kill $!; wait $!; echo $?; kill -0 $$"},
      {"sh", "-c",
       "mkdir /a; cd /a; touch b; chmod 600 b; mv b c; ln -s c d; ls; cp c e; rm -r /a"},
      {"sh", "-c",
       "printf '2\\n1\\n' | sort | uniq | wc -l; find /bin -name sh -exec basename {} ';'"},
      {"sh", "-c", "tar -C / -cf - bin | tar -tf - | grep -c sh; echo a | gzip | gunzip"},
      {"sh", "-c", "echo b | sed s/b/c/; awk 'BEGIN { print 6 * 7 }'; date -d @0 -u; id; env"},
      {"sh", "-c",
       "ps -o comm; timeout 5 true; nice true; usleep 1; md5sum /bin/sh; stat -c %s /bin/sh"},
      {"sh", "-c",
       "df / >/dev/null; du -s /bin; uname -s; hostname; whoami; nproc; free >/dev/null; uptime "
       ">/dev/null"},
      {"wget", "-T", "1", "-O", "-", "http://127.0.0.1:1/"},
      {"wget", "-T", "1", "-O", "-", "http://nowhere.invalid/"},
      {"nslookup", "nowhere.invalid", "127.0.0.1"},
      {"nc", "-w", "1", "127.0.0.1", "1"},
      {"vi", "--help"},
      {"ls", "-l", "/bin/sh"},
      {"grep", "-c", "root", "/proc/self/mounts"},
      {"head", "-c", "3", "/dev/zero"},
      {"dd", "if=/dev/zero", "of=/dev/null", "bs=1k", "count=2"},
      {"timeout", "0.1", "sleep", "5"},
      {"realpath", "/bin/../bin/sh"},
  };
  std::map<std::string, std::vector<std::string>> answers;
  for (const char* prefix : {"off", "layer"}) {
    const std::string id = node().unique(prefix);
    ASSERT_EQ(node().ctr(run_arguments(id, {"-d", "--env", "PATH=/bin"}, {"/box", "wait"})).status,
              0);
    const auto bin = root_of(id) / "bin";
    std::filesystem::create_directories(bin);
    std::filesystem::copy_file(busybox, bin / "busybox");
    std::istringstream applets(session(id, "applets", {"/bin/busybox", "--list"}).out);
    for (std::string applet; applets >> applet;)
      if (applet != "busybox") std::filesystem::create_symlink("busybox", bin / applet);
    for (std::size_t i = 0; i < commands.size(); ++i) {
      const Output output = session(id, "e" + std::to_string(i), commands[i]);
      answers[prefix].push_back(commands[i].back() + ": " + std::to_string(output.status) + "\n" +
                                output.out + output.err);
    }
    for (const Json& event : events(id)) ADD_FAILURE() << event;
    node().remove(id);
  }
  EXPECT_EQ(answers["layer"], answers["off"]);
}

TEST_F(Sessions, T36_AnOverwrittenProbeGainsTheLayerOfSessionsAndNoMore) {
  const std::string id = start_watched("layer");
  std::filesystem::copy_file(root_of(id) / "box", root_of(id) / "probe");
  EXPECT_EQ(session(id, "gain", {"/probe", "attack", "inet", "novel"}).out,
            "inet 3 0\nnovel -1 14\n")
      << "connections";
  EXPECT_EQ(session(id, "other", {"/probe", "entry", "/trigger", "/box", "true"}).status, 0)
      << "other programs of the image";
  EXPECT_EQ(session(id, "danger",
                    {"/probe", "attack", "unshare", "packet", "io_uring", "netlink", "mount",
                     "ptrace", "listen", "raw"})
                .out,
            "unshare -1 1\npacket -1 1\nio_uring -1 1\nnetlink -1 1\nmount -1 1\nptrace -1 1\n"
            "listen -1 1\nraw -1 1\n");
  node().remove(id);
}

TEST_F(Sessions, T36_JudgedAsTheWorkloadAnOverwrittenProbeGainsNothing) {
  const std::string id = start_watched("as-workload");
  std::filesystem::copy_file(root_of(id) / "box", root_of(id) / "probe");
  EXPECT_EQ(session(id, "probe", {"/probe", "attack", "novel", "inet", "unshare"}).out,
            "novel -1 14\ninet -1 1\nunshare -1 1\n");
  std::vector<Json> seen;
  ASSERT_TRUE(await([&] { return (seen = events(id)).size() == 2; })) << events_of(id);
  EXPECT_EQ(seen[0]["reason"],
            "socket is not allowed to the workload by profile balanced, and its policy judges exec "
            "sessions as the workload");
  EXPECT_EQ(seen[0]["outcome"], "denied");
  EXPECT_EQ(row(id)["state"], "RUNNING") << "the action is that of sessions";
  node().remove(id);
}

TEST_F(Sessions, T36_WrittenMemoryOfASessionGainsTheLayerOfSessionsAndNoMore) {
  for (const auto& [attack, answer] :
       {std::pair{"inet", "inet 3 0\n"}, std::pair{"novel", "novel -1 14\n"},
        std::pair{"unshare", "unshare -1 1\n"}, std::pair{"listen", "listen -1 1\n"}}) {
    const std::string id = start_usurper("layer", attack);
    EXPECT_THAT(session(id, "victim", {"/box", "tick", "0"}).out, HasSubstr(answer));
    node().remove(id);
  }
}

TEST_F(Sessions, T36_JudgedAsTheWorkloadWrittenMemoryGainsNothing) {
  const std::string id = start_usurper("as-workload", "inet");
  EXPECT_THAT(session(id, "victim", {"/box", "tick", "0"}).out, HasSubstr("inet -1 1\n"));
  const Json event = await_violation(id);
  EXPECT_EQ(event["exec_id"], "victim");
  EXPECT_EQ(event["syscall"], "socket");
  node().remove(id);
}

TEST_F(Sessions, T37_ASessionWhoseProgramIsNewerThanTheContainerIsFlagged) {
  const std::string id = start_watched("layer");
  ASSERT_EQ(session(id, "image", {"/box", "attack", "unshare"}).out, "unshare -1 1\n");
  std::filesystem::copy_file(root_of(id) / "box", root_of(id) / "probe");
  ASSERT_EQ(session(id, "overwritten", {"/probe", "attack", "unshare"}).out, "unshare -1 1\n");
  std::vector<Json> flagged;
  ASSERT_TRUE(await([&] { return !(flagged = events(id, "newer-program")).empty(); }))
      << events_of(id);
  EXPECT_EQ(flagged.size(), 1U);
  EXPECT_EQ(flagged[0]["exec_id"], "overwritten");
  EXPECT_EQ(flagged[0]["newer_program"], "/probe");
  EXPECT_EQ(flagged[0]["outcome"], "continued");
  EXPECT_EQ(flagged[0]["reason"],
            "the session runs '/probe', which was changed after the container began");
  std::vector<Json> denied;
  ASSERT_TRUE(await([&] { return (denied = events(id)).size() == 2; })) << events_of(id);
  for (const Json& event : denied)
    EXPECT_EQ(event["newer_program"], event["exec_id"] == "image" ? "" : "/probe") << event;
  EXPECT_THAT(events_of(id), HasSubstr("/probe was changed after the container began"));
  EXPECT_EQ(row(id)["violations"], Json(2)) << "a flag is none";
  node().remove(id);
}

TEST_F(Sessions, T37_AScriptIsFlaggedWhereItsInterpreterIsOld) {
  const std::string id = start_watched("layer");
  const auto root = root_of(id);
  const auto put = [&](const char* name, const char* text) {
    std::ofstream(root / name) << text;
    std::filesystem::permissions(root / name, std::filesystem::perms{0755});
  };
  put("script", "#!/box echo\n");
  EXPECT_EQ(session(id, "script", {"/script"}).status, 0);
  std::vector<Json> flagged;
  ASSERT_TRUE(await([&] { return !(flagged = events(id, "newer-program")).empty(); }));
  EXPECT_EQ(flagged[0]["newer_program"], "/script");
  node().remove(id);
}

// A FIFO in the place of a program makes nobody wait, and a link leads to no file of the node.
TEST_F(Sessions, T37_TheLookIsNotLedAstray) {
  const std::string id = start_watched("layer");
  const auto root = root_of(id);
  ASSERT_EQ(::mkfifo((root / "fifo").c_str(), 0755), 0);
  EXPECT_NE(session(id, "fifo", {"/fifo"}).status, 0);
  std::filesystem::create_symlink("/proc/1/exe", root / "magic");
  (void)session(id, "magic", {"/magic", "true"});
  std::filesystem::copy_file(root / "box", root / "far");
  std::filesystem::create_symlink("../../../../far", root / "link");
  EXPECT_EQ(session(id, "link", {"/link", "true"}).status, 0);
  std::vector<Json> flagged;
  ASSERT_TRUE(await([&] { return !(flagged = events(id, "newer-program")).empty(); }));
  EXPECT_EQ(flagged[0]["exec_id"], "link");
  EXPECT_EQ(flagged[0]["newer_program"], "/link");
  node().remove(id);
}

TEST_F(Sessions, WhereThePolicyRefusesThemNothingOfOneRuns) {
  const std::string id = start_watched("refuse-sessions");
  const std::string rule = "rule 3 of policy 'balanced' (" +
                           (node().config() / "policies/balanced.yaml").string() +
                           ":8) says `exec: refuse`";
  const Output refused = session(id, "e1", {"/box", "attack", "mkdir"});
  EXPECT_NE(refused.status, 0);
  EXPECT_THAT(refused.err, HasSubstr("container '" + id + "' takes no exec session: " + rule));
  // A newer ctr prints no code, and nothing behind the message.
  EXPECT_THAT(refused.err, AnyOf(HasSubstr("failed precondition"), EndsWith("refuse`\n")));
  EXPECT_FALSE(std::filesystem::exists(root_of(id) / "box-was-here"));
  EXPECT_NE(session(id, "e1", {"/box", "true"}).status, 0) << "and again";
  std::vector<Json> told;
  ASSERT_TRUE(await([&] { return !(told = events(id, "session-refused")).empty(); }));
  EXPECT_EQ(told.size(), 1U) << "of two within a minute";
  EXPECT_EQ(told[0]["exec_id"], "e1");
  EXPECT_EQ(told[0]["outcome"], "refused");
  EXPECT_EQ(told[0]["reason"], rule);
  EXPECT_THAT(events_of(id), HasSubstr("session-refused"));
  EXPECT_EQ(row(id)["violations"], Json(0));
  EXPECT_EQ(row(id)["state"], "RUNNING");
  node().remove(id);
}

TEST_F(Sessions, ARehearsalOfARefusalIsToldAndRuns) {
  const std::string id = start_watched("rehearse");
  EXPECT_EQ(session(id, "e1", {"/box", "echo", "runs"}).out, "runs\n");
  std::vector<Json> told;
  ASSERT_TRUE(await([&] { return !(told = events(id, "session-refused")).empty(); }));
  EXPECT_EQ(told[0]["outcome"], "continued");
  EXPECT_THAT(told[0]["reason"].get<std::string>(), HasSubstr("mode enforce starts no session"));
  ASSERT_EQ(node().ward({"mode", id, "enforce"}).status, 0);
  EXPECT_NE(session(id, "e2", {"/box", "true"}).status, 0);
  node().remove(id);
}

TEST_F(Sessions, AnAnnotationRefusesThemToo) {
  const std::string id = start_watched("layer", {"--annotation", "ward.dev/exec=refuse"});
  EXPECT_THAT(session(id, "e1", {"/box", "true"}).err, HasSubstr("its annotation ward.dev/exec"));
  node().remove(id);
}

TEST_F(Sessions, WhatTheyMayDoIsSaidBeforehand) {
  const auto verdict = [](const std::string& name) {
    return ward_json({"policy", "test", "--container", name})["exec"];
  };
  EXPECT_EQ(verdict("layer-1"), "layer");
  EXPECT_EQ(verdict("as-workload-1"), "workload");
  EXPECT_EQ(verdict("refuse-sessions-1"), "refuse");
  EXPECT_EQ(verdict("off-1"), "");
  EXPECT_THAT(node().ward({"policy", "test", "--container", "as-workload-1"}).out,
              HasSubstr("exec      workload\n"));
}

}  // namespace
}  // namespace ward::test
