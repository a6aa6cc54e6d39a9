// SPDX-License-Identifier: Apache-2.0
// What a pod's security settings ask for arrives in its containers, and Ward only ever takes away
// from it.
#include <sys/stat.h>

#include "lib/base/file.h"
#include "tests/integration/cri_test_base.h"
#include "tests/support/peers.h"

namespace ward::test {
namespace {

using testing::HasSubstr;

class CriSecurity : public CriTest {
 protected:
  static cri::LinuxContainerSecurityContext* security_of(cri::ContainerConfig& config) {
    return config.mutable_linux()->mutable_security_context();
  }
  // The line of /proc/<pid>/status that begins with `key`, after the key.
  static std::string status_of(const std::string& container, const std::string& key) {
    std::istringstream lines(
        read_file("/proc/" + std::to_string(node().task_pid(container)) + "/status").value_or(""));
    for (std::string line; std::getline(lines, line);)
      if (line.rfind(key + ":\t", 0) == 0) return line.substr(key.size() + 2);
    return "";
  }
  static std::string shared_with(pid_t one, pid_t other) {
    std::string kinds;
    for (const char* kind : {"net", "pid", "ipc", "uts", "mnt"})
      if (namespace_of(one, kind) == namespace_of(other, kind))
        kinds += (kinds.empty() ? "" : " ") + std::string(kind);
    return kinds;
  }
  // Ids of the pod's own, as a kubelet gives out for hostUsers: false.
  static void map_users(cri::NamespaceOption* option) {
    cri::UserNamespace* users = option->mutable_userns_options();
    users->set_mode(cri::POD);
    for (cri::IDMapping* mapping : {users->add_uids(), users->add_gids()}) {
      mapping->set_host_id(kFirstMappedId);
      mapping->set_container_id(0);
      mapping->set_length(65536);
    }
  }
  Pod start_pod_with_users(const std::string& name) {
    cri::PodSandboxConfig settings = pod_config(name);
    map_users(namespaces_of(settings));
    return start_pod(settings);
  }
  static const char* why_no_own_users() {
    if (containerd_version() < kMapsUsers)
      return "this containerd has no pods with users of their own";
    if (run({"runc", "features"}, node().environment()).out.find("\"idmap\"") == std::string::npos)
      return "this runtime has no id-mapped mounts";
    // With these pods it reads the options of runc only, and a runtime type of one's own has
    // runtimeoptions.v1.Options.
    if (std::string(handler()) == "ward")
      return "containerd has no pods with users of their own for other runtime types";
    return nullptr;
  }
  static constexpr std::uint32_t kFirstMappedId = 196608;
};

TEST_P(CriSecurity, TheImagesUserAndTheOneAskedForAreObeyed) {
  const Pod pod = start_pod("users");
  const std::string image = start(pod, container_config("image", {"/box", "wait"}, "nobody"));
  EXPECT_EQ(status_of(image, "Uid"), "65534\t65534\t65534\t65534");
  cri::ContainerConfig config = container_config("asked", {"/box", "wait"}, "nobody");
  security_of(config)->mutable_run_as_user()->set_value(33);
  security_of(config)->mutable_run_as_group()->set_value(34);
  security_of(config)->set_no_new_privs(true);
  const std::string asked = start(pod, config);
  EXPECT_EQ(status_of(asked, "Uid"), "33\t33\t33\t33");
  EXPECT_EQ(status_of(asked, "Gid"), "34\t34\t34\t34");
  EXPECT_EQ(status_of(asked, "NoNewPrivs"), "1");
  EXPECT_EQ(exec(asked, {"/box", "attack", "mkdir"}).stdout(),
            "mkdir -1 13\n");  // EACCES: an exec has this user, too
}

TEST_P(CriSecurity, AReadOnlyRootIsReadOnly) {
  cri::ContainerConfig config = container_config("main", {"/box", "wait"});
  security_of(config)->set_readonly_rootfs(true);
  const std::string id = start(start_pod("readonly"), config);
  EXPECT_EQ(exec(id, {"/box", "attack", "mkdir"}).stdout(), "mkdir -1 30\n");  // EROFS
}

TEST_P(CriSecurity, HostNamespacesAreTheHosts) {
  cri::PodSandboxConfig pod_settings = pod_config("host");
  pod_settings.clear_hostname();  // it is the node's, and a kubelet gives none
  cri::ContainerConfig config = container_config("main", {"/box", "wait"});
  for (cri::NamespaceOption* option : {namespaces_of(pod_settings), namespaces_of(config)}) {
    option->set_network(cri::NODE);
    option->set_pid(cri::NODE);
    option->set_ipc(cri::NODE);
  }
  const std::string id = start(start_pod(pod_settings), config);
  EXPECT_EQ(shared_with(node().task_pid(id), node().containerd_pid()), "net pid ipc uts");
  EXPECT_EQ(exec(id, {"/box", "true"}).exit_code(), 0);
  ASSERT_TRUE(client().stop_container(
      id, std::chrono::seconds(10)));  // no init of a pid namespace takes all with it
  EXPECT_EQ(client().container_status(id)->state(), cri::CONTAINER_EXITED);
}

TEST_P(CriSecurity, APodMaySharePidsAndTheEndOfOneContainerEndsItsOwnOnly) {
  cri::PodSandboxConfig pod_settings = pod_config("shared");
  namespaces_of(pod_settings)->set_pid(cri::POD);
  const Pod pod = start_pod(pod_settings);
  std::vector<std::string> ids;
  for (const char* name : {"one", "two"}) {
    cri::ContainerConfig config = container_config(name, {"/box", "crowd", "2"});
    namespaces_of(config)->set_pid(cri::POD);
    ids.push_back(start(pod, config));
  }
  EXPECT_EQ(shared_with(node().task_pid(ids[0]), node().task_pid(pod.id)), "net pid ipc uts");
  ASSERT_TRUE(await([&] { return log_of(pod, "one").find("ready") != std::string::npos; }));
  ASSERT_TRUE(client().stop_container(
      ids[0], std::chrono::seconds(0)));  // two children of it would stay behind
  EXPECT_EQ(client().container_status(ids[0])->state(), cri::CONTAINER_EXITED);
  EXPECT_EQ(exec(ids[1], {"/box", "true"}).exit_code(), 0);
  EXPECT_EQ(client().pod_status(pod.id)->state(), cri::SANDBOX_READY);
}

TEST_P(CriSecurity, SysctlsOfThePodAreSet) {
  cri::PodSandboxConfig pod_settings = pod_config("sysctls");
  (*pod_settings.mutable_linux()->mutable_sysctls())["kernel.shm_rmid_forced"] = "1";
  (*pod_settings.mutable_linux()->mutable_sysctls())["net.ipv4.ip_unprivileged_port_start"] =
      "1234";
  const std::string id = start(start_pod(pod_settings), "main", {"/box", "wait"});
  const std::string pid = std::to_string(node().task_pid(id));
  const Output read =
      run({"nsenter", "-t", pid, "-n", "-i", "cat", "/proc/sys/kernel/shm_rmid_forced",
           "/proc/sys/net/ipv4/ip_unprivileged_port_start"});
  EXPECT_EQ(read.out, "1\n1234\n") << read.err;
}

TEST_P(CriSecurity, APrivilegedContainerHasWhatTheNodeHas) {
  cri::PodSandboxConfig pod_settings = pod_config("privileged");
  pod_settings.mutable_linux()->mutable_security_context()->set_privileged(true);
  cri::ContainerConfig config = container_config("main", {"/box", "wait"});
  security_of(config)->set_privileged(true);
  const std::string id = start(start_pod(pod_settings), config);
  EXPECT_EQ(status_of(id, "Seccomp"), "0");
  std::istringstream own(read_file("/proc/self/status").value_or(""));
  std::string expected;
  for (std::string line; std::getline(own, line);)
    if (line.rfind("CapEff:\t", 0) == 0) expected = line.substr(8);
  EXPECT_EQ(status_of(id, "CapEff"), expected);
}

TEST_P(CriSecurity, CapabilitiesAreAddedAndDropped) {
  cri::ContainerConfig config = container_config("main", {"/box", "wait"});
  security_of(config)->mutable_capabilities()->add_drop_capabilities("ALL");
  security_of(config)->mutable_capabilities()->add_add_capabilities("KILL");
  const std::string id = start(start_pod("capabilities"), config);
  EXPECT_EQ(status_of(id, "CapBnd"), "0000000000000020");
  EXPECT_THAT(exec(id, {"/box", "status"}).stdout(), HasSubstr("CapBnd:\t0000000000000020\n"));
}

TEST_P(CriSecurity, SeccompProfilesPassThrough) {
  const Pod pod = start_pod("seccomp");
  const std::string file = (node().directory() / "no-mkdir.json").string();
  std::ofstream(file)
      << R"({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
    "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]})";
  const struct {
    cri::SecurityProfile::ProfileType type;
    const char* name;
    const char* filter;
    const char* attacks;
  } cases[] = {{cri::SecurityProfile::Unconfined, "none", "0", "mkdir 0 0\n"},
               {cri::SecurityProfile::RuntimeDefault, "default", "2", "mkdir 0 0\nkeyctl -1 1\n"},
               {cri::SecurityProfile::Localhost, "local", "2", "mkdir -1 95\n"}};
  for (const auto& [type, name, filter, attacks] : cases) {
    cri::ContainerConfig config = container_config(name, {"/box", "wait"});
    security_of(config)->mutable_seccomp()->set_profile_type(type);
    if (type == cri::SecurityProfile::Localhost)
      security_of(config)->mutable_seccomp()->set_localhost_ref(file);
    const std::string id = start(pod, config);
    EXPECT_EQ(status_of(id, "Seccomp"), filter) << name;
    std::vector<std::string> command{"/box", "attack", "mkdir"};
    if (type == cri::SecurityProfile::RuntimeDefault) command.emplace_back("keyctl");
    EXPECT_EQ(exec(id, command).stdout(), attacks) << name;
  }
}

// The root file system is an overlay with id-mapped layers, and the streams belong to the root of
// in there.
TEST_P(CriSecurity, APodMayHaveUsersOfItsOwn) {
  if (const char* why = why_no_own_users(); why != nullptr) GTEST_SKIP() << why;
  const Pod pod = start_pod_with_users("users");
  ASSERT_FALSE(pod.id.empty());
  cri::ContainerConfig config = container_config("main", {"/box", "wait"});
  map_users(namespaces_of(config));
  const std::string id = start(pod, config);
  const std::string root = std::to_string(kFirstMappedId);
  EXPECT_EQ(status_of(id, "Uid"), root + "\t" + root + "\t" + root + "\t" + root);
  EXPECT_EQ(exec(id, {"/box", "attack", "mkdir"}).stdout(), "mkdir 0 0\n")
      << "it may write into its own root";
  EXPECT_TRUE(await([&] { return log_of(pod, "main").find("ready") != std::string::npos; }));
  struct stat box = {};
  ASSERT_EQ(::stat(("/proc/" + std::to_string(node().task_pid(id)) + "/root/box").c_str(), &box),
            0);
  EXPECT_EQ(box.st_uid, kFirstMappedId) << "its files are its root's";
  ASSERT_TRUE(client().stop_container(id, std::chrono::seconds(10)));
  EXPECT_EQ(client().container_status(id)->exit_code(), 42);
}

INSTANTIATE_TEST_SUITE_P(Handler, CriSecurity, testing::ValuesIn(runtime_handlers()), handler_name);

// With a policy for its containers. Sandboxes and privileged containers are left alone unless it
// names them (I10).
class CriEnforced : public CriSecurity {
 protected:
  static void SetUpTestSuite() {
    CriSecurity::SetUpTestSuite();
    node().write_profile("narrow", R"(apiVersion: ward.dev/v1alpha1
kind: Profile
metadata: {name: narrow, version: 1}
spec:
  architectures: [x86_64]
  syscalls:
    serving: [arch_prctl, brk, close, execve, exit_group, fcntl, getpid, getrandom, ioctl, kill, lseek, mkdir, mprotect,
      newfstatat, openat, pause, poll, prlimit64, read, readlink, rseq, rt_sigaction, rt_sigprocmask, rt_sigreturn,
      set_robust_list, set_tid_address, wait4, write]
  capabilities: [CAP_CHOWN, CAP_KILL]
  onViolation: {workload: {action: kill}, exec: {action: deny}}
)");
    node().write_policy("pods", R"(apiVersion: ward.dev/v1alpha1
kind: Policy
metadata: {name: pods}
spec:
  rules:
    - {match: {kubernetesNamespaces: [tests], pods: ["guarded*"]}, mode: enforce, profile: narrow}
)");
    node().start_wardd();
  }
};

TEST_P(CriEnforced, I2_TheProfileIsIntersectedWithThePodsOwnFilter) {
  const Pod pod = start_pod("guarded");
  const std::string file = (node().directory() / "no-mkdir.json").string();
  std::ofstream(file)
      << R"({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
    "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]})";
  for (const auto type : {cri::SecurityProfile::Unconfined, cri::SecurityProfile::RuntimeDefault,
                          cri::SecurityProfile::Localhost}) {
    const std::string name = "main" + std::to_string(type);
    cri::ContainerConfig config = container_config(name, {"/box", "wait"});
    security_of(config)->mutable_seccomp()->set_profile_type(type);
    if (type == cri::SecurityProfile::Localhost)
      security_of(config)->mutable_seccomp()->set_localhost_ref(file);
    const std::string id = start(pod, config);
    EXPECT_EQ(status_of(id, "Seccomp"), "2") << name;
    EXPECT_EQ(status_of(id, "CapBnd"), "0000000000000021") << name;
    const std::string attacks = exec(id, {"/box", "attack", "novel", "mkdir"}).stdout();
    // The profile allows mkdir, and not novel; what the pod's own filter denies stays denied.
    EXPECT_THAT(attacks, HasSubstr("novel -1 1\n")) << name;
    EXPECT_THAT(attacks, HasSubstr(type == cri::SecurityProfile::Localhost ? "mkdir -1 95\n"
                                                                           : "mkdir 0 0\n"))
        << name;
  }
}

TEST_P(CriEnforced, AProfileHoldsAPodWithUsersOfItsOwn) {
  if (const char* why = why_no_own_users(); why != nullptr) GTEST_SKIP() << why;
  const Pod pod = start_pod_with_users("guarded");
  ASSERT_FALSE(pod.id.empty());
  for (const auto& [name, attack, status] :
       {std::tuple{"good", "mkdir", 0}, std::tuple{"bad", "novel", 137}}) {
    cri::ContainerConfig config = container_config(name, {"/box", "attack", attack});
    map_users(namespaces_of(config));
    EXPECT_EQ(await_exit(start(pod, config)).exit_code(), status) << name;
  }
  EXPECT_THAT(log_of(pod, "good"), HasSubstr("mkdir 0 0"));
  EXPECT_EQ(log_of(pod, "bad").find("novel"), std::string::npos) << "it went on after the call";
}

TEST_P(CriEnforced, AViolationKillsItsContainerAndThePodLivesOn) {
  const Pod pod = start_pod("guarded");
  const std::string other = start(pod, "other", {"/box", "wait"});
  const std::string bad = start(pod, "bad", {"/box", "attack", "novel"});
  EXPECT_EQ(await_exit(bad).exit_code(), 137);
  EXPECT_EQ(log_of(pod, "bad").find("novel"), std::string::npos) << "it went on after the call";
  EXPECT_EQ(exec(other, {"/box", "true"}).exit_code(), 0);
  EXPECT_EQ(client().pod_status(pod.id)->state(), cri::SANDBOX_READY);
  EXPECT_THAT(node().ward({"events"}).out, HasSubstr("sched_rr_get_interval"));
}

TEST_P(CriEnforced, I10_SandboxesPrivilegedContainersAndOtherPodsAreLeftAlone) {
  cri::PodSandboxConfig pod_settings = pod_config("guarded");
  pod_settings.mutable_linux()->mutable_security_context()->set_privileged(true);
  const Pod pod = start_pod(pod_settings);
  cri::ContainerConfig config = container_config("main", {"/box", "wait"});
  security_of(config)->set_privileged(true);
  EXPECT_EQ(status_of(start(pod, config), "Seccomp"), "0");
  const std::string free = start(start_pod("free"), "main", {"/box", "wait"});
  EXPECT_EQ(exec(free, {"/box", "attack", "novel"}).stdout(), "novel -1 14\n");
}

INSTANTIATE_TEST_SUITE_P(Handler, CriEnforced, testing::ValuesIn(ward_handlers()), handler_name);

}  // namespace
}  // namespace ward::test
