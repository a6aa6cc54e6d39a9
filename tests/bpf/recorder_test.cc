// SPDX-License-Identifier: Apache-2.0
#include "enforcer/recorder/recorder.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <set>

#include "enforcer/recorder/pins.h"
#include "lib/base/clock.h"
#include "recorded_process.h"

namespace ward::recorder {
namespace {

using profiles::Origin;
using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// A bpf file system of our own, so that the tests run where none is mounted and meet nobody else's
// pins.
class RecorderTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string directory = testing::TempDir() + "ward-bpf-XXXXXX";
    ASSERT_NE(::mkdtemp(directory.data()), nullptr);
    mount_ = directory;
    // In a mount namespace of our own: a test that crashes leaves no mount.
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
      std::filesystem::remove(mount_);
      mount_.clear();
      GTEST_SKIP() << "no mount namespace of our own: " << std::strerror(errno);
    }
    if (::mount("bpf", mount_.c_str(), "bpf", 0, "mode=0700") != 0) {
      std::filesystem::remove(mount_);
      mount_.clear();
      GTEST_SKIP() << "a bpf file system cannot be mounted: " << std::strerror(errno);
    }
    pins_ = mount_ / "pins";
    recorder_ = Recorder::open(pins_);
    if (!recorder_->available()) GTEST_SKIP() << "no BPF here: " << recorder_->status();
  }

  void TearDown() override {
    if (recorder_) recorder_->shutdown(Pins::kRemove);
    recorder_.reset();
    if (mount_.empty()) return;
    EXPECT_EQ(::umount(mount_.c_str()), 0) << std::strerror(errno);
    std::filesystem::remove(mount_);
  }

  // From tag to exit, and what was seen.
  profiles::Run record(std::vector<std::string> words) {
    RecordedProcess process(std::move(words));
    EXPECT_TRUE(recorder_->begin("run", process.pid()));
    process.open_gate();
    EXPECT_EQ(process.finish(), 0);
    auto run = recorder_->end("run");
    EXPECT_TRUE(run) << run.error().message;
    return run ? *run : profiles::Run();
  }

  std::filesystem::path mount_, pins_;
  std::unique_ptr<Recorder> recorder_;
};

std::set<int> numbers(const std::vector<profiles::ObservedSyscall>& syscalls,
                      Origin origin = Origin::kWorkload) {
  std::set<int> found;
  for (const auto& syscall : syscalls)
    if (syscall.origin == origin) found.insert(syscall.nr);
  return found;
}

profiles::ObservedSyscall one(const profiles::Run& run, int nr) {
  for (const auto& syscall : run.syscalls)
    if (syscall.nr == nr && syscall.origin == Origin::kWorkload) return syscall;
  ADD_FAILURE() << "number " << nr << " was not recorded";
  return {};
}

std::set<std::string> capability_names(const profiles::Run& run) {
  std::set<std::string> names;
  for (const auto& capability : run.capabilities) names.insert(capability.name);
  return names;
}

struct Attached {
  std::uint32_t link, program;
};

std::vector<Attached> attached_now(const std::filesystem::path& pins) {
  std::vector<Attached> all;
  auto kernel = find_pinned(pins);
  if (!kernel || !*kernel) return all;
  for (const UniqueFd& link : (*kernel)->links) {
    bpf_link_info info{};
    std::uint32_t size = sizeof(info);
    if (bpf_obj_get_info_by_fd(link.get(), &info, &size) == 0)
      all.push_back({info.id, info.prog_id});
  }
  return all;
}

// The kernel frees an object some time after its last reference is gone, and tells nobody.
bool gone_within(int (*open_by_id)(std::uint32_t), std::uint32_t id, std::int64_t deadline_ns) {
  do {
    const UniqueFd fd(open_by_id(id));
    if (!fd) return true;
    ::poll(nullptr, 0, 5);
  } while (monotonic_ns() < deadline_ns);
  return false;
}

