// SPDX-License-Identifier: Apache-2.0
// Windows against the running kernel: processes with tags as watch.bpf.c gives them, which make the
// calls that they are asked for.
#include "enforcer/recorder/call_sampler.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string_view>

#include "enforcer/recorder/process_watch.h"
#include "enforcer/recorder/recorder.h"
#include "lib/base/clock.h"
#include "lib/base/unique_fd.h"
#include "profiles/free_calls.h"
#include "recorded_process.h"

namespace ward::recorder {
namespace {

using testing::Contains;

struct Ends {
  Ends() {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC) != 0) std::abort();
    read.reset(fds[0]);
    write.reset(fds[1]);
  }
  UniqueFd read, write;
};

// Makes calls on request, and otherwise waits in read().
class Caller {
 public:
  struct Request {
    int nr = 0, times = 1, step = 0;  // `step`: added to argument 1 each time
    std::uint64_t args[3] = {};
  };
  Caller() {
    Ends to, from;
    pid_ = ::fork();
    if (pid_ == 0) serve(to.read.get(), from.write.get());
    to_ = std::move(to.write);
    from_ = std::move(from.read);
  }
  ~Caller() {
    to_.reset();
    int status = 0;
    if (pid_ > 0) ::waitpid(pid_, &status, 0);
  }
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  void ask(const Request& request) const {
    if (::write(to_.get(), &request, sizeof request) != sizeof request) std::abort();
  }
  void await() const {
    char byte = 0;
    if (::read(from_.get(), &byte, 1) != 1) std::abort();
  }
  void call(const Request& request) const {
    ask(request);
    await();
  }

 private:
  [[noreturn]] static void serve(int in, int out) {
    ::dup2(in, 0);
    ::dup2(out, 1);
    ::close_range(3, ~0U, 0);  // the pipes of other callers: these wait for their end
    Request request;
    while (::read(0, &request, sizeof request) == sizeof request) {
      for (int i = 0; i < request.times; ++i) {
        ::syscall(request.nr, request.args[0], request.args[1], request.args[2], 0, 0, 0);
        request.args[1] += static_cast<std::uint64_t>(request.step);
      }
      if (::write(1, "d", 1) != 1) break;
    }
    ::_exit(0);
  }
  pid_t pid_ = -1;
  UniqueFd to_, from_;
};

// Of programs attached by anybody on this machine.
std::set<std::uint32_t> open_windows() {
  std::set<std::uint32_t> found;
  for (std::uint32_t id = 0; bpf_link_get_next_id(id, &id) == 0;) {
    const UniqueFd link(bpf_link_get_fd_by_id(id));
    bpf_link_info link_info{};
    std::uint32_t size = sizeof(link_info);
    if (!link || bpf_obj_get_info_by_fd(link.get(), &link_info, &size) != 0) continue;
    const UniqueFd program(bpf_prog_get_fd_by_id(link_info.prog_id));
    bpf_prog_info info{};
    size = sizeof(info);
    if (program && bpf_obj_get_info_by_fd(program.get(), &info, &size) == 0 &&
        std::string_view(info.name).starts_with("ward_sample"))
      found.insert(id);
  }
  return found;
}

class CallSamplerTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string directory = testing::TempDir() + "ward-bpf-XXXXXX";
    ASSERT_NE(::mkdtemp(directory.data()), nullptr);
    mount_ = directory;
    // In a mount namespace of our own: a test that crashes leaves no mount.
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("bpf", mount_.c_str(), "bpf", 0, "mode=0700") != 0) {
      std::filesystem::remove(mount_);
      mount_.clear();
      GTEST_SKIP() << "a bpf file system cannot be mounted: " << std::strerror(errno);
    }
    begin_watching();
    if (!watch_->running()) GTEST_SKIP() << "no BPF here: " << watch_->why_not();
    before_ = open_windows();
    sampler_ = std::make_unique<CallSampler>(pins(), profiles::told_apart_by);
  }
  void TearDown() override {
    sampler_.reset();
    EXPECT_EQ(open_windows(), before_) << "nothing stays attached";
    if (watch_) watch_->remove();
    watch_.reset();
    if (mount_.empty()) return;
    EXPECT_EQ(::umount(mount_.c_str()), 0) << std::strerror(errno);
    std::filesystem::remove(mount_);
  }

  void begin_watching() {
    watch_ = std::make_unique<ProcessWatch>(pins());
    watch_->start();
  }
  [[nodiscard]] std::filesystem::path pins() const { return mount_ / "watch"; }
  [[nodiscard]] UniqueFd map(const char* name) const {
    return UniqueFd(bpf_obj_get((pins() / name).c_str()));
  }
  // As a shim announces a container, and watch.bpf.c tags its processes.
  void announce(std::uint64_t tag, const std::string& id) const {
    ward_watched who{};
    std::strcpy(who.containerd_namespace, "default");
    std::copy(id.begin(), id.end(), who.container_id);
    ASSERT_EQ(bpf_map_update_elem(map("watched").get(), &tag, &who, BPF_ANY), 0);
  }
  void tag(const Caller& caller, std::uint64_t container, bool exec = false) const {
    const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, caller.pid(), 0)));
    ward_watch_tag value{};
    value.container = container;
    value.exec = exec ? 1 : 0;
    const int key = pidfd.get();
    ASSERT_EQ(bpf_map_update_elem(map("tags").get(), &key, &value, BPF_ANY), 0)
        << std::strerror(errno);
  }
  static WantedCalls wanted(std::initializer_list<int> numbers) {
    WantedCalls out;
    for (const int nr : numbers) {
      out.workload.set(static_cast<std::size_t>(nr));
      out.exec.set(static_cast<std::size_t>(nr));
    }
    return out;
  }
  void open(const std::vector<WantedCalls>& sets,
            const std::vector<std::pair<std::uint64_t, std::size_t>>& containers) {
    const auto opened = sampler_->open(sets, containers);
    ASSERT_TRUE(opened) << opened.error().message;
  }

  std::filesystem::path mount_;
  std::unique_ptr<ProcessWatch> watch_;
  std::unique_ptr<CallSampler> sampler_;
  std::set<std::uint32_t> before_;
};

