// SPDX-License-Identifier: Apache-2.0
// Row H01 of docs/threat-model.md: a process that makes itself look like the runtime. It executes
// the runtime's own binary, which the kernel offers it as /proc/self/exe, and gives itself the
// stack that the runtime's init had. What it does then is judged like any other call of the
// container.
#include <algorithm>
#include <atomic>
#include <fstream>
#include <functional>
#include <regex>
#include <set>
#include <sstream>
#include <thread>

#include "lib/base/file.h"
#include "lib/linux/process_info.h"
#include "tests/integration/guarded_test_base.h"
#include "tests/support/task_client.h"

namespace ward::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// prctl is signed for as a whole, so that the masquerade itself succeeds: what counts is that it
// gains nothing.
constexpr char kProfile[] = R"(apiVersion: ward.dev/v1alpha1
kind: Profile
metadata: {name: masquerade, version: 1}
spec:
  architectures: [x86_64]
  noNewPrivileges: true
  syscalls:
    serving: [
      access, arch_prctl, brk, close, execve, exit_group, fstat, getpid, getrandom, ioctl, kill,
      mprotect, newfstatat, openat, pause, poll, prctl, pread64, prlimit64, read, readlink, rseq,
      rt_sigaction, rt_sigprocmask, rt_sigreturn, set_robust_list, set_tid_address, wait4, write,
      {name: clone, args: [{index: 0, mask: 0x7e020000, oneOf: [0]}]}]
  accept:
    - {syscall: prctl, reason: the test lets the masquerade itself succeed}
  onViolation: {workload: {action: deny}, exec: {action: deny}}
)";

constexpr char kRules[] = R"(apiVersion: ward.dev/v1alpha1
kind: Policy
metadata: {name: masquerade}
spec:
  rules:
    - {match: {containers: ["masquerade-*"]}, mode: enforce, profile: masquerade}
)";

class Masquerade : public GuardedTest {
 protected:
  static void SetUpTestSuite() {
    GuardedTest::SetUpTestSuite();
    node().write_profile("masquerade", kProfile);
    node().write_policy("masquerade", kRules);
    await([] {
      return node().ward({"profile", "list"}).out.find("masquerade") != std::string::npos;
    });
  }
  void SetUp() override {
    GuardedTest::SetUp();
    carrier_ = node().unique("off");
    const Output started =
        node().ctr({"run", "-d", "--runtime", kWardRuntime, kBoxImage, carrier_, "/box", "wait"});
    ASSERT_EQ(started.status, 0) << started.err;
    tasks_ = std::make_unique<TaskClient>(node().shim_socket(carrier_));
    if (libraries_of_the_runtime().empty())
      GTEST_SKIP() << "this runtime is static: nothing can be preloaded";
  }
  void TearDown() override {
    if (bundle_) {
      (void)tasks_->kill(bundle_->id(), SIGKILL, {}, true);
      (void)tasks_->wait(bundle_->id());
      (void)tasks_->remove(bundle_->id());
    }
    tasks_.reset();
    node().remove(carrier_);
    bundle_.reset();
  }

  // What the dynamic linker loads for the runtime. Its interpreter is the one it names, which ldd
  // may have replaced.
  static std::set<std::string> libraries_of_the_runtime() {
    const Output listed = run({"ldd", runtime_program()});
    std::set<std::string> found;
    static const std::regex path("(?:(/[^ ]+) => )?(/[^ ]+) \\(0x");
    for (auto it = std::sregex_iterator(listed.out.begin(), listed.out.end(), path);
         it != std::sregex_iterator(); ++it)
      found.insert((*it)[1].matched ? (*it)[1] : (*it)[2]);
    return found;
  }
  static std::string runtime_program() {
    const char* given = std::getenv("WARD_TEST_RUNC");
    return given != nullptr && *given != '\0' ? given : "/usr/sbin/runc";
  }

