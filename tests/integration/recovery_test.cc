// SPDX-License-Identifier: Apache-2.0
// The shim fails or dies at each of its named points (lib/base/fault.h): containerd hears of an
// error or of a success, nobody hangs, nothing of the container stays, and its id can be used
// again.
#include <algorithm>
#include <csignal>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>

#include "lib/base/fault.h"
#include "lib/base/file.h"
#include "tests/integration/guarded_test_base.h"
#include "tests/integration/remains.h"

namespace ward::test {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::HasSubstr;

struct Case {
  const char* point;
  const char* action;
  const char* verb;  // in which it is met
};

// `create.in-runtime` kills the shim while runc works, which the kernel then kills as well.
constexpr Case kCases[] = {
    {"serve.before-listen", "kill", "run"},
    {"rename.config.json", "error(ENOSPC)", "run"},
    {"rename.config.json", "kill", "run"},
    {"create.before-runtime", "error(EMFILE)", "run"},
    {"create.before-runtime", "kill", "run"},
    {"create.in-runtime", "kill(4)", "run"},
    {"create.in-runtime", "kill(12)", "run"},
    {"create.in-runtime", "kill(25)", "run"},
    {"create.in-runtime", "kill(50)", "run"},
    {"listener.arrived", "error(EMFILE)", "run"},
    {"listener.arrived", "kill", "run"},
    {"create.after-runtime", "error(EIO)", "run"},
    {"create.after-runtime", "kill", "run"},
    {"create.before-events", "kill", "run"},
    {"create.before-reply", "kill", "run"},
    {"start.before-release", "error(EIO)", "run"},
    {"start.before-release", "kill", "run"},
    {"start.before-reply", "kill", "run"},
    {"events.before-forward", "error*3", "run"},
    {"events.before-forward", "kill", "run"},
    {"listener.arrived", "error(EMFILE)", "exec"},
    {"exec.before-runtime", "error(EMFILE)", "exec"},
    {"exec.before-runtime", "kill", "exec"},
    {"exec.in-runtime", "kill(12)", "exec"},
    {"exec.after-runtime", "error(EIO)", "exec"},
    {"exec.after-runtime", "kill", "exec"},
    {"pause.before-runtime", "error(EMFILE)", "pause"},
    {"pause.before-runtime", "kill", "pause"},
    {"pause.after-runtime", "error(EIO)", "pause"},
    {"pause.after-runtime", "kill", "pause"},
    {"resume.before-runtime", "error(EMFILE)", "resume"},
    {"resume.before-runtime", "kill", "resume"},
    {"resume.after-runtime", "error(EIO)", "resume"},
    {"resume.after-runtime", "kill", "resume"},
    {"kill.before-runtime", "error(EMFILE)", "kill"},
    {"kill.before-runtime", "kill", "kill"},
    {"kill.after-runtime", "error(EIO)", "kill"},
    {"kill.after-runtime", "kill", "kill"},
    {"delete.before-record", "error(EIO)", "delete"},
    {"delete.before-record", "kill", "delete"},
    {"delete.before-unmount", "kill", "delete"},
    {"rootfs.unmount", "error(EBUSY)", "delete"},
    {"delete.before-reply", "kill", "delete"},
    {"events.before-forward", "error*3", "delete"},
    {"events.before-forward", "kill", "delete"},
};

constexpr char kSession[] = "recovery-session";

// Not create.before-runtime: a containerd that is back before the runtime has begun cannot know of
// what it makes (docs/testing.md, known limits).
constexpr Case kCasesOfContainerd[] = {
    {"create.after-runtime", "delay(800)*1", "run"},
    {"start.before-release", "delay(800)*1", "run"},
    {"exec.after-runtime", "delay(800)*1", "exec"},
    {"delete.before-unmount", "delay(800)*1", "delete"},
};

class Recovery : public GuardedTest, public testing::WithParamInterface<Case> {
 protected:
  static void SetUpTestSuite() {
    if (!fault::kEnabled) return;
    GuardedTest::SetUpTestSuite();
    await_calibration();
  }
  static void TearDownTestSuite() {
    if (fault::kEnabled) GuardedTest::TearDownTestSuite();
  }
  void SetUp() override {
    if (!fault::kEnabled) GTEST_SKIP() << "this build has no fault points (WARD_FAULTS)";
    GuardedTest::SetUp();
  }
  void TearDown() override { disarm(); }

