// SPDX-License-Identifier: Apache-2.0
// What Stats answers, from directories that look like cgroups of either version.
#include "shim/stats/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace ward::shim::stats {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kNoLimit = ~std::uint64_t{0};

class Metrics : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = fs::temp_directory_path() / "metrics-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { fs::remove_all(directory_); }
  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((directory_ / name).parent_path());
    std::ofstream(directory_ / name) << text;
  }
  [[nodiscard]] CgroupHierarchies unified() const {
    return CgroupHierarchies::parse("41 31 0:38 / " + directory_.string() +
                                    " rw - cgroup2 cgroup2 rw\n");
  }

  fs::path directory_;
};

TEST_F(Metrics, V1IsTheUnionOfTheControllers) {
  write("memory/memory.stat",
        "cache 1\nrss 2\ntotal_rss 3\ntotal_inactive_file 4\nhierarchical_memsw_limit 5\nnew 9\n");
  write("memory/memory.usage_in_bytes", "4096\n");
  write("memory/memory.limit_in_bytes", "8192\n");
  write("memory/memory.max_usage_in_bytes", "5000\n");
  write("memory/memory.failcnt", "7\n");
  write("memory/memory.memsw.usage_in_bytes", "4097\n");
  write("memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 1\noom_kill 2\n");
  write("cpuacct/cpuacct.usage", "123456789\n");
  write("cpuacct/cpuacct.stat", "user 2\nsystem 3\n");
  write("cpuacct/cpuacct.usage_percpu", "100 23 \n");
  write("cpu/cpu.stat", "nr_periods 10\nnr_throttled 4\nthrottled_time 999\n");
  write("pids/pids.current", "3\n");
  write("pids/pids.max", "max\n");
  write("blkio/blkio.throttle.io_service_bytes_recursive",
        "259:0 Read 10\n259:0 Write 20\n259:0 Total 30\nTotal 30\n");
  write("blkio/blkio.bfq.io_service_bytes_recursive", "Total 0\n");
  write("blkio/blkio.sectors_recursive", "259:0 77\n");
  write("hugetlb/hugetlb.2MB.usage_in_bytes", "2097152\n");
  write("hugetlb/hugetlb.2MB.max_usage_in_bytes", "4194304\n");
  write("hugetlb/hugetlb.2MB.rsvd.usage_in_bytes", "1\n");
  ControllerDirectories at;
  at.memory = directory_ / "memory";
  at.cpu = directory_ / "cpu";
  at.cpuacct = directory_ / "cpuacct";
  at.pids = directory_ / "pids";
  at.blkio = directory_ / "blkio";
  at.hugetlb = directory_ / "hugetlb";
  const auto m = read_metrics_v1(at);
  EXPECT_EQ(m.memory().cache(), 1U);
  EXPECT_EQ(m.memory().rss(), 2U);
  EXPECT_EQ(m.memory().total_rss(), 3U);
  EXPECT_EQ(m.memory().total_inactive_file(), 4U);
  EXPECT_EQ(m.memory().hierarchical_memsw_limit(), 5U);
  EXPECT_EQ(m.memory().usage().usage(), 4096U);
  EXPECT_EQ(m.memory().usage().limit(), 8192U);
  EXPECT_EQ(m.memory().usage().max(), 5000U);
  EXPECT_EQ(m.memory().usage().failcnt(), 7U);
  EXPECT_EQ(m.memory().swap().usage(), 4097U);
  EXPECT_EQ(m.memory_oom_control().under_oom(), 1U);
  EXPECT_EQ(m.memory_oom_control().oom_kill(), 2U);
  EXPECT_EQ(m.cpu().usage().total(), 123456789U);
  EXPECT_EQ(m.cpu().usage().user(), 20'000'000U) << "ticks are ten milliseconds";
  EXPECT_EQ(m.cpu().usage().kernel(), 30'000'000U);
  EXPECT_THAT(m.cpu().usage().per_cpu(), testing::ElementsAre(100, 23));
  EXPECT_EQ(m.cpu().throttling().throttled_time(), 999U);
  EXPECT_EQ(m.pids().current(), 3U);
  EXPECT_EQ(m.pids().limit(), 0U) << "none";
  ASSERT_EQ(m.blkio().io_service_bytes_recursive_size(), 3);
  EXPECT_EQ(m.blkio().io_service_bytes_recursive(1).op(), "Write");
  EXPECT_EQ(m.blkio().io_service_bytes_recursive(1).major(), 259U);
  EXPECT_EQ(m.blkio().io_service_bytes_recursive(1).value(), 20U);
  ASSERT_EQ(m.blkio().sectors_recursive_size(), 1);
  EXPECT_EQ(m.blkio().sectors_recursive(0).op(), "");
  EXPECT_EQ(m.blkio().sectors_recursive(0).value(), 77U);
  ASSERT_EQ(m.hugetlb_size(), 1);
  EXPECT_EQ(m.hugetlb(0).pagesize(), "2MB");
  EXPECT_EQ(m.hugetlb(0).max(), 4194304U);
}

TEST_F(Metrics, V1WithoutAControllerLeavesItOutAndHoldsWhatClientsReadWithoutAsking) {
  const auto m = read_metrics_v1({});
  EXPECT_FALSE(m.has_pids());
  EXPECT_FALSE(m.has_blkio());
  EXPECT_TRUE(m.has_memory() && m.memory().has_usage());
  EXPECT_TRUE(m.has_cpu() && m.cpu().has_usage());
}

