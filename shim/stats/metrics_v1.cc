// SPDX-License-Identifier: Apache-2.0
// The v1 controllers' files. Source:
// Documentation/admin-guide/cgroup-v1/{memory,cpuacct,blkio-controller,hugetlb}.rst
#include <unistd.h>

#include <charconv>
#include <iterator>

#include "lib/linux/cgroup_values.h"
#include "shim/stats/hugetlb.h"
#include "shim/stats/metrics.h"

namespace ward::shim::stats {
namespace {

namespace fs = std::filesystem;
using namespace containerd::cgroup1;

struct MemoryLine {
  std::string_view key;
  void (MemoryStat::*set)(std::uint64_t);
};

constexpr MemoryLine kMemoryLines[] = {
    {"cache", &MemoryStat::set_cache},
    {"rss", &MemoryStat::set_rss},
    {"rss_huge", &MemoryStat::set_rss_huge},
    {"mapped_file", &MemoryStat::set_mapped_file},
    {"dirty", &MemoryStat::set_dirty},
    {"writeback", &MemoryStat::set_writeback},
    {"pgpgin", &MemoryStat::set_pgpgin},
    {"pgpgout", &MemoryStat::set_pgpgout},
    {"pgfault", &MemoryStat::set_pgfault},
    {"pgmajfault", &MemoryStat::set_pgmajfault},
    {"inactive_anon", &MemoryStat::set_inactive_anon},
    {"active_anon", &MemoryStat::set_active_anon},
    {"inactive_file", &MemoryStat::set_inactive_file},
    {"active_file", &MemoryStat::set_active_file},
    {"unevictable", &MemoryStat::set_unevictable},
    {"hierarchical_memory_limit", &MemoryStat::set_hierarchical_memory_limit},
    {"hierarchical_memsw_limit", &MemoryStat::set_hierarchical_memsw_limit},
    {"total_cache", &MemoryStat::set_total_cache},
    {"total_rss", &MemoryStat::set_total_rss},
    {"total_rss_huge", &MemoryStat::set_total_rss_huge},
    {"total_mapped_file", &MemoryStat::set_total_mapped_file},
    {"total_dirty", &MemoryStat::set_total_dirty},
    {"total_writeback", &MemoryStat::set_total_writeback},
    {"total_pgpgin", &MemoryStat::set_total_pgpgin},
    {"total_pgpgout", &MemoryStat::set_total_pgpgout},
    {"total_pgfault", &MemoryStat::set_total_pgfault},
    {"total_pgmajfault", &MemoryStat::set_total_pgmajfault},
    {"total_inactive_anon", &MemoryStat::set_total_inactive_anon},
    {"total_active_anon", &MemoryStat::set_total_active_anon},
    {"total_inactive_file", &MemoryStat::set_total_inactive_file},
    {"total_active_file", &MemoryStat::set_total_active_file},
    {"total_unevictable", &MemoryStat::set_total_unevictable},
};

std::uint64_t value_or_zero(const fs::path& file) { return read_cgroup_value(file).value_or(0); }

void read_entry(const fs::path& directory, const std::string& prefix, MemoryEntry& entry) {
  entry.set_limit(value_or_zero(directory / (prefix + ".limit_in_bytes")));
  entry.set_usage(value_or_zero(directory / (prefix + ".usage_in_bytes")));
  entry.set_max(value_or_zero(directory / (prefix + ".max_usage_in_bytes")));
  entry.set_failcnt(value_or_zero(directory / (prefix + ".failcnt")));
}

void read_memory(const fs::path& directory, Metrics& metrics) {
  auto& memory = *metrics.mutable_memory();
  const auto text = read_cgroup_text(directory / "memory.stat");
  for (std::string_view rest = text; !rest.empty();) {
    auto line = take_line(rest);
    const auto key = take_word(line);
    for (const auto& entry : kMemoryLines) {
      if (entry.key == key) (memory.*entry.set)(parse_cgroup_value(take_word(line)).value_or(0));
    }
  }
  read_entry(directory, "memory", *memory.mutable_usage());
  read_entry(directory, "memory.memsw", *memory.mutable_swap());
  read_entry(directory, "memory.kmem", *memory.mutable_kernel());
  read_entry(directory, "memory.kmem.tcp", *memory.mutable_kernel_tcp());
  const auto control = read_cgroup_text(directory / "memory.oom_control");
  auto& oom = *metrics.mutable_memory_oom_control();
  oom.set_oom_kill_disable(find_cgroup_key(control, "oom_kill_disable").value_or(0));
  oom.set_under_oom(find_cgroup_key(control, "under_oom").value_or(0));
  oom.set_oom_kill(find_cgroup_key(control, "oom_kill").value_or(0));
}

void read_cpuacct(const fs::path& directory, CpuUsage& usage) {
  constexpr std::uint64_t kNsPerSecond = 1'000'000'000;
  const auto ns_per_tick = kNsPerSecond / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  usage.set_total(value_or_zero(directory / "cpuacct.usage"));
  const auto text = read_cgroup_text(directory / "cpuacct.stat");
  usage.set_user(find_cgroup_key(text, "user").value_or(0) * ns_per_tick);
  usage.set_kernel(find_cgroup_key(text, "system").value_or(0) * ns_per_tick);
  const auto per_cpu = read_cgroup_text(directory / "cpuacct.usage_percpu");
  std::string_view words = std::string_view(per_cpu).substr(0, per_cpu.find('\n'));
  for (auto word = take_word(words); !word.empty(); word = take_word(words)) {
    if (const auto value = parse_cgroup_value(word)) usage.add_per_cpu(*value);
  }
}

void read_throttling(const fs::path& directory, Throttle& throttle) {
  const auto text = read_cgroup_text(directory / "cpu.stat");
  throttle.set_periods(find_cgroup_key(text, "nr_periods").value_or(0));
  throttle.set_throttled_periods(find_cgroup_key(text, "nr_throttled").value_or(0));
  throttle.set_throttled_time(find_cgroup_key(text, "throttled_time").value_or(0));
}

void read_pids(const fs::path& directory, PidsStat& pids) {
  pids.set_current(value_or_zero(directory / "pids.current"));
  const auto limit = read_cgroup_value(directory / "pids.max");
  pids.set_limit(limit && *limit != kNoCgroupLimit ? *limit : 0);
}

std::string device_name(std::uint64_t major, std::uint64_t minor) {
  std::error_code error;
  const auto link = fs::read_symlink(
      "/sys/dev/block/" + std::to_string(major) + ":" + std::to_string(minor), error);
  return error ? std::string() : "/dev/" + link.filename().string();
}

bool parse_device(std::string_view word, std::uint64_t& major, std::uint64_t& minor) {
  const auto colon = word.find(':');
  if (colon == std::string_view::npos) return false;
  const auto first = parse_cgroup_value(word.substr(0, colon));
  const auto second = parse_cgroup_value(word.substr(colon + 1));
  if (!first || !second) return false;
  major = *first;
  minor = *second;
  return true;
}

// Lines of "8:0 Read 4096" or "8:0 4096"; the sum over all devices at the end has no device and is
// left out.
template <typename Add>
bool read_devices(const fs::path& file, const Add& add) {
  const auto text = read_cgroup_text(file);
  bool any = false;
  for (std::string_view rest = text; !rest.empty();) {
    auto line = take_line(rest);
    std::uint64_t major = 0;
    std::uint64_t minor = 0;
    if (!parse_device(take_word(line), major, minor)) continue;
    auto operation = take_word(line);
    auto number = take_word(line);
    if (number.empty()) std::swap(operation, number);
    const auto value = parse_cgroup_value(number);
    if (!value) continue;
    BlkioEntry& entry = *add();
    entry.set_op(std::string(operation));
    entry.set_device(device_name(major, minor));
    entry.set_major(major);
    entry.set_minor(minor);
    entry.set_value(*value);
    any = true;
  }
  return any;
}

void read_blkio(const fs::path& directory, BlkioStat& blkio) {
  const struct {
    const char* name;
    BlkioEntry* (BlkioStat::*add)();
  } lists[] = {
      {"io_service_bytes", &BlkioStat::add_io_service_bytes_recursive},
      {"io_serviced", &BlkioStat::add_io_serviced_recursive},
      {"io_queued", &BlkioStat::add_io_queued_recursive},
      {"io_service_time", &BlkioStat::add_io_service_time_recursive},
      {"io_wait_time", &BlkioStat::add_io_wait_time_recursive},
      {"io_merged", &BlkioStat::add_io_merged_recursive},
      {"time", &BlkioStat::add_io_time_recursive},
      {"sectors", &BlkioStat::add_sectors_recursive},
  };
  for (const auto& list : lists) {
    const auto add = [&] { return (blkio.*list.add)(); };
    // Counted by the disk's scheduler, whichever it is; where it counts nothing, by the throttling
    // layer.
    for (const char* prefix : {"blkio.", "blkio.bfq.", "blkio.throttle."}) {
      if (read_devices(directory / (prefix + std::string(list.name) + "_recursive"), add)) break;
    }
  }
}

void read_hugetlb(const fs::path& directory, Metrics& metrics) {
  for (const std::string& size : hugetlb_sizes(directory, ".usage_in_bytes")) {
    const std::string prefix = "hugetlb." + size;
    auto& entry = *metrics.add_hugetlb();
    entry.set_pagesize(size);
    entry.set_usage(value_or_zero(directory / (prefix + ".usage_in_bytes")));
    entry.set_max(value_or_zero(directory / (prefix + ".max_usage_in_bytes")));
    entry.set_failcnt(value_or_zero(directory / (prefix + ".failcnt")));
  }
}

}  // namespace

Metrics read_metrics_v1(const ControllerDirectories& at) {
  Metrics metrics;
  if (!at.memory.empty()) read_memory(at.memory, metrics);
  if (!at.cpuacct.empty()) read_cpuacct(at.cpuacct, *metrics.mutable_cpu()->mutable_usage());
  if (!at.cpu.empty()) read_throttling(at.cpu, *metrics.mutable_cpu()->mutable_throttling());
  // Clients take these two for present.
  (void)metrics.mutable_cpu()->mutable_usage();
  (void)metrics.mutable_memory()->mutable_usage();
  if (!at.pids.empty()) read_pids(at.pids, *metrics.mutable_pids());
  if (!at.blkio.empty()) read_blkio(at.blkio, *metrics.mutable_blkio());
  if (!at.hugetlb.empty()) read_hugetlb(at.hugetlb, metrics);
  return metrics;
}

}  // namespace ward::shim::stats