  static fs::path rules() { return node().directory() / "faults"; }
  static void arm(const Case& what) {
    std::ofstream(rules()) << what.point << "=" << what.action << "\n";
  }
  static void disarm() {
    fs::remove(rules());
    fs::remove(rules().string() + ".fired");
  }
  static bool fired(const Case& what) {
    return read_file(rules().string() + ".fired").value_or("").find(what.point) !=
           std::string::npos;
  }
  static std::vector<std::string> arguments_of(const std::string& verb, const std::string& id) {
    if (verb == "run") return run_arguments(id, {"-d"}, {"/box", "wait"});
    if (verb == "exec") return {"task", "exec", "--exec-id", kSession, id, "/box", "exit", "5"};
    if (verb == "kill") return {"task", "kill", "-a", "-s", "KILL", id};
    return {"task", verb, id};
  }
  // A task that containerd knew and whose shim died: containerd tells of its end, with the status
  // of a death by SIGKILL.
  static void expect_the_end_is_told(Events& events, const Case& what, const std::string& id,
                                     const std::string& when) {
    const std::string verb = what.verb;
    if (verb == "run") return;  // whether it was a task yet depends on the moment
    const std::vector<std::string> told = events.await(id, "delete");
    EXPECT_THAT(told, Contains("exit")) << when;
    // One that had told of the delete and had not answered cannot know that containerd will tell of
    // it as well.
    const bool had_told = what.point == std::string("delete.before-reply");
    EXPECT_LE(std::count(told.begin(), told.end(), "delete"), had_told ? 2 : 1) << when;
    // An end that its shim had told before it died is told once more by containerd, which finds the
    // shim gone.
    EXPECT_LE(std::count(told.begin(), told.end(), "exit"),
              verb == "delete" || verb == "kill" ? 2 : 1)
        << when;
    std::istringstream lines(events.text());
    for (std::string line; std::getline(lines, line);) {
      if (line.find("/tasks/exit") != std::string::npos &&
          line.find("\"id\":\"" + id + "\"") != std::string::npos) {
        EXPECT_THAT(line, HasSubstr("\"exit_status\":137")) << when;
      }
    }
  }
  // An exec of ctr that lost its shim or its containerd leaves them; the other FIFOs go with the
  // task.
  static void clear_up_after_ctr(const Case& what) {
    if (std::string(what.verb) == "exec") remove_fifos_of(kSession);
  }
  // What has to be true for the verb to be asked for.
  static void prepare(const std::string& verb, const std::string& id) {
    if (verb == "run") return;
    const Output started = node().ctr(arguments_of("run", id));
    EXPECT_EQ(started.status, 0) << started.err;
    if (verb == "resume") {
      EXPECT_EQ(node().ctr({"task", "pause", id}).status, 0);
    }
    if (verb != "delete") return;
    EXPECT_EQ(node().ctr({"task", "kill", "-s", "KILL", id}).status, 0);
    EXPECT_TRUE(await([&] { return node().task_status(id) == "STOPPED"; }));
  }
};

TEST_P(Recovery, NothingHangsNothingStaysAndTheIdIsFreeAgain) {
  const Case& what = GetParam();
  const std::string when = std::string(what.verb) + " with " + what.point + "=" + what.action;
  const std::string id = node().unique("deny");
  const std::string action = what.action;
  const bool dies = action.rfind("kill", 0) == 0;
  auto events = dies ? std::make_unique<Events>(node()) : nullptr;
  prepare(what.verb, id);
  arm(what);
  const Output output = node().ctr(arguments_of(what.verb, id));
  EXPECT_NE(output.status, -1) << when << " hangs";
  EXPECT_TRUE(await([&] { return fired(what); }, std::chrono::seconds(5)))
      << when << " was never met";
  // A mount that is busy is containerd's to remove, and a container that runs again was resumed,
  // whatever the runtime says of itself.
  const std::set<std::string> harmless{"rootfs.unmount", "resume.after-runtime"};
  if (action.rfind("error(", 0) == 0) {
    EXPECT_EQ(output.status == 0, harmless.count(what.point) != 0) << when << ": " << output.err;
  }
  if (action.rfind("error*", 0) == 0) {
    EXPECT_EQ(output.status, 0) << output.err;
  }
  disarm();
  if (events) expect_the_end_is_told(*events, what, id, when);
  events.reset();  // a process of this node, too
  clear_up_after_ctr(what);
  expect_nothing_is_left_of(node(), id, when + ", which said: " + output.err);

  const Output again = run_box(id, {"/box", "exit", "3"});
  EXPECT_EQ(again.status, 3) << when << ": the second start of the id: " << again.err;
  expect_nothing_is_left_of(node(), id, when + ", second start");
}

// The shim stands at a point while containerd dies and comes back.
class RecoveryOfContainerd : public Recovery {};

TEST_P(RecoveryOfContainerd, ThatDiesInTheMiddleOfAVerbKnowsTheTruthAfterwards) {
  const Case& what = GetParam();
  const std::string when = std::string("containerd killed at ") + what.point;
  const std::string id = node().unique("deny");
  prepare(what.verb, id);
  const pid_t init = std::string(what.verb) == "exec" ? node().task_pid(id) : -1;
  arm(what);
  {
    Child verb(node().ctr_command(arguments_of(what.verb, id)), node().environment());
    ASSERT_TRUE(await([&] { return fired(what); })) << when << " was never met: " << verb.err();
    node().stop_containerd(SIGKILL);
    EXPECT_TRUE(verb.wait()) << when << ": ctr hangs";
    EXPECT_NE(verb.wait().value_or(0), 0) << when << ": nobody can have told ctr that all is well";
  }
  disarm();
  clear_up_after_ctr(what);
  node().start_containerd();
  const std::string status = node().task_status(id);
  if (init > 0) {
    EXPECT_EQ(status, "RUNNING") << when;
    EXPECT_EQ(node().task_pid(id), init) << when;
    EXPECT_EQ(node().ctr({"task", "exec", "--exec-id", "e2", id, "/box", "exit", "7"}).status, 7)
        << when;
  } else if (status == "CREATED" || status == "RUNNING") {
    EXPECT_EQ(::kill(node().task_pid(id), 0), 0)
        << when << ": " << status << ", and there is no process";
  } else {
    EXPECT_THAT(status, testing::AnyOf("STOPPED", "")) << when;
    EXPECT_TRUE(await([&] { return cgroups_of(node().name()).empty(); }))
        << when << ": " << status << ", and it runs";
  }
  // A known limit (docs/testing.md): containerd 1.6 takes a shim that answers for one that has a
  // task, and a shim waits to be told to go. Its end is what makes containerd look again.
  if (what.verb == std::string("delete") && node().shim_pid(id) > 0)
    signal_process(node().shim_pid(id), SIGTERM);
  expect_nothing_is_left_of(node(), id, when);
  const Output again = run_box(id, {"/box", "exit", "3"});
  EXPECT_EQ(again.status, 3) << when << ": the second start of the id: " << again.err;
  expect_nothing_is_left_of(node(), id, when + ", second start");
}

std::string case_name(const testing::TestParamInfo<Case>& each) {
  std::string name =
      std::string(each.param.verb) + "_" + each.param.point + "_" + each.param.action;
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(Points, Recovery, testing::ValuesIn(kCases), case_name);
INSTANTIATE_TEST_SUITE_P(Points, RecoveryOfContainerd, testing::ValuesIn(kCasesOfContainerd),
                         case_name);

}  // namespace
}  // namespace ward::test