  // A container in the carrier's shim whose files are enough to run the runtime's binary with the
  // library preloaded.
  void make_container(const std::string& prefix, const std::vector<std::string>& command) {
    bundle_ = std::make_unique<Bundle>(node(), carrier_, node().unique(prefix), command);
    for (const std::string& library : libraries_of_the_runtime()) {
      const fs::path inside = bundle_->rootfs() / library.substr(1);
      fs::create_directories(inside.parent_path());
      fs::copy_file(library, inside, fs::copy_options::overwrite_existing);
    }
    fs::copy_file(WARD_MASQUERADE, bundle_->rootfs() / "masquerade.so");
    bundle_->patch(
        R"({"process": {"env": ["LD_PRELOAD=/masquerade.so"]}, "root": {"readonly": false}})");
  }
  void share_the_carriers_pid_namespace() const {
    auto config = Json::parse(*read_file(bundle_->path() / "config.json"));
    for (auto& space : config["linux"]["namespaces"]) {
      if (space["type"] == "pid")
        space["path"] = "/proc/" + std::to_string(node().task_pid(carrier_)) + "/ns/pid";
    }
    std::ofstream(bundle_->path() / "config.json") << config.dump();
  }

  // What a process that sees the init in /proc (and may trace it) tells the one that masquerades.
  void tell_the_stack_of(pid_t init) const {
    const auto text = read_file("/proc/" + std::to_string(init) + "/stat").value_or("");
    std::istringstream fields(text.substr(std::min(text.rfind(')'), text.size() - 1) + 1));
    std::string field;
    for (int number = 3; number <= 28; ++number) fields >> field;
    if (field.empty() || field == "0") return;  // its execve is under way: too late
    std::ofstream(bundle_->path() / "stack.new") << field;
    fs::rename(bundle_->path() / "stack.new", bundle_->rootfs() / "stack");
  }

  // Starts the masquerade as the container's own program and returns what it printed.
  std::string masquerade_at_create() {
    return run_to_its_end([this](pid_t init) { tell_the_stack_of(init); });
  }
  std::string run_to_its_end(const std::function<void(pid_t init)>& created_as = [](pid_t) {}) {
    auto request = bundle_->create_request();
    request.set_stdout("file://" + (bundle_->path() / "out").string());
    const auto created = tasks_->call<containerd::CreateTaskResponse>("Create", request);
    EXPECT_TRUE(created.has_value()) << created.error().message;
    if (!created) return {};
    created_as(static_cast<pid_t>(created->pid()));
    const auto started = tasks_->start(bundle_->id());
    EXPECT_TRUE(started.has_value()) << started.error().message;
    (void)tasks_->wait(bundle_->id());
    // Wait is no promise that all output was copied; Delete is.
    std::string said;
    (void)await([&] { return !(said = read_file(bundle_->path() / "out").value_or("")).empty(); });
    return said;
  }

  // The same as an exec session; a thread looks for the session's init, as a process of the
  // workload would.
  std::string masquerade_at_exec(const std::string& program) {
    const auto created =
        tasks_->call<containerd::CreateTaskResponse>("Create", bundle_->create_request());
    EXPECT_TRUE(created.has_value()) << created.error().message;
    const auto started = tasks_->start(bundle_->id());
    EXPECT_TRUE(started.has_value()) << started.error().message;
    if (!created || !started) return {};
    // Whoever looks may miss an init: it is one for some milliseconds.
    for (int attempt = 0; attempt < 20 && !fs::exists(bundle_->rootfs() / "stack"); ++attempt)
      masquerade_once("session-" + std::to_string(attempt), program,
                      static_cast<pid_t>(created->pid()));
    return read_file(bundle_->path() / "out").value_or("");
  }
  void masquerade_once(const std::string& exec_id, const std::string& program, pid_t first) {
    auto request = TaskClient::exec_request(bundle_->id(), exec_id, {program, "init"});
    Json process = Json::parse(request.spec().value());
    process["env"] = {"LD_PRELOAD=/masquerade.so"};
    request.mutable_spec()->set_value(process.dump());
    request.set_stdout("file://" + (bundle_->path() / "out").string());
    std::atomic<bool> over{false};
    std::thread looking(
        [&, processes = processes_beside(first)] { look_for_an_init(first, processes, over); });
    const auto added = tasks_->call<containerd::Empty>("Exec", request);
    EXPECT_TRUE(added.has_value()) << added.error().message;
    const auto running = tasks_->start(bundle_->id(), exec_id);
    EXPECT_TRUE(running.has_value()) << running.error().message;
    (void)tasks_->wait(bundle_->id(), exec_id);
    over = true;
    looking.join();
    (void)tasks_->remove(bundle_->id(), exec_id);
  }

