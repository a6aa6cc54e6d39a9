// SPDX-License-Identifier: Apache-2.0
// What exec sessions may do, and what the workload gains where it makes a session do its work: by the
// program that a probe runs, or through the session's memory.
#include <cstdlib>
#include <filesystem>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "tests/integration/guarded_test_base.h"

namespace ward::test {
namespace {

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

// Each does what it does in a container that nobody governs.
TEST_F(Sessions, OrdinaryCommandsOfMuslWorkInThem) {
  const char* const busybox = std::getenv("WARD_TEST_MUSL_BUSYBOX");
  if (busybox == nullptr)
    GTEST_SKIP() << "WARD_TEST_MUSL_BUSYBOX names no static busybox that is linked with musl";
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

TEST_F(Sessions, T36_WrittenMemoryOfASessionGainsTheLayerOfSessionsAndNoMore) {
  for (const auto& [attack, answer] :
       {std::pair{"inet", "inet 3 0\n"}, std::pair{"novel", "novel -1 14\n"},
        std::pair{"unshare", "unshare -1 1\n"}, std::pair{"listen", "listen -1 1\n"}}) {
    const std::string id = start_usurper("layer", attack);
    EXPECT_THAT(session(id, "victim", {"/box", "tick", "0"}).out, HasSubstr(answer));
    node().remove(id);
  }
}

}  // namespace
}  // namespace ward::test