TEST_F(CallSamplerTest, WhatIsLookedForIsSeenInTheContainersOfTheWindowAlone) {
  const Caller web, other, nobody;
  tag(web, 1);
  tag(other, 2);
  announce(1, "web");
  announce(2, "other");
  const auto known = sampler_->containers();
  ASSERT_TRUE(known) << known.error().message;
  EXPECT_EQ(known->size(), 2U);
  web.call({SYS_getpgid});  // before the window
  open({wanted({SYS_getpgid, SYS_getsid})}, {{1, 0}});
  for (const Caller* caller : {&web, &other, &nobody}) caller->call({SYS_getpgid, 3, 0, {7, 8, 9}});
  web.call({SYS_getppid});
  const Sample sample = sampler_->close();
  ASSERT_EQ(sample.calls.size(), 1U);
  const SampledCall& seen = sample.calls.front();
  EXPECT_EQ(seen.nr, SYS_getpgid);
  EXPECT_EQ(seen.count, 3U);
  EXPECT_EQ(seen.tag, 1U);
  EXPECT_EQ(seen.pid, web.pid());
  EXPECT_EQ(seen.args[1], 8U);
  EXPECT_FALSE(seen.exec);
  EXPECT_FALSE(seen.comm.empty());
  EXPECT_GT(seen.start_ticks, 0U);
  EXPECT_GT(sample.watched_ns, 0);
  EXPECT_EQ(sample.dropped, 0U);
}

TEST_F(CallSamplerTest, SessionsAreToldApartAndSoAreCallsThatHarmDifferently) {
  const Caller workload, session;
  tag(workload, 1);
  tag(session, 1, true);
  open({wanted({SYS_fcntl, SYS_getpgid})}, {{1, 0}});
  workload.call({SYS_fcntl, 2, 0, {99, F_GETFD, 0}});
  workload.call({SYS_fcntl, 1, 0, {98, F_GETFD, 5}});
  workload.call({SYS_fcntl, 1, 0, {99, F_GETFL, 0}});
  session.call({SYS_getpgid});
  const Sample sample = sampler_->close();
  std::map<std::uint64_t, std::uint64_t> commands;
  std::size_t sessions = 0;
  for (const SampledCall& call : sample.calls) {
    if (call.nr == SYS_fcntl) commands[call.args[1]] += call.count;
    if (call.exec) ++sessions;
  }
  EXPECT_THAT(commands, testing::ElementsAre(testing::Pair(F_GETFD, 3), testing::Pair(F_GETFL, 1)));
  EXPECT_EQ(sessions, 1U);
}

TEST_F(CallSamplerTest, NothingIsAttachedBetweenWindowsAndAnOldOneIsForgotten) {
  const Caller web;
  tag(web, 1);
  for (int window = 0; window < 3; ++window) {
    EXPECT_FALSE(sampler_->is_open());
    EXPECT_EQ(open_windows(), before_);
    open({wanted({SYS_getpgid})}, {{1, 0}});
    EXPECT_TRUE(sampler_->is_open());
    EXPECT_EQ(open_windows().size(), before_.size() + 1);
    web.call({SYS_getpgid});
    const Sample sample = sampler_->close();
    ASSERT_EQ(sample.calls.size(), 1U);
    EXPECT_EQ(sample.calls.front().count, 1U);
  }
  EXPECT_TRUE(sampler_->close().calls.empty()) << "none is open";
  open({wanted({SYS_getpgid})}, {});
  web.call({SYS_getpgid});
  EXPECT_TRUE(sampler_->close().calls.empty()) << "it is none of this window's";
}

