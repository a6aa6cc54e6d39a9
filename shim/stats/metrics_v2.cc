// SPDX-License-Identifier: Apache-2.0
// The interface files of one cgroup2 directory. Source: Documentation/admin-guide/cgroup-v2.rst
#include <algorithm>

#include "lib/linux/cgroup_values.h"
#include "shim/stats/hugetlb.h"
#include "shim/stats/metrics.h"

namespace ward::shim::stats {
namespace {

namespace fs = std::filesystem;
using namespace containerd::cgroup2;

template <typename Message>
struct Line {
  std::string_view key;
  void (Message::*set)(std::uint64_t);
};

constexpr Line<MemoryStat> kMemoryLines[] = {
    {"anon", &MemoryStat::set_anon},
    {"file", &MemoryStat::set_file},
    {"kernel_stack", &MemoryStat::set_kernel_stack},
    {"slab", &MemoryStat::set_slab},
    {"sock", &MemoryStat::set_sock},
    {"shmem", &MemoryStat::set_shmem},
    {"file_mapped", &MemoryStat::set_file_mapped},
    {"file_dirty", &MemoryStat::set_file_dirty},
    {"file_writeback", &MemoryStat::set_file_writeback},
    {"anon_thp", &MemoryStat::set_anon_thp},
    {"inactive_anon", &MemoryStat::set_inactive_anon},
    {"active_anon", &MemoryStat::set_active_anon},
    {"inactive_file", &MemoryStat::set_inactive_file},
    {"active_file", &MemoryStat::set_active_file},
    {"unevictable", &MemoryStat::set_unevictable},
    {"slab_reclaimable", &MemoryStat::set_slab_reclaimable},
    {"slab_unreclaimable", &MemoryStat::set_slab_unreclaimable},
    {"pgfault", &MemoryStat::set_pgfault},
    {"pgmajfault", &MemoryStat::set_pgmajfault},
    {"workingset_refault", &MemoryStat::set_workingset_refault},
    {"workingset_activate", &MemoryStat::set_workingset_activate},
    {"workingset_nodereclaim", &MemoryStat::set_workingset_nodereclaim},
    {"pgrefill", &MemoryStat::set_pgrefill},
    {"pgscan", &MemoryStat::set_pgscan},
    {"pgsteal", &MemoryStat::set_pgsteal},
    {"pgactivate", &MemoryStat::set_pgactivate},
    {"pgdeactivate", &MemoryStat::set_pgdeactivate},
    {"pglazyfree", &MemoryStat::set_pglazyfree},
    {"pglazyfreed", &MemoryStat::set_pglazyfreed},
    {"thp_fault_alloc", &MemoryStat::set_thp_fault_alloc},
    {"thp_collapse_alloc", &MemoryStat::set_thp_collapse_alloc},
};

constexpr Line<CpuStat> kCpuLines[] = {
    {"usage_usec", &CpuStat::set_usage_usec},     {"user_usec", &CpuStat::set_user_usec},
    {"system_usec", &CpuStat::set_system_usec},   {"nr_periods", &CpuStat::set_nr_periods},
    {"nr_throttled", &CpuStat::set_nr_throttled}, {"throttled_usec", &CpuStat::set_throttled_usec},
    {"nr_bursts", &CpuStat::set_nr_bursts},       {"burst_usec", &CpuStat::set_burst_usec},
};

constexpr Line<MemoryEvents> kEventLines[] = {
    {"low", &MemoryEvents::set_low},           {"high", &MemoryEvents::set_high},
    {"max", &MemoryEvents::set_max},           {"oom", &MemoryEvents::set_oom},
    {"oom_kill", &MemoryEvents::set_oom_kill},
};

template <typename Message, std::size_t N>
void read_lines(std::string_view text, const Line<Message> (&lines)[N], Message& message) {
  while (!text.empty()) {
    auto line = take_line(text);
    const auto key = take_word(line);
    for (const auto& entry : lines) {
      if (entry.key == key) (message.*entry.set)(parse_cgroup_value(take_word(line)).value_or(0));
    }
  }
}

std::uint64_t value_or_zero(const fs::path& file) { return read_cgroup_value(file).value_or(0); }

// The value of "key=" among the words of a line.
std::string_view find_word(std::string_view line, std::string_view key) {
  for (auto word = take_word(line); !word.empty(); word = take_word(line)) {
    if (word.size() > key.size() && word[key.size()] == '=' && word.substr(0, key.size()) == key) {
      return word.substr(key.size() + 1);
    }
  }
  return {};
}

// "12.34", always with two decimals. Not from_chars, whose tables for doubles are as large as all
// of this.
double parse_average(std::string_view text) {
  const auto point = std::min(text.find('.'), text.size());
  const auto whole = parse_cgroup_value(text.substr(0, point)).value_or(0);
  const auto hundredths =
      parse_cgroup_value(text.substr(std::min(point + 1, text.size()))).value_or(0);
  return static_cast<double>(whole) + static_cast<double>(hundredths) / 100;
}

// "some avg10=0.00 avg60=0.00 avg300=0.00 total=0"
void read_pressure(const fs::path& file, Pressure& (*make)(Metrics&), Metrics& metrics) {
  const auto text = read_cgroup_text(file);
  for (std::string_view rest = text; !rest.empty();) {
    auto line = take_line(rest);
    const auto kind = take_word(line);
    if (kind != "some" && kind != "full") continue;
    auto& to = kind == "some" ? *make(metrics).mutable_some() : *make(metrics).mutable_full();
    to.set_avg10(parse_average(find_word(line, "avg10")));
    to.set_avg60(parse_average(find_word(line, "avg60")));
    to.set_avg300(parse_average(find_word(line, "avg300")));
    to.set_total(parse_cgroup_value(find_word(line, "total")).value_or(0));
  }
}

void read_memory(const fs::path& cgroup, Metrics& metrics) {
  auto& memory = *metrics.mutable_memory();
  const auto text = read_cgroup_text(cgroup / "memory.stat");
  read_lines(text, kMemoryLines, memory);
  // Since 5.9 refaults are counted for files and for anonymous pages apart.
  if (memory.workingset_refault() == 0) {
    memory.set_workingset_refault(find_cgroup_key(text, "workingset_refault_anon").value_or(0) +
                                  find_cgroup_key(text, "workingset_refault_file").value_or(0));
  }
  memory.set_usage(value_or_zero(cgroup / "memory.current"));
  memory.set_usage_limit(value_or_zero(cgroup / "memory.max"));
  memory.set_max_usage(value_or_zero(cgroup / "memory.peak"));
  memory.set_swap_usage(value_or_zero(cgroup / "memory.swap.current"));
  memory.set_swap_limit(value_or_zero(cgroup / "memory.swap.max"));
  memory.set_swap_max_usage(value_or_zero(cgroup / "memory.swap.peak"));
  const auto events = read_cgroup_text(cgroup / "memory.events");
  if (!events.empty()) read_lines(events, kEventLines, *metrics.mutable_memory_events());
}

// "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6"
void read_io(const fs::path& cgroup, Metrics& metrics) {
  const auto text = read_cgroup_text(cgroup / "io.stat");
  for (std::string_view rest = text; !rest.empty();) {
    auto line = take_line(rest);
    const auto device = take_word(line);
    const auto colon = device.find(':');
    if (colon == std::string_view::npos) continue;
    auto& entry = *metrics.mutable_io()->add_usage();
    const auto number = [&line](std::string_view key) {
      return parse_cgroup_value(find_word(line, key)).value_or(0);
    };
    entry.set_major(parse_cgroup_value(device.substr(0, colon)).value_or(0));
    entry.set_minor(parse_cgroup_value(device.substr(colon + 1)).value_or(0));
    entry.set_rbytes(number("rbytes"));
    entry.set_wbytes(number("wbytes"));
    entry.set_rios(number("rios"));
    entry.set_wios(number("wios"));
  }
}

// "mlx4_0 hca_handle=2 hca_object=max"
template <typename Add>
void read_rdma(const fs::path& file, const Add& add) {
  constexpr std::uint64_t kMost = ~std::uint32_t{0};
  const auto text = read_cgroup_text(file);
  for (std::string_view rest = text; !rest.empty();) {
    auto line = take_line(rest);
    const auto device = take_word(line);
    if (device.empty()) continue;
    auto& entry = *add();
    const auto number = [&](std::string_view key) {
      return static_cast<std::uint32_t>(
          std::min(parse_cgroup_value(find_word(line, key)).value_or(0), kMost));
    };
    entry.set_device(std::string(device));
    entry.set_hca_handles(number("hca_handle"));
    entry.set_hca_objects(number("hca_object"));
  }
}

void read_hugetlb(const fs::path& cgroup, Metrics& metrics) {
  for (const std::string& size : hugetlb_sizes(cgroup, ".current")) {
    auto& entry = *metrics.add_hugetlb();
    entry.set_pagesize(size);
    entry.set_current(value_or_zero(cgroup / ("hugetlb." + size + ".current")));
    entry.set_max(value_or_zero(cgroup / ("hugetlb." + size + ".max")));
  }
}

}  // namespace

Metrics read_metrics_v2(const fs::path& cgroup) {
  Metrics metrics;
  metrics.mutable_pids()->set_current(value_or_zero(cgroup / "pids.current"));
  metrics.mutable_pids()->set_limit(value_or_zero(cgroup / "pids.max"));
  read_lines(read_cgroup_text(cgroup / "cpu.stat"), kCpuLines, *metrics.mutable_cpu());
  read_memory(cgroup, metrics);
  read_io(cgroup, metrics);
  read_hugetlb(cgroup, metrics);
  const auto rdma_current = [&metrics] { return metrics.mutable_rdma()->add_current(); };
  const auto rdma_limit = [&metrics] { return metrics.mutable_rdma()->add_limit(); };
  read_rdma(cgroup / "rdma.current", rdma_current);
  read_rdma(cgroup / "rdma.max", rdma_limit);
  const auto psi = [&](const char* file, Pressure& (*of)(Metrics&)) {
    read_pressure(cgroup / file, of, metrics);
  };
  psi("cpu.pressure", [](Metrics& m) -> Pressure& { return *m.mutable_cpu()->mutable_psi(); });
  psi("memory.pressure",
      [](Metrics& m) -> Pressure& { return *m.mutable_memory()->mutable_psi(); });
  psi("io.pressure", [](Metrics& m) -> Pressure& { return *m.mutable_io()->mutable_psi(); });
  return metrics;
}

}  // namespace ward::shim::stats
