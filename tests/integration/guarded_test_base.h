// SPDX-License-Identifier: Apache-2.0
// A node with containerd and wardd, a profile that fits the image `box`, and one policy rule for
// each treatment: a container whose id begins with "deny-" is enforced with action deny, and so on
// (kPolicy).
#pragma once

#include <cstdio>

#include "lib/json/json.h"
#include "tests/integration/node_test_base.h"
#include "tests/support/json_page.h"

namespace ward::test {

// What the static program `box` calls, and none of what `box attack` tries.
inline constexpr char kBoxProfile[] = R"(apiVersion: ward.dev/v1alpha1
kind: Profile
metadata: {name: box, version: 1}
spec:
  architectures: [x86_64]
  noNewPrivileges: true
  syscalls:
    serving:
      - {name: clone, args: [{index: 0, mask: 0x7e020000, oneOf: [0]}]}
      - [SIMPLE]
  capabilities: [CAP_CHOWN, CAP_KILL]
  onViolation: {workload: {action: quarantine}, exec: {action: deny}}
)";

inline constexpr char kPolicy[] = R"(apiVersion: ward.dev/v1alpha1
kind: Policy
metadata: {name: tests}
spec:
  rules:
    - {match: {containers: ["quarantine-*"]}, mode: enforce, profile: box}
    - {match: {containers: ["deny-*"]}, mode: enforce, profile: box, onViolation: {workload: {action: deny}}}
    - {match: {containers: ["kill-*"]}, mode: enforce, profile: box, onViolation: {workload: {action: kill}}}
    - {match: {containers: ["log-*"]}, mode: enforce, profile: box, onViolation: {workload: {action: log}}}
    - {match: {containers: ["supervise-*"]}, mode: supervise, profile: box}
    - {match: {containers: ["exec-kill-*"]}, mode: enforce, profile: box, onViolation: {exec: {action: kill}}}
    - {match: {containers: ["named-*"], includePrivileged: true, includeSandboxes: true}, mode: enforce, profile: box, onViolation: {workload: {action: deny}}}
    - {match: {containers: ["refuse-*"]}, mode: enforce, profile: nowhere, missing: refuse}
    - {match: {containers: ["baseline-*"]}, mode: enforce, profile: nowhere, missing: baseline}
    - {match: {containers: ["learn-*"]}, mode: enforce, profile: learned, workload: learned, missing: learn}
    - {match: {containers: ["nginx-*"]}, mode: enforce, profile: nginx, workload: nginx, missing: learn}
    - {match: {containers: ["redis-*"]}, mode: enforce, profile: redis, workload: redis, missing: learn}
    - {match: {containers: ["off-*"]}, mode: "off"}
)";

class GuardedTest : public NodeTest {
 protected:
  using Json = nlohmann::json;

  static void SetUpTestSuite() {
    for (const auto& part : {shim_binary(), wardd_binary(), ward_binary()})
      if (!std::filesystem::exists(part)) missing_ = part.filename().string() + " is not built";
    NodeTest::SetUpTestSuite();
    if (!missing_.empty()) return;
    node().write_profile("box", box_profile());
    node().write_policy("tests", kPolicy);
    node().start_wardd();
  }
  void SetUp() override {
    ASSERT_EQ(missing_, "") << "build everything first";
    if (node().wardd_pid() == -1) node().start_wardd();
  }

  // Empty where the kernel tells of deaths by the filter and of uses of capabilities; else why it
  // does not.
  static std::string why_not_watched() {
    std::string watch;
    EXPECT_TRUE(await(
        [&] { return !(watch = ward_json({"status"})["processes"].get<std::string>()).empty(); }));
    return watch == "ebpf" ? "" : "nothing is watched in the kernel: " + watch;
  }

  // Version 1, in posture strict where none is given.
  static std::string box_profile(const std::string& name = "box", const std::string& posture = "",
                                 int version = 1) {
    std::string text = kBoxProfile;
    const std::string_view head = "name: box, version: 1";
    text.replace(text.find(head), head.size(),
                 "name: " + name + ", version: " + std::to_string(version));
    if (!posture.empty()) text.insert(text.find("  syscalls:"), "  posture: " + posture + "\n");
    const std::string calls[] = {"arch_prctl",
                                 "brk",
                                 "close",
                                 "execve",
                                 "exit_group",
                                 "fcntl",
                                 "getpid",
                                 "getrandom",
                                 "ioctl",
                                 "kill",
                                 "lseek",
                                 "mprotect",
                                 "newfstatat",
                                 "openat",
                                 "pause",
                                 "poll",
                                 "prlimit64",
                                 "read",
                                 "readlink",
                                 "rseq",
                                 "rt_sigaction",
                                 "rt_sigprocmask",
                                 "rt_sigreturn",
                                 "set_robust_list",
                                 "set_tid_address",
                                 "wait4",
                                 "write"};
    std::string list;
    for (const std::string& call : calls) list += (list.empty() ? "" : "\n      - ") + call;
    return text.replace(text.find("[SIMPLE]"), 8, list);
  }

