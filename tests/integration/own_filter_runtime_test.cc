// SPDX-License-Identifier: Apache-2.0
// A container's own filter through a real runtime: the same config.json once by `runc run` and once
// under Ward with a profile that allows everything. A program in the container makes calls and says
// how each was answered. What tests/unit/shim_supervisor compares by evaluation is met here by the
// kernel.
#include <sys/stat.h>
#include <sys/syscall.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "lib/base/file.h"
#include "lib/oci/bundle.h"
#include "profiles/filter/own_filter.h"
#include "tests/integration/guarded_test_base.h"
#include "tests/support/node_remains.h"
#include "tests/support/random_filters.h"
#include "tests/support/task_client.h"

namespace ward::test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ward::testing::RandomFilters;

constexpr int kFilters = 200;
constexpr int kShortRun = 10;  // that start
constexpr int kProbes = 60;

// Whatever their arguments they do no harm to who calls them, and neither the runtime nor the
// program needs them.
const std::vector<std::string> kCalls = {"getppid",     "getuid", "sched_yield", "socket",
                                         "personality", "mkdir",  "openat2",     "faccessat2",
                                         "futex_waitv", "clone3"};

struct Ran {
  bool started = false;
  std::string why;                                // it did not
  std::vector<std::pair<int, int>> answers = {};  // errno, signal
};

class OwnFilterRuntime : public GuardedTest {
 protected:
  static void SetUpTestSuite() {
    GuardedTest::SetUpTestSuite();
    node().write_profile("everything", everything());
    node().write_policy("everything", R"(apiVersion: ward.dev/v1alpha1
kind: Policy
metadata: {name: everything}
spec:
  rules:
    - {match: {containers: ["open-*"]}, mode: enforce, profile: everything}
)");
    await([] {
      return node().ward({"profile", "list"}).out.find("everything") != std::string::npos;
    });
  }
  void SetUp() override {
    GuardedTest::SetUp();
    carrier_ = node().unique("carrier");
    const Output started =
        node().ctr({"run", "-d", "--runtime", kWardRuntime, kBoxImage, carrier_, "/box", "wait"});
    ASSERT_EQ(started.status, 0) << started.err;
    tasks_ = std::make_unique<TaskClient>(node().shim_socket(carrier_));
  }
  void TearDown() override {
    tasks_.reset();
    if (!carrier_.empty()) node().remove(carrier_);
  }

  static std::string everything() {
    std::string calls, accepted;
    for (const auto& [name, nr] : oci::known_syscalls()) {
      if (nr == SYS_clone3) continue;  // no profile may list it
      calls += (calls.empty() ? "" : ", ") + name;
      accepted += "    - {syscall: " + name + ", reason: the own filter is what is tried}\n";
    }
    return "apiVersion: ward.dev/v1alpha1\nkind: Profile\nmetadata: {name: everything, version: "
           "1}\nspec:\n"
           "  architectures: [x86_64]\n  noNewPrivileges: false\n  syscalls:\n    serving: [" +
           calls + "]\n  accept:\n" + accepted +
           "  capabilities: [CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FSETID, CAP_FOWNER, CAP_MKNOD, "
           "CAP_NET_RAW, CAP_SETGID, "
           "CAP_SETUID, CAP_SETFCAP, CAP_SETPCAP, CAP_NET_BIND_SERVICE, CAP_SYS_CHROOT, CAP_KILL, "
           "CAP_AUDIT_WRITE]\n" +
           "  onViolation: {workload: {action: deny}}\n";
  }

  static Json json_of(const oci::Seccomp& filter) {
    return Json::parse(oci::seccomp_to_json(filter));
  }

  static std::unique_ptr<Bundle> make_bundle(const std::string& id, const Json& filter,
                                             const std::string& probes, const std::string& model) {
    auto bundle =
        std::make_unique<Bundle>(node(), model, id, std::vector<std::string>{"/probes-program"});
    fs::copy_file(WARD_PROBES, bundle->rootfs() / "probes-program");
    std::ofstream(bundle->rootfs() / "probes") << probes;
    auto config = Json::parse(*read_file(bundle->path() / "config.json"));
    config["linux"]["seccomp"] = filter;
    std::ofstream(bundle->path() / "config.json") << config.dump();
    return bundle;
  }