TEST_F(CallSamplerTest, ThreeHundredContainersAreSeenInOneWindow) {
  std::vector<std::unique_ptr<Caller>> callers;
  std::vector<std::pair<std::uint64_t, std::size_t>> containers;
  for (std::uint64_t i = 1; i <= 300; ++i) {
    callers.push_back(std::make_unique<Caller>());
    tag(*callers.back(), i);
    announce(i, "c" + std::to_string(i));
    containers.emplace_back(i, i % kMostSampledSets);
  }
  const auto known = sampler_->containers();
  ASSERT_TRUE(known && known->size() == 300U);
  open(std::vector<WantedCalls>(kMostSampledSets, wanted({SYS_getpgid})), containers);
  for (const auto& caller : callers) caller->ask({SYS_getpgid, 10});
  for (const auto& caller : callers) caller->await();
  const Sample sample = sampler_->close();
  std::set<std::size_t> sets;
  std::uint64_t count = 0;
  for (const SampledCall& call : sample.calls) {
    sets.insert(call.set);
    count += call.count;
  }
  EXPECT_EQ(sets.size(), kMostSampledSets) << "each profile's call once";
  EXPECT_EQ(count, 3000U);
}

// It calls whatever there is, in thousands of ways: it gets so many places, and others keep theirs.
TEST_F(CallSamplerTest, I7_AFloodOfDifferentCallsIsBoundedAndTakesNothingFromOthers) {
  const Caller hostile, other;
  tag(hostile, 1);
  tag(other, 2);
  WantedCalls everything;
  everything.workload.set();
  everything.workload.reset(SYS_exit);
  everything.workload.reset(SYS_exit_group);
  open({everything, wanted({SYS_getpgid})}, {{1, 0}, {2, 1}});
  hostile.call({SYS_fcntl, 20'000, 1, {999, 1000, 0}});
  other.call({SYS_getpgid});
  const Sample sample = sampler_->close();
  std::size_t fcntls = 0, others = 0;
  for (const SampledCall& call : sample.calls) {
    if (call.set == 0 && call.nr == SYS_fcntl) ++fcntls;
    if (call.set == 1) ++others;
  }
  EXPECT_EQ(fcntls, 16U);
  EXPECT_GT(sample.dropped, 19'000U) << "and the rest is counted";
  EXPECT_EQ(others, 1U);
}

TEST_F(CallSamplerTest, I8_ARecordingGoesOnAsIfThereWereNoWindow) {
  const auto recorder = Recorder::open({});
  ASSERT_TRUE(recorder->available()) << recorder->status();
  RecordedProcess process({"rare", "byte", "wait", "thread"});
  ASSERT_TRUE(recorder->begin("run", process.pid()));
  open({wanted({SYS_getpgid})}, {{1, 0}});
  process.open_gate();
  process.await_byte();
  sampler_->close();
  EXPECT_EQ(recorder->open_runs().size(), 1U);
  process.end_input();
  EXPECT_EQ(process.finish(), 0);
  const auto run = recorder->end("run");
  ASSERT_TRUE(run) << run.error().message;
  EXPECT_EQ(run->lost_events, 0U);
  std::set<int> numbers;
  for (const auto& call : run->syscalls) numbers.insert(call.nr);
  EXPECT_THAT(numbers, Contains(SYS_sched_get_priority_max)) << "before the window's end";
  EXPECT_THAT(numbers, Contains(SYS_sched_get_priority_min)) << "and after it";
  recorder->shutdown(Pins::kRemove);
}

TEST_F(CallSamplerTest, WhoIsKilledInAWindowLeavesNothingAttached) {
  Ends ready;
  const pid_t child = ::fork();
  if (child == 0) {
    CallSampler own(pins(), profiles::told_apart_by);
    const bool opened = own.open({wanted({SYS_getpgid})}, {{1, 0}}).has_value();
    if (::write(ready.write.get(), opened ? "o" : "f", 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char byte = 0;
  ASSERT_EQ(::read(ready.read.get(), &byte, 1), 1);
  EXPECT_EQ(byte, 'o');
  EXPECT_EQ(open_windows().size(), before_.size() + 1);
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(open_windows(), before_);
}

TEST_F(CallSamplerTest, WhereNobodyWatchesProcessesItSaysSoAndGoesOnWithWhoeverDoesLater) {
  open({wanted({SYS_getpgid})}, {{1, 0}});
  sampler_->close();
  watch_->remove();
  EXPECT_EQ(sampler_->open({wanted({SYS_getpgid})}, {{1, 0}}).error().code, Code::kNotFound);
  EXPECT_EQ(sampler_->containers().error().code, Code::kNotFound);
  begin_watching();
  ASSERT_TRUE(watch_->running()) << watch_->why_not();
  const Caller web;
  tag(web, 1);
  open({wanted({SYS_getpgid})}, {{1, 0}});
  web.call({SYS_getpgid});
  EXPECT_EQ(sampler_->close().calls.size(), 1U) << "by the tags that are there now";
}

}  // namespace
}  // namespace ward::recorder