  static std::vector<std::string> run_arguments(const std::string& id,
                                                const std::vector<std::string>& flags,
                                                const std::vector<std::string>& command) {
    std::vector<std::string> arguments{"run", "--runtime", kWardRuntime};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    arguments.insert(arguments.end(), {kBoxImage, id});
    arguments.insert(arguments.end(), command.begin(), command.end());
    return arguments;
  }
  static Output run_box(const std::string& id, const std::vector<std::string>& command,
                        std::vector<std::string> flags = {}) {
    flags.insert(flags.begin(), "--rm");
    return node().ctr(run_arguments(id, flags, command));
  }
  // In the background, with the watcher that node().poke() reaches.
  static std::string start_watched(const std::string& prefix, std::vector<std::string> flags = {}) {
    std::string id = node().unique(prefix);
    flags.insert(flags.begin(), "-d");
    const Output started =
        node().ctr(run_arguments(id, flags, {"/box", "entry", "/trigger", "/box", "wait"}));
    EXPECT_EQ(started.status, 0) << started.err;
    return id;
  }

  // A root file system in which the program of the image has this name.
  static std::string rootfs_with(const std::string& name, unsigned mode = 0755) {
    const std::string id = node().unique("off");
    EXPECT_EQ(node().ctr(run_arguments(id, {"-d"}, {"/box", "wait"})).status, 0);
    const std::filesystem::path root = node().directory() / "rootfs";
    for (const char* part : {"proc", "dev", "sys", "tmp"})
      std::filesystem::create_directories(root / part);
    std::filesystem::copy_file("/proc/" + std::to_string(node().task_pid(id)) + "/root/box",
                               root / name, std::filesystem::copy_options::overwrite_existing);
    std::filesystem::permissions(root / name, std::filesystem::perms{mode});
    node().remove(id);
    return root.string();
  }
  static Output run_in(const std::string& root, const std::string& id,
                       const std::vector<std::string>& command,
                       const std::vector<std::string>& flags = {}) {
    std::vector<std::string> arguments{"run", "--rm", "--runtime", kWardRuntime};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    arguments.insert(arguments.end(), {"--rootfs", root, id});
    arguments.insert(arguments.end(), command.begin(), command.end());
    return node().ctr(arguments);
  }

  // With 64-bit integers as numbers.
  static Json parse_json(const std::string& text) {
    return with_numbers(Json::parse(text, nullptr, false));
  }
  static Json ward_json(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--output", "json"});
    const Output output = node().ward(arguments);
    // A problem that `status` shows is an answer, and the test's to judge.
    if (arguments.back() != "status" || output.status != 6) {
      EXPECT_EQ(output.status, 0) << output.err;
    }
    return parse_json(output.out);
  }
  // The row of `ward ps`, or null.
  static Json row(const std::string& id) {
    const Json all = ward_json({"ps"});
    for (const Json& container : all["containers"])
      if (container["id"] == id) return container;
    return {};
  }
  static std::vector<Json> events(const std::string& id, const std::string& kind = "violation") {
    std::vector<Json> found;
    Output output;  // an answer that wardd could not give is not an answer of "none"
    std::string first_refusal;
    await([&] {
      output = node().ward({"--output", "json", "events", "-c", id});
      if (output.status != 0 && first_refusal.empty()) first_refusal = output.err;
      return output.status == 0;
    });
    if (!first_refusal.empty())
      std::fprintf(stderr, "asked again, for wardd had answered: %s\n", first_refusal.c_str());
    EXPECT_EQ(output.status, 0) << output.err;
    std::istringstream lines(output.out);
    for (std::string line; std::getline(lines, line);)
      if (Json event = parse_json(line); event.is_object() && event["kind"] == kind)
        found.push_back(std::move(event));
    return found;
  }
  // Waits for the first violation of a container to be in the journal.
  static Json await_violation(const std::string& id) {
    std::vector<Json> found;
    await([&] { return !(found = events(id)).empty(); });
    EXPECT_FALSE(found.empty()) << "no violation of " << id << " in `ward events`";
    return found.empty() ? Json::object() : found.front();
  }

 private:
  static inline std::string missing_;
};

}  // namespace ward::test