  static std::vector<std::pair<int, int>> parse(const std::string& said) {
    std::vector<std::pair<int, int>> answers;
    std::istringstream lines(said);
    for (int index = 0, error = 0, signal = 0; lines >> index >> error >> signal;)
      answers.emplace_back(error, signal);
    return answers;
  }

  [[nodiscard]] Ran run_stock(const Json& filter, const std::string& probes) const {
    const auto bundle = make_bundle(node().unique("stock"), filter, probes, carrier_);
    const Output output = run({"runc", "--root", (bundle->path() / "state").string(), "run",
                               "--bundle", bundle->path().string(), node().name() + bundle->id()},
                              node().environment());
    if (output.status != 0) await([&] { return remove_cgroups_of(node().name(), bundle->id()); });
    return {output.status == 0, output.err, parse(output.out)};
  }

  [[nodiscard]] Ran run_under_ward(const Json& filter, const std::string& probes) const {
    const auto bundle = make_bundle(node().unique("open"), filter, probes, carrier_);
    const fs::path log = bundle->path() / "log";
    auto request = bundle->create_request();
    request.set_stdout("file://" + log.string());
    if (const auto created = tasks_->call<containerd::CreateTaskResponse>("Create", request);
        !created) {
      return {false, created.error().message};
    }
    // Beside a filter that is not Ward's everything would agree.
    EXPECT_EQ(row(bundle->id())["mode"], "enforce");
    const auto started = tasks_->start(bundle->id());
    const auto ended = started ? tasks_->wait(bundle->id()) : tl::unexpected(started.error());
    if (!started) (void)tasks_->kill(bundle->id(), SIGKILL);
    // Delete is the promise that all output was copied.
    EXPECT_TRUE(tasks_->remove(bundle->id()));
    Ran ran{
        started && ended && ended->exit_status() == 0, started ? "" : started.error().message, {}};
    if (started && ended) ran.why = "status " + std::to_string(ended->exit_status());
    ran.answers = parse(read_file(log).value_or(""));
    return ran;
  }

  std::string carrier_;
  std::unique_ptr<TaskClient> tasks_;
};

// A random filter for the calls that are tried, and room for the runtime and the program: what an
// ordinary filter names up to some number.
oci::Seccomp random_filter(RandomFilters& random) {
  oci::Seccomp filter = random.filter(kCalls);
  oci::SeccompRule room{{}, oci::SeccompAction::kAllow, {}, {}};
  constexpr int kLimits[] = {335, 442, 1000};
  const int limit = kLimits[random.below(3)];
  for (const auto& [name, nr] : oci::known_syscalls()) {
    const bool tried = std::find(kCalls.begin(), kCalls.end(), name) != kCalls.end();
    if (!tried && nr < limit) room.names.push_back(name);
  }
  filter.rules.push_back(std::move(room));
  return filter;
}

struct Question {
  int nr = 0;
  filter::CallArgs args{};
};

std::vector<Question> random_questions(RandomFilters& random) {
  std::vector<Question> questions;
  for (int i = 0; i < kProbes; ++i) {
    Question question{*oci::find_syscall(kCalls[random.below(kCalls.size())]), random.arguments()};
    // Without a name for libseccomp, and without a meaning for the kernel.
    if (random.below(12) == 0)
      question.nr =
          static_cast<int>(random.below(2) == 0 ? 340 + random.below(80) : 600 + random.below(90));
    questions.push_back(question);
  }
  return questions;
}

std::string as_file(const std::vector<Question>& questions) {
  std::string bytes;
  const auto append = [&](std::uint64_t word) {
    bytes.append(reinterpret_cast<const char*>(&word), sizeof(word));
  };
  for (const Question& question : questions) {
    append(static_cast<std::uint64_t>(question.nr));
    for (const std::uint64_t arg : question.args) append(arg);
  }
  return bytes;
}

struct Found {
  int filters = 0, refused = 0, calls = 0, wrong = 0, narrower = 0, clone3 = 0, killed_by_hand = 0;
  [[nodiscard]] std::string text() const {
    return std::to_string(filters) + " filters, " + std::to_string(refused) +
           " of them started by neither; " + std::to_string(calls) + " calls, " +
           std::to_string(wrong) + " wrong; " + std::to_string(narrower) +
           " filters narrower by libseccomp's own error; clone3 answers ENOSYS: " +
           std::to_string(clone3) +
           "; KILL in user space, SIGKILL: " + std::to_string(killed_by_hand);
  }
};