TEST_F(Metrics, V2IsOneDirectory) {
  write("pids.current", "4\n");
  write("pids.max", "max\n");
  write("cpu.stat",
        "usage_usec 100\nuser_usec 60\nsystem_usec 40\nnr_periods 1\nnr_throttled "
        "2\nthrottled_usec 3\n");
  write("cpu.pressure",
        "some avg10=1.50 avg60=0.25 avg300=0.00 total=12345\nfull avg10=0.00 avg60=0.00 "
        "avg300=0.00 total=1\n");
  write("memory.stat",
        "anon 1\nfile 2\ninactive_file 3\nworkingset_refault_anon 4\nworkingset_refault_file "
        "5\nzswap 9\n");
  write("memory.current", "4096\n");
  write("memory.max", "max\n");
  write("memory.peak", "5000\n");
  write("memory.swap.current", "0\n");
  write("memory.swap.max", "1000\n");
  write("memory.events", "low 1\nhigh 2\nmax 3\noom 4\noom_kill 5\noom_group_kill 6\n");
  write("io.stat", "259:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n7:0 \n");
  write("hugetlb.2MB.current", "2097152\n");
  write("hugetlb.2MB.max", "max\n");
  write("hugetlb.2MB.rsvd.current", "1\n");
  write("rdma.current", "mlx4_0 hca_handle=2 hca_object=2000\n");
  write("rdma.max", "mlx4_0 hca_handle=3 hca_object=max\n");
  const auto m = read_metrics_v2(directory_);
  EXPECT_EQ(m.pids().current(), 4U);
  EXPECT_EQ(m.pids().limit(), kNoLimit);
  EXPECT_EQ(m.cpu().usage_usec(), 100U);
  EXPECT_EQ(m.cpu().throttled_usec(), 3U);
  EXPECT_DOUBLE_EQ(m.cpu().psi().some().avg10(), 1.5);
  EXPECT_EQ(m.cpu().psi().some().total(), 12345U);
  EXPECT_EQ(m.memory().anon(), 1U);
  EXPECT_EQ(m.memory().inactive_file(), 3U);
  EXPECT_EQ(m.memory().workingset_refault(), 9U) << "two kinds since 5.9";
  EXPECT_EQ(m.memory().usage(), 4096U);
  EXPECT_EQ(m.memory().usage_limit(), kNoLimit);
  EXPECT_EQ(m.memory().max_usage(), 5000U);
  EXPECT_EQ(m.memory().swap_limit(), 1000U);
  EXPECT_EQ(m.memory_events().oom_kill(), 5U);
  EXPECT_EQ(m.memory_events().max(), 3U);
  ASSERT_EQ(m.io().usage_size(), 2);
  EXPECT_EQ(m.io().usage(0).wios(), 4U);
  EXPECT_EQ(m.io().usage(1).rbytes(), 0U);
  ASSERT_EQ(m.hugetlb_size(), 1);
  EXPECT_EQ(m.hugetlb(0).max(), kNoLimit);
  ASSERT_EQ(m.rdma().current_size(), 1);
  EXPECT_EQ(m.rdma().current(0).hca_objects(), 2000U);
  EXPECT_EQ(m.rdma().limit(0).hca_objects(), ~std::uint32_t{0});
}

TEST_F(Metrics, TheTypeIsThatOfTheNodesCgroupMode) {
  fs::create_directories(directory_ / "ns/id");
  write("ns/id/pids.current", "1\n");
  const auto v2 = read_metrics(unified(), "0::/ns/id\n");
  ASSERT_TRUE(v2.has_value()) << v2.error().message;
  EXPECT_EQ(v2->type_url(), "io.containerd.cgroups.v2.Metrics");
  containerd::cgroup2::Metrics decoded;
  ASSERT_TRUE(decoded.ParseFromString(v2->value()));
  EXPECT_EQ(decoded.pids().current(), 1U);

  fs::create_directories(directory_ / "pids/ns/id");
  write("pids/ns/id/pids.current", "2\n");
  const auto hybrid = CgroupHierarchies::parse("40 31 0:36 / " + (directory_ / "pids").string() +
                                               " rw - cgroup cgroup rw,pids\n41 31 0:38 / " +
                                               directory_.string() + " rw - cgroup2 cgroup2 rw\n");
  const auto v1 = read_metrics(hybrid, "8:pids:/ns/id\n0::/ns/id\n");
  ASSERT_TRUE(v1.has_value()) << v1.error().message;
  EXPECT_EQ(v1->type_url(), "io.containerd.cgroups.v1.Metrics");
}

TEST_F(Metrics, NoCgroupOfItsOwnIsNotFound) {
  for (const char* membership : {"0::/gone\n", "0::/\n", "", "0::/../elsewhere\n"}) {
    const auto metrics = read_metrics(unified(), membership);
    ASSERT_FALSE(metrics.has_value()) << membership;
    EXPECT_EQ(metrics.error().code, Code::kNotFound);
    EXPECT_EQ(metrics.error().message, "cgroup does not exist");
  }
}

TEST_F(Metrics, FilesOfGarbageAreNoNumbers) {
  write("memory.current", std::string("-1\n"));
  write("memory.max", "18446744073709551616\n");
  write("io.stat", "garbage\n:\nx:y rbytes=\n1:2:3 rbytes==5\n");
  write("memory.stat", "anon\nfile x\n \n\n");
  write("cpu.pressure", "some\nfull avg10\nother avg10=1\n");
  const auto m = read_metrics_v2(directory_);
  EXPECT_EQ(m.memory().usage(), 0U);
  EXPECT_EQ(m.memory().usage_limit(), 0U);
  EXPECT_EQ(m.memory().anon(), 0U);
}

}  // namespace
}  // namespace ward::shim::stats