  void look_for_an_init(pid_t other_than, const fs::path& processes,
                        const std::atomic<bool>& over) const {
    while (!over && !fs::exists(bundle_->rootfs() / "stack")) {
      std::istringstream pids(read_file(processes).value_or(""));
      for (pid_t pid = 0; pids >> pid;) {
        const auto stat = read_stat(pid);
        if (pid != other_than && stat && stat->comm == "runc:[2:INIT]") tell_the_stack_of(pid);
      }
    }
  }
  static fs::path processes_beside(pid_t pid) {
    const auto text = read_file("/proc/" + std::to_string(pid) + "/cgroup").value_or("");
    const auto at = text.find("0::");
    const std::string path = text.substr(at + 3, text.find('\n', at) - at - 3);
    for (const fs::path top : {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"}) {
      if (fs::exists(top / path.substr(1) / "cgroup.procs"))
        return top / path.substr(1) / "cgroup.procs";
    }
    ADD_FAILURE() << "no cgroup of process " << pid << " in " << text;
    return {};
  }

  void expect_nothing_gained(const std::string& said) {
    EXPECT_THAT(said, HasSubstr("take-stack 0 0\n"))
        << "the masquerade itself has to succeed, or nothing was tried";
    for (const char* call : {"mkdir", "keyctl", "unshare", "ptrace"})
      EXPECT_THAT(said, HasSubstr(std::string(call) + " -1 1\n"));
    EXPECT_FALSE(fs::exists(bundle_->rootfs() / "masquerade-was-here"));
    for (const char* call : {"mkdir", "keyctl", "unshare", "ptrace"}) {
      EXPECT_TRUE(await(
          [&] {
            const auto all = events(bundle_->id());
            return std::any_of(all.begin(), all.end(),
                               [&](const Json& event) { return event["syscall"] == call; });
          },
          std::chrono::seconds(5)))
          << call << " is in no event";
    }
  }

  std::string carrier_;
  std::unique_ptr<TaskClient> tasks_;
  std::unique_ptr<Bundle> bundle_;
};

TEST_F(Masquerade, H01_I3_TheImagesEntryGainsNothingByLookingLikeTheRuntime) {
  make_container("masquerade", {"/proc/self/exe", "init"});
  expect_nothing_gained(masquerade_at_create());
}

TEST_F(Masquerade, H01_I3_NorDoesItInASharedPidNamespace) {
  make_container("masquerade", {"/proc/self/exe", "init"});
  share_the_carriers_pid_namespace();
  expect_nothing_gained(masquerade_at_create());
}

TEST_F(Masquerade, H01_I3_NorDoesAScriptWithTheRuntimeAsItsInterpreter) {
  make_container("masquerade", {"/script"});
  std::ofstream(bundle_->rootfs() / "script") << "#!/proc/self/exe init\n";
  fs::permissions(bundle_->rootfs() / "script", fs::perms::owner_all);
  expect_nothing_gained(masquerade_at_create());
}

TEST_F(Masquerade, H01_I3_NorDoesAnExecSession) {
  make_container("masquerade", {"/box", "wait"});
  expect_nothing_gained(masquerade_at_exec("/proc/self/exe"));
}

// The specification's own hook runs a program of the image under the filter, before the container's
// program does. It is the runtime's doing; what comes after it is not.
TEST_F(Masquerade, H01_AStartContainerHookBelongsToTheRuntimeAndWhatFollowsDoesNot) {
  make_container("masquerade", {"/box", "attack", "novel"});
  bundle_->patch(R"({"process": {"env": []}, "hooks": {"startContainer": [
      {"path": "/box", "args": ["box", "attack", "mkdir", "unshare"]}]}})");
  EXPECT_EQ(run_to_its_end(), "novel -1 1\n");
  EXPECT_TRUE(fs::exists(bundle_->rootfs() / "box-was-here"));
  const Json event = await_violation(bundle_->id());
  EXPECT_EQ(event["syscall"], "unshare") << "not even a hook";
}

TEST_F(Masquerade, H01_I3_NorUnderTheFallbackProfile) {
  make_container("baseline", {"/proc/self/exe", "init"});
  const std::string said = masquerade_at_create();
  for (const char* call : {"keyctl", "unshare", "ptrace"})
    EXPECT_THAT(said, HasSubstr(std::string(call) + " -1 1\n"));
}

}  // namespace
}  // namespace ward::test