// The listed exceptions, counted; false where the answers differ and none of them is it.
bool is_answered_alike(int nr, const std::pair<int, int>& stock, const std::pair<int, int>& ours,
                       Found& found) {
  ++found.calls;
  if (stock == ours) return true;
  if (nr == SYS_clone3 && ours == std::pair(ENOSYS, 0)) return ++found.clone3 > 0;
  if (stock.second == SIGSYS && ours.second == SIGKILL) return ++found.killed_by_hand > 0;
  return false;
}

// The short run is the beginning of the long one; others are tried with a number of one's own.
std::uint64_t first_seed() {
  const char* given = std::getenv("WARD_TEST_SEED");
  return given == nullptr ? 0 : std::strtoull(given, nullptr, 10);
}

TEST_F(OwnFilterRuntime, I12_F02_F03_F04_F05_ARandomFilterAnswersAsUnderTheRuntimeAlone) {
  const bool all = std::getenv("WARD_TEST_LONG") != nullptr;
  const std::uint64_t first = first_seed();
  Found found;
  // The short run compares so many that start, of whatever a runtime refuses.
  const auto is_enough = [&](int done) {
    return done >= kFilters || (!all && found.filters - found.refused >= kShortRun);
  };
  for (int i = 0; !is_enough(i); ++i) {
    const std::uint64_t seed = first + static_cast<std::uint64_t>(i);
    RandomFilters random(seed);
    const oci::Seccomp filter = random_filter(random);
    const auto questions = random_questions(random);
    const Ran stock = run_stock(json_of(filter), as_file(questions));
    const Ran ours = run_under_ward(json_of(filter), as_file(questions));
    ++found.filters;
    EXPECT_EQ(stock.started, ours.started)
        << "seed " << seed << ": stock " << stock.why << ", Ward " << ours.why;
    if (!stock.started || !ours.started) {
      ++found.refused;
      found.wrong += stock.started == ours.started ? 0 : 1;
      continue;
    }
    ASSERT_EQ(stock.answers.size(), questions.size()) << "seed " << seed;
    ASSERT_EQ(ours.answers.size(), questions.size()) << "seed " << seed << ": " << ours.why;
    bool narrower = false;
    for (std::size_t q = 0; q < questions.size(); ++q) {
      if (is_answered_alike(questions[q].nr, stock.answers[q], ours.answers[q], found)) continue;
      // What the filter lets run and the kernel does not: libseccomp made something else of Ward's
      // rules.
      const auto own = filter::OwnFilter::make(filter);
      narrower = narrower || (own && own->verdict(questions[q].nr, questions[q].args).executes());
      if (narrower) continue;
      ++found.wrong;
      ADD_FAILURE() << "seed " << seed << " nr " << questions[q].nr << " args "
                    << questions[q].args[0] << " " << questions[q].args[1] << ": "
                    << stock.answers[q].first << "/" << stock.answers[q].second << " became "
                    << ours.answers[q].first << "/" << ours.answers[q].second;
    }
    found.narrower += narrower ? 1 : 0;
  }
  const std::string version = run({"runc", "--version"}, node().environment()).out;
  std::printf("result: through %s, seeds from %llu: %s\n",
              version.substr(0, version.find('\n')).c_str(), static_cast<unsigned long long>(first),
              found.text().c_str());
  EXPECT_LE(found.narrower, all ? kFilters / 100 : 1);
  EXPECT_GE(found.filters - found.refused, all ? kFilters / 2 : kShortRun)
      << "a comparison of what is refused compares little";
}