TEST_F(RecorderTest, SeesTheProgramItsThreadsAndItsDescendants) {
  const auto run = record({"rare", "thread", "grandchild"});
  EXPECT_THAT(numbers(run.syscalls),
              AllOf(Contains(SYS_sched_get_priority_max), Contains(SYS_sched_get_priority_min),
                    Contains(SYS_sched_rr_get_interval), Contains(SYS_exit_group)));
  EXPECT_EQ(one(run, SYS_sched_get_priority_max).count, 1U);
  EXPECT_EQ(run.lost_events, 0U);
  EXPECT_EQ(run.foreign_calls, 0U);
  EXPECT_EQ(run.id, "run");
}

profiles::ObservedSyscall refused(const profiles::Run& run, int nr) {
  for (const auto& syscall : run.refused)
    if (syscall.nr == nr && syscall.origin == Origin::kWorkload) return syscall;
  ADD_FAILURE() << "number " << nr << " was not recorded as refused";
  return {};
}

TEST_F(RecorderTest, F01_SeesWhatTheFilterRefusesApartFromWhatRuns) {
  const auto run = record({"sockets", "refused"});
  EXPECT_THAT(numbers(run.refused), testing::ElementsAre(SYS_socket, SYS_quotactl, SYS_keyctl));
  EXPECT_EQ(refused(run, SYS_quotactl).count, 3U);
  EXPECT_EQ(refused(run, SYS_keyctl).count, 1U) << "refused, though it seemed to go well";
  EXPECT_EQ(refused(run, SYS_socket).arguments.at(0).values, std::set<std::uint64_t>{AF_VSOCK});
  EXPECT_EQ(one(run, SYS_socket).arguments.at(0).values,
            (std::set<std::uint64_t>{AF_UNIX, AF_INET}));
  EXPECT_THAT(numbers(run.syscalls), Not(Contains(SYS_quotactl)));
  EXPECT_EQ(run.lost_events, 0U);
}

TEST_F(RecorderTest, F01_SeesWhatItKillsFor) {
  const auto run = record({"killed-thread", "killed-child", "trapped-child", "byte"});
  EXPECT_THAT(numbers(run.refused), testing::ElementsAre(SYS_acct, SYS_swapon, SYS_swapoff));
  for (const int nr : {SYS_acct, SYS_swapon, SYS_swapoff})
    EXPECT_EQ(refused(run, nr).count, 1U) << nr;
}

TEST_F(RecorderTest, F01_NothingThatRanIsTakenForRefused) {
  const auto run =
      record({"rare", "thread", "grandchild", "sockets", "storm", "prctl", "own-user-namespace"});
  EXPECT_THAT(run.refused, IsEmpty());
  EXPECT_GT(one(run, SYS_getppid).count, 99'999U);
}

TEST_F(RecorderTest, SeesNothingOfAnUntaggedNeighbour) {
  RecordedProcess neighbour({"rare", "byte", "wait"});
  RecordedProcess process({"thread"});
  ASSERT_TRUE(recorder_->begin("run", process.pid()));
  neighbour.open_gate();
  neighbour.await_byte();
  process.open_gate();
  EXPECT_EQ(process.finish(), 0);
  EXPECT_EQ(neighbour.finish(), 0);
  const auto run = recorder_->end("run");
  ASSERT_TRUE(run);
  EXPECT_THAT(numbers(run->syscalls), AllOf(Contains(SYS_sched_get_priority_min),
                                            Not(Contains(SYS_sched_get_priority_max))));
}

TEST_F(RecorderTest, CountsNothingBeforeTheFilterAndKeepsTheRuntimeLayerApart) {
  const auto run = record({"rare"});
  EXPECT_THAT(numbers(run.runtime),
              AllOf(Contains(SYS_getpgid), Contains(SYS_execve), Not(Contains(SYS_umask)),
                    Not(Contains(SYS_sched_get_priority_max))));
  EXPECT_THAT(numbers(run.syscalls), AllOf(Not(Contains(SYS_getpgid)), Not(Contains(SYS_execve)),
                                           Not(Contains(SYS_umask))));
  EXPECT_GE(one(run, SYS_exit_group).first_seen_ns, 0);
}

TEST_F(RecorderTest, KeepsTwoRunsApart) {
  RecordedProcess a({"rare"});
  RecordedProcess b({"thread"});
  ASSERT_TRUE(recorder_->begin("a", a.pid()));
  ASSERT_TRUE(recorder_->begin("b", b.pid()));
  EXPECT_EQ(recorder_->begin("b", b.pid()).error().code, Code::kAlreadyExists);
  a.open_gate();
  b.open_gate();
  EXPECT_EQ(a.finish() + b.finish(), 0);
  const auto seen_a = recorder_->end("a");
  const auto seen_b = recorder_->end("b");
  ASSERT_TRUE(seen_a && seen_b);
  EXPECT_THAT(numbers(seen_a->syscalls), AllOf(Contains(SYS_sched_get_priority_max),
                                               Not(Contains(SYS_sched_get_priority_min))));
  EXPECT_THAT(numbers(seen_b->syscalls), AllOf(Contains(SYS_sched_get_priority_min),
                                               Not(Contains(SYS_sched_get_priority_max))));
}

TEST_F(RecorderTest, ATaskThatOutlivesItsRunDoesNotWriteIntoTheNextOne) {
  RecordedProcess old({"byte", "wait", "rare"});
  ASSERT_TRUE(recorder_->begin("old", old.pid()));
  RecordedProcess other({"byte", "wait"});  // keeps the recorder attached
  ASSERT_TRUE(recorder_->begin("other", other.pid()));
  old.open_gate();
  old.await_byte();
  ASSERT_TRUE(recorder_->end("old"));
  RecordedProcess next({"thread"});
  ASSERT_TRUE(recorder_->begin("next", next.pid()));  // takes the slot of "old"
  EXPECT_EQ(old.finish(), 0);
  next.open_gate();
  EXPECT_EQ(next.finish(), 0);
  const auto run = recorder_->end("next");
  ASSERT_TRUE(run);
  EXPECT_THAT(numbers(run->syscalls), AllOf(Contains(SYS_sched_get_priority_min),
                                            Not(Contains(SYS_sched_get_priority_max))));
}

TEST_F(RecorderTest, KeepsExecSessionsApart) {
  RecordedProcess process({"rare", "byte", "wait"});
  ASSERT_TRUE(recorder_->begin("run", process.pid()));
  process.open_gate();
  process.await_byte();
  RecordedProcess session({"thread"});
  ASSERT_TRUE(recorder_->add_exec("run", session.pid()));
  EXPECT_EQ(recorder_->add_exec("unknown", session.pid()).error().code, Code::kNotFound);
  session.open_gate();
  EXPECT_EQ(session.finish(), 0);
  EXPECT_EQ(process.finish(), 0);
  const auto run = recorder_->end("run");
  ASSERT_TRUE(run);
  EXPECT_THAT(
      numbers(run->syscalls, Origin::kExec),
      AllOf(Contains(SYS_sched_get_priority_min), Not(Contains(SYS_sched_get_priority_max))));
  EXPECT_THAT(
      numbers(run->syscalls, Origin::kWorkload),
      AllOf(Contains(SYS_sched_get_priority_max), Not(Contains(SYS_sched_get_priority_min))));
  EXPECT_THAT(numbers(run->runtime, Origin::kExec), Contains(SYS_getpgid));
  EXPECT_EQ(run->fine.seen_in.count(SYS_sched_get_priority_min), 0U)
      << "incidence is the workload's";
}

TEST_F(RecorderTest, KeepsTheValuesOfScalarArguments) {
  const auto run = record({"sockets", "prctl", "personality", "zero"});
  const auto socket = one(run, SYS_socket);
  EXPECT_EQ(socket.arguments.at(0).values, (std::set<std::uint64_t>{AF_INET, AF_UNIX}));
  EXPECT_EQ(socket.arguments.at(1).values,
            (std::set<std::uint64_t>{SOCK_DGRAM, SOCK_STREAM | SOCK_CLOEXEC}));
  EXPECT_FALSE(socket.arguments.at(0).overflowed);
  EXPECT_THAT(one(run, SYS_prctl).arguments.at(0).values, Contains(PR_GET_DUMPABLE));
  EXPECT_EQ(one(run, SYS_personality).arguments.at(0).values,
            (std::set<std::uint64_t>{0xffffffff}));
  EXPECT_THAT(one(run, SYS_ioctl).arguments.at(1).values, Contains(0U))
      << "zero is a value, not a free place";
}

TEST_F(RecorderTest, F31_KeepsTogetherWhatASocketWasAskedForTogether) {
  const auto socket = one(record({"sockets"}), SYS_socket);
  ASSERT_TRUE(socket.together);
  EXPECT_EQ(socket.together->values,
            (std::set<profiles::ArgumentTuple>{{AF_INET, SOCK_DGRAM, 0},
                                               {AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0}}));
  EXPECT_FALSE(socket.together->overflowed);
  const auto other = one(record({"odd_sockets"}), SYS_socket);
  ASSERT_TRUE(other.together);
  EXPECT_THAT(other.together->values, Contains(profiles::ArgumentTuple{AF_NETLINK, SOCK_RAW, 12}));
  EXPECT_TRUE(other.together->overflowed) << "a family that no socket has fits in no place";
}

TEST_F(RecorderTest, SaysWhenASetOfValuesOverflowed) {
  const auto run = record({"ioctls", "sockets"});
  const auto requests = one(run, SYS_ioctl).arguments.at(1);
  EXPECT_TRUE(requests.overflowed);
  EXPECT_EQ(requests.values.size(), profiles::kMaxArgumentValues);
  EXPECT_GE(one(run, SYS_ioctl).count, 100U);
  EXPECT_EQ(run.lost_events, 0U) << "an overflowed set is no lost event";
}

TEST_F(RecorderTest, CountsCallsThroughAForeignAbiApart) {
  const auto run = record({"foreign", "rare"});
  if (run.foreign_calls == 0) GTEST_SKIP() << "this kernel has no 32-bit calls";
  EXPECT_EQ(run.foreign_calls, 1U);
  EXPECT_THAT(numbers(run.syscalls), Not(Contains(20))) << "20 is getpid there and writev here";
}

TEST_F(RecorderTest, F07_NamesTheExecutableThatCallsThroughAForeignAbi) {
  const auto run = record({"grandchild", "foreign"});
  if (run.foreign_calls == 0) GTEST_SKIP() << "this kernel has no 32-bit calls";
  EXPECT_THAT(run.foreign_programs, testing::ElementsAre(RECORDED_PROGRAM));
  EXPECT_THAT(record({"rare"}).foreign_programs, IsEmpty());
}

TEST_F(RecorderTest, F06_ANumberWithoutANameIsKeptAndIsNoLoss) {
  const auto run = record({"high"});
  EXPECT_EQ(run.unknown_calls.values, (std::set<std::uint64_t>{600, 100'000}));
  EXPECT_FALSE(run.unknown_calls.overflowed);
  EXPECT_THAT(numbers(run.syscalls), Contains(500)) << "there is a place for it, if no name";
  EXPECT_EQ(run.lost_events, 0U);
}

using profiles::Receiver;
using profiles::Sender;

// How many of one kind were delivered, and how many ignored.
std::pair<std::uint64_t, std::uint64_t> signals(const profiles::Run& run, int number, Receiver to,
                                                Sender from) {
  for (const profiles::SeenSignal& signal : run.life.value_or(profiles::Life()).signals)
    if (signal.number == number && signal.to == to && signal.from == from)
      return {signal.delivered, signal.ignored};
  return {0, 0};
}
using Times = std::pair<std::uint64_t, std::uint64_t>;

TEST_F(RecorderTest, F24_SeesSignalsFromOutsideAndWhatTheFirstProcessHandles) {
  RecordedProcess process({"handle", "byte", "wait"});
  ASSERT_TRUE(recorder_->begin("run", process.pid()));
  ::kill(process.pid(), SIGURG);  // the runtime's own business
  process.open_gate();
  process.await_byte();
  for (const int number : {SIGHUP, SIGUSR1, SIGUSR1}) ASSERT_EQ(::kill(process.pid(), number), 0);
  EXPECT_EQ(process.finish(), 0);
  const auto run = recorder_->end("run");
  ASSERT_TRUE(run && run->life);
  EXPECT_EQ(signals(*run, SIGHUP, Receiver::kFirst, Sender::kOutside), Times(1, 0));
  EXPECT_EQ(signals(*run, SIGUSR1, Receiver::kFirst, Sender::kOutside), Times(0, 2));
  EXPECT_EQ(run->life->signals.size(), 2U);
  EXPECT_EQ(run->life->handled, (std::set<int>{SIGHUP, SIGUSR2, SIGTERM}))
      << "SIGTERM for a moment";
  ASSERT_TRUE(run->life->end);
  EXPECT_EQ(run->life->end->wait_status, 0);
  EXPECT_GE(run->life->end->at_ns, run->life->signals[0].last_ns);
}

TEST_F(RecorderTest, F24_TellsSendersWithinApart) {
  const auto run = record({"handle", "signal-parent", "kill-child", "alarm"});
  EXPECT_EQ(signals(run, SIGUSR2, Receiver::kFirst, Sender::kWorkload), Times(1, 0));
  EXPECT_EQ(signals(run, SIGKILL, Receiver::kOther, Sender::kWorkload), Times(1, 0));
  EXPECT_EQ(signals(run, SIGALRM, Receiver::kFirst, Sender::kKernel), Times(1, 0));
  EXPECT_EQ(signals(run, SIGCHLD, Receiver::kFirst, Sender::kKernel), Times(0, 2))
      << "nobody asked for it";
  EXPECT_THAT(run.life->handled, Contains(SIGALRM));
}

TEST_F(RecorderTest, F24_AnExecSessionSendsAndReceivesAsItself) {
  RecordedProcess process({"handle", "byte", "wait"});
  ASSERT_TRUE(recorder_->begin("run", process.pid()));
  process.open_gate();
  process.await_byte();
  RecordedProcess session({"handle", "usr2:" + std::to_string(process.pid()), "byte", "wait"});
  ASSERT_TRUE(recorder_->add_exec("run", session.pid()));
  session.open_gate();
  session.await_byte();
  ::kill(session.pid(), SIGHUP);
  EXPECT_EQ(session.finish(), 0);
  const auto so_far = recorder_->snapshot("run");
  ASSERT_TRUE(so_far && so_far->life);
  EXPECT_FALSE(so_far->life->end) << "the end of a session is not that of the container";
  EXPECT_EQ(process.finish(), 0);
  const auto run = recorder_->end("run");
  ASSERT_TRUE(run && run->life);
  EXPECT_EQ(run->life->exec_sessions, 1U);
  EXPECT_EQ(signals(*run, SIGUSR2, Receiver::kFirst, Sender::kExec), Times(1, 0));
  EXPECT_EQ(signals(*run, SIGHUP, Receiver::kExec, Sender::kOutside), Times(1, 0));
  EXPECT_TRUE(run->life->end);
}

TEST_F(RecorderTest, F24_ASignalThatEndsTheFirstProcessIsItsEnd) {
  RecordedProcess process({"handle", "byte", "wait"});
  ASSERT_TRUE(recorder_->begin("run", process.pid()));
  process.open_gate();
  process.await_byte();
  ::kill(process.pid(), SIGTERM);
  EXPECT_EQ(process.finish(), 128 + SIGTERM);
  const auto run = recorder_->end("run");
  ASSERT_TRUE(run && run->life && run->life->end);
  EXPECT_EQ(run->life->end->wait_status, SIGTERM);
  EXPECT_EQ(signals(*run, SIGTERM, Receiver::kFirst, Sender::kOutside), Times(1, 0));
}

TEST_F(RecorderTest, F24_AnyThreadMayEndTheFirstProcess) {
  RecordedProcess process({"thread", "exit-in-thread"});
  ASSERT_TRUE(recorder_->begin("run", process.pid()));
  process.open_gate();
  EXPECT_EQ(process.finish(), 3);
  const auto run = recorder_->end("run");
  ASSERT_TRUE(run && run->life && run->life->end);
  EXPECT_EQ(run->life->end->wait_status, 3 << 8);
}

TEST_F(RecorderTest, SeesCapabilitiesThatTheProgramUsedAndNotTheRuntimes) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const auto run = record({"setgroups"});
  EXPECT_THAT(capability_names(run),
              AllOf(Contains("CAP_SETGID"), Not(Contains("CAP_SYS_CHROOT"))));
}

TEST_F(RecorderTest, GrantsInAUserNamespaceOfItsOwnAreNotTheContainersCapabilities) {
  const auto run = record({"own-user-namespace"});
  if (numbers(run.syscalls).count(SYS_sched_get_priority_max) == 0)
    GTEST_SKIP() << "no user namespaces here";
  EXPECT_THAT(capability_names(run), Not(Contains("CAP_SYS_CHROOT")));
}

TEST_F(RecorderTest, I7_NamesOfProgramsAreDataAsTheyAre) {
  const auto hostile = std::filesystem::path(testing::TempDir()) / "ward-\x1b[2J\n%s%n";
  std::filesystem::copy_file(RECORDED_PROGRAM, hostile,
                             std::filesystem::copy_options::overwrite_existing);
  RecordedProcess process({"rare"}, hostile);
  ASSERT_TRUE(recorder_->begin("run", process.pid()));
  process.open_gate();
  EXPECT_EQ(process.finish(), 0);
  const auto run = recorder_->end("run");
  std::filesystem::remove(hostile);
  ASSERT_TRUE(run);
  ASSERT_EQ(run->programs.size(), 1U);
  // Escaped once, where they are printed: RecordingText.HostileProgramsAreEscapedOnce.
  EXPECT_EQ(run->programs[0], hostile.string());
}

TEST_F(RecorderTest, WindowsCountOnlyThoseWithActivity) {
  const auto run = record({"rare", "rare", "rare"});
  EXPECT_EQ(run.fine.window_ns, profiles::kFineWindow_ns);
  EXPECT_GE(run.fine.windows, 1U);
  EXPECT_LE(run.fine.windows, 5U);
  EXPECT_LE(run.coarse.windows, run.fine.windows);
  for (const auto& [nr, windows] : run.fine.seen_in)
    EXPECT_TRUE(windows >= 1 && windows <= run.fine.windows) << nr;
  EXPECT_EQ(one(run, SYS_sched_get_priority_max).count, 3U);
}

TEST_F(RecorderTest, CountsAreExactWhereThreadsOnAllCpusCallAtOnce) {
  const auto run = record({"storm"});
  EXPECT_EQ(one(run, SYS_getppid).count, 100'000U);
  EXPECT_LE(run.fine.seen_in.at(SYS_getppid), run.fine.windows);
  EXPECT_EQ(run.lost_events, 0U);
}

TEST_F(RecorderTest, ARecordingOutlivesARestart) {
  RecordedProcess process({"byte", "wait", "rare"});
  ASSERT_TRUE(recorder_->begin("run", process.pid()));
  ASSERT_EQ(recorder_->status(), "ebpf");
  process.open_gate();
  process.await_byte();
  recorder_.reset();               // as by a crash: nothing is said to anyone
  EXPECT_EQ(process.finish(), 0);  // "rare" happens while nobody is there
  recorder_ = Recorder::open(pins_);
  EXPECT_THAT(recorder_->open_runs(), testing::ElementsAre("run")) << recorder_->note();
  const auto run = recorder_->end("run");
  ASSERT_TRUE(run) << run.error().message;
  EXPECT_THAT(numbers(run->syscalls), Contains(SYS_sched_get_priority_max));
  EXPECT_EQ(run->lost_events, 0U);
}

TEST_F(RecorderTest, PinsThatAreIncompleteAreRemovedAloud) {
  RecordedProcess process({"rare"});
  ASSERT_TRUE(recorder_->begin("run", process.pid()));
  recorder_.reset();
  ASSERT_TRUE(std::filesystem::remove(pins_ / "exec"));
  recorder_ = Recorder::open(pins_);
  EXPECT_THAT(recorder_->open_runs(), IsEmpty());
  EXPECT_THAT(recorder_->note(), HasSubstr("'exec' is missing"));
  EXPECT_FALSE(std::filesystem::exists(pins_));
  EXPECT_TRUE(recorder_->available());
}

TEST_F(RecorderTest, IsAttachedOnlyWhileARunIsOpenAndLeavesNothingBehind) {
  RecordedProcess process({"rare"});
  ASSERT_TRUE(recorder_->begin("run", process.pid()));
  const auto attached = attached_now(pins_);
  ASSERT_EQ(attached.size(), 7U);
  process.open_gate();
  EXPECT_EQ(process.finish(), 0);
  ASSERT_TRUE(recorder_->end("run"));
  EXPECT_FALSE(std::filesystem::exists(pins_));
  const auto deadline_ns = monotonic_ns() + 10'000'000'000;
  for (const auto& [link, program] : attached) {
    EXPECT_TRUE(gone_within(bpf_link_get_fd_by_id, link, deadline_ns)) << "link " << link;
    EXPECT_TRUE(UniqueFd(bpf_prog_get_fd_by_id(program))) << "idle until the next run";
  }
  recorder_->shutdown(Pins::kRemove);
  for (const auto& [link, program] : attached)
    EXPECT_TRUE(gone_within(bpf_prog_get_fd_by_id, program, deadline_ns)) << "program " << program;
}

TEST_F(RecorderTest, RecordsAgainAfterTheLastRunEnded) {
  EXPECT_THAT(numbers(record({"rare"}).syscalls), Contains(SYS_sched_get_priority_max));
  const auto again = record({"thread"});
  EXPECT_THAT(numbers(again.syscalls), AllOf(Contains(SYS_sched_get_priority_min),
                                             Not(Contains(SYS_sched_get_priority_max))));
}

TEST_F(RecorderTest, EventsWithoutAPlaceAreCountedAsLost) {
  RecordedProcess process({"byte", "wait", "rare"});
  ASSERT_TRUE(recorder_->begin("run", process.pid()));
  process.open_gate();
  process.await_byte();
  auto kernel = find_pinned(pins_);
  ASSERT_TRUE(kernel && *kernel);
  drop_tables(**kernel, 0);  // what a run whose tables are gone looks like
  EXPECT_EQ(process.finish(), 0);
  const auto run = read_run(**kernel, 0);
  ASSERT_TRUE(run);
  EXPECT_GT(run->lost, 0U);
  EXPECT_FALSE(recorder_->end("run")) << "no tables: an error, not an empty recording";
  EXPECT_THAT(recorder_->open_runs(), IsEmpty());
}

TEST_F(RecorderTest, AProcessThatIsGoneIsNotRecorded) {
  RecordedProcess process({});
  const pid_t pid = process.pid();
  process.open_gate();
  process.finish();
  EXPECT_EQ(recorder_->begin("run", pid).error().code, Code::kNotFound);
  EXPECT_THAT(recorder_->open_runs(), IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(pins_))
      << "nothing stays attached for a run that did not begin";
}

TEST_F(RecorderTest, RefusesIdsThatCannotBeKept) {
  EXPECT_EQ(recorder_->begin("", ::getpid()).error().code, Code::kInvalidArgument);
  EXPECT_EQ(recorder_->begin(std::string(kMaxRunIdBytes + 1, 'x'), ::getpid()).error().code,
            Code::kInvalidArgument);
}

TEST(Pinning, SaysWhatItLacks) {
  EXPECT_THAT(what_pinning_lacks(""), HasSubstr("no directory"));
  EXPECT_THAT(what_pinning_lacks("/proc/ward"), HasSubstr("mount -t bpf bpf /proc"));
  EXPECT_THAT(what_pinning_lacks("/nowhere/at/all"), HasSubstr("does not exist"));
}

// The first process of a pid namespace of its own, without a filter; it has a child. Both are ready
// when the constructor returns.
class Contained {
 public:
  Contained() {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    pid_ = static_cast<pid_t>(::syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0));
    if (pid_ == 0) live(ends[1]);
    ::close(ends[1]);
    char byte = 0;
    EXPECT_EQ(::read(ends[0], &byte, 1), 1);
    ::close(ends[0]);
  }
  ~Contained() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Contained(const Contained&) = delete;
  Contained& operator=(const Contained&) = delete;
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  [[noreturn]] static void live(int ready) {
    if (::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) == 0) {
      for (bool said = false;;) {
        ::syscall(SYS_getpgid, 0);
        if (!said) said = ::syscall(SYS_write, ready, "x", 1) == 1;
        ::syscall(SYS_poll, nullptr, 0, 1);
      }
    }
    for (;;) ::syscall(SYS_pause);
  }
  pid_t pid_ = -1;
};

TEST_F(RecorderTest, JoinsAContainerThatRunsWhole) {
  const Contained container;
  ASSERT_TRUE(recorder_->begin_running("run", container.pid()));
  const auto joined = recorder_->join("run", container.pid());
  ASSERT_TRUE(joined) << joined.error().message;
  EXPECT_EQ(*joined, 2U);
  EXPECT_EQ(recorder_->join("run", container.pid()).value_or(0), 2U) << "again is no harm";
  profiles::Run run;
  const std::int64_t deadline_ns = monotonic_ns() + 10'000'000'000;
  do {
    ::poll(nullptr, 0, 5);
    run = recorder_->snapshot("run").value_or(profiles::Run());
  } while (numbers(run.syscalls).count(SYS_getpgid) == 0 && monotonic_ns() < deadline_ns);
  // The first process called pause before anybody looked, and never comes back.
  EXPECT_THAT(numbers(run.syscalls), AllOf(Contains(SYS_getpgid), Contains(SYS_pause)));
  EXPECT_FALSE(run.start_seen);
  EXPECT_EQ(run.lost_events, 0U);
  EXPECT_THAT(run.refused, IsEmpty()) << "the calls that they were in have not been refused";
  EXPECT_THAT(run.runtime, IsEmpty());
  EXPECT_TRUE(recorder_->end("run"));
}

TEST_F(RecorderTest, JoinsAfterARestartByWhatIsPinned) {
  const Contained container;
  ASSERT_TRUE(recorder_->begin_running("run", container.pid()));
  recorder_.reset();
  recorder_ = Recorder::open(pins_);
  ASSERT_THAT(recorder_->open_runs(), testing::ElementsAre("run"));
  const auto joined = recorder_->join("run", container.pid());
  ASSERT_TRUE(joined) << joined.error().message;
  EXPECT_EQ(*joined, 2U);
  EXPECT_FALSE(recorder_->end("run")->start_seen);
}

TEST_F(RecorderTest, RefusesToJoinWhatIsInANamespaceOfOthers) {
  const auto ours = recorder_->begin_running("run", ::getpid());
  ASSERT_FALSE(ours);
  EXPECT_EQ(ours.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(ours.error().message, HasSubstr("shares its pid namespace"));
  EXPECT_THAT(recorder_->open_runs(), IsEmpty());
  pid_t ended = 0;
  {
    const Contained container;
    ended = container.pid();
    ASSERT_TRUE(recorder_->begin_running("run", ended));
  }
  EXPECT_FALSE(recorder_->join("run", ended)) << "it has ended meanwhile";
}

}  // namespace
}  // namespace ward::recorder