// What a runtime refuses it refuses under Ward too, in its own words or in Ward's, and what it
// takes means the same.
TEST_F(OwnFilterRuntime, F05_FieldsThatOnlyTheRuntimeJudgesAreJudgedByIt) {
  const Json rules = Json::parse(
      R"([{"names": ["getppid"], "action": "SCMP_ACT_ERRNO", "errnoRet": 99},
          {"names": ["sched_yield"], "action": "SCMP_ACT_ERRNO", "errnoRet": 98}])");
  const Json plain = {{"defaultAction", "SCMP_ACT_ALLOW"},
                      {"architectures", {"SCMP_ARCH_X86_64"}},
                      {"syscalls", rules}};
  Json notifying = rules, unknown = rules;
  notifying.push_back({{"names", {"getuid"}}, {"action", "SCMP_ACT_NOTIFY"}});
  unknown.push_back({{"names", {"no_such_call"}}, {"action", "SCMP_ACT_NOTIFY"}});
  struct Row {
    Json patch;
    const char* said;  // by both, where it is refused
  };
  const Row table[] = {
      {{{"flags", Json::array()}}, ""},
      {{{"flags", {"SECCOMP_FILTER_FLAG_LOG"}}}, "flag"},
      {{{"flags", {"SECCOMP_FILTER_FLAG_SPEC_ALLOW"}}}, "flag"},
      {{{"flags", {"SECCOMP_FILTER_FLAG_TSYNC"}}}, "flag"},
      {{{"flags", {"SECCOMP_FILTER_FLAG_NONE"}}}, "flag"},
      {{{"architectures", {"SCMP_ARCH_X86_64", "SCMP_ARCH_NONE"}}},
       "SCMP_ARCH_NONE is not a valid arch for seccomp"},
      {{{"architectures", {"SCMP_ARCH_x86"}}}, "SCMP_ARCH_x86 is not a valid arch for seccomp"},
      {{{"architectures", {"SCMP_ARCH_RISCV64"}}}, "arch"},
      {{{"architectures", {"SCMP_ARCH_AARCH64", "SCMP_ARCH_PPC64LE"}}}, ""},
      {{{"architectures", {"SCMP_ARCH_S390X", "SCMP_ARCH_X86_64"}}}, "architecture"},
      {{{"architectures", nullptr}}, ""},
      {{{"syscalls", notifying}}, "listenerPath is not set"},
      {{{"syscalls", unknown}}, "listenerPath is not set"},
      {{{"listenerPath", "/nobody/listens"}, {"listenerMetadata", "x"}}, ""},
      {{{"defaultAction", nullptr}, {"syscalls", nullptr}, {"flags", {"none"}}}, ""},
      {{{"defaultAction", ""}, {"syscalls", Json::array()}}, ""},
      {{{"defaultAction", nullptr}}, "action"},
      {{{"defaultAction", "SCMP_ACT_NOTIFY"}}, "SCMP_ACT_NOTIFY"},
  };
  const std::string probes = as_file({{SYS_getppid}, {SYS_sched_yield}, {SYS_getuid}, {SYS_mkdir}});
  for (const Row& row : table) {
    Json filter = plain;
    filter.merge_patch(row.patch);
    const Ran stock = run_stock(filter, probes);
    const Ran ours = run_under_ward(filter, probes);
    EXPECT_EQ(ours.started, stock.started)
        << row.patch << ": stock " << stock.why << ", Ward " << ours.why;
    EXPECT_EQ(ours.answers, stock.answers) << row.patch;
    if (stock.started) continue;
    EXPECT_THAT(stock.why, HasSubstr(row.said)) << row.patch;
    EXPECT_THAT(ours.why, HasSubstr(row.said)) << row.patch;
  }
}

TEST_F(OwnFilterRuntime, AnOwnFilterThatRefusesWhatTheRuntimeNeedsIsNamedInTheError) {
  for (const char* call : {"write", "getdents64"}) {
    Json filter =
        Json::parse(R"({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
                                 "syscalls": [{"names": [], "action": "SCMP_ACT_KILL_PROCESS"}]})");
    filter["syscalls"][0]["names"] = {call};
    EXPECT_FALSE(run_stock(filter, as_file({{SYS_getuid}})).started) << call;
    const auto bundle =
        make_bundle(node().unique("open"), filter, as_file({{SYS_getuid}}), carrier_);
    const auto created =
        tasks_->call<containerd::CreateTaskResponse>("Create", bundle->create_request());
    const std::string expected =
        std::string("own seccomp profile refuses ") + call + ", which the runtime itself calls";
    if (!created) {
      EXPECT_THAT(created.error().message, HasSubstr(expected));
      EXPECT_THAT(created.error().message, HasSubstr("allow it there"));
      continue;
    }
    // Later than that the runtime's init ends as a program does; what people see of it says why.
    EXPECT_THAT(row(bundle->id())["note"].dump(), HasSubstr(expected)) << row(bundle->id());
    (void)tasks_->start(bundle->id());
    (void)tasks_->wait(bundle->id());
    EXPECT_TRUE(tasks_->remove(bundle->id()));
  }
}

}  // namespace
}  // namespace ward::test
