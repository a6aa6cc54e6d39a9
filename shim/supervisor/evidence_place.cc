// SPDX-License-Identifier: Apache-2.0
#include "shim/supervisor/evidence_place.h"

#include <sys/mount.h>

#include <array>
#include <ctime>
#include <sstream>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/base/escape.h"
#include "lib/base/file.h"
#include "lib/linux/cgroup_paths.h"
#include "lib/oci/bundle.h"
#include "lib/oci/seccomp.h"
#include "shim/supervisor/redaction.h"

namespace ward::shim::supervisor {
namespace {

constexpr std::size_t kCounterBytes = 4096;
// By hierarchy; "" is the unified one.
struct Counter {
  std::string_view controller;
  const char* file;
};
constexpr Counter kCounters[] = {{"", "cgroup.events"},
                                 {"", "cpu.stat"},
                                 {"", "io.stat"},
                                 {"", "memory.current"},
                                 {"", "memory.events"},
                                 {"", "memory.peak"},
                                 {"", "pids.current"},
                                 {"", "pids.events"},
                                 {"cpuacct", "cpuacct.usage"},
                                 {"memory", "memory.usage_in_bytes"},
                                 {"memory", "memory.max_usage_in_bytes"},
                                 {"memory", "memory.failcnt"},
                                 {"pids", "pids.current"},
                                 {"pids", "pids.events"},
                                 {"blkio", "blkio.throttle.io_service_bytes"}};

std::string without_end(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

std::int64_t boottime_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

// Where the hierarchy of a controller is mounted, by the last part of the mount point: of several
// controllers together one is named like it, or the directory is "cpu,cpuacct".
std::filesystem::path mount_of(const CgroupMounts& mounts, std::string_view controller) {
  if (controller.empty()) return mounts.unified;
  for (const auto& mount : mounts.all) {
    std::istringstream names(mount.filename().string());
    for (std::string name; std::getline(names, name, ',');) {
      if (name == controller) return mount;
    }
  }
  return {};
}

// "<n>:<controllers>:<path>": the path in the hierarchy of that controller.
std::string member_of(const std::string& membership, std::string_view controller) {
  std::istringstream lines(membership);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    std::istringstream names(line.substr(first + 1, second - first - 1));
    if (controller.empty() && second == first + 1) return line.substr(second + 1);
    for (std::string name; std::getline(names, name, ',');) {
      if (!controller.empty() && name == controller) return line.substr(second + 1);
    }
  }
  return {};
}

void redact(Json& list, std::string (*how)(std::string_view)) {
  if (!list.is_array()) return;
  for (auto& one : list) {
    if (one.is_string()) one = how(one.get<std::string>());
  }
}

Json names_of(const filter::CallTable& calls, std::uint32_t layer) {
  Json names = Json::array();
  for (int nr = 0; nr < filter::kSyscallSearchEnd; ++nr) {
    for (const auto& rule : calls.rules_of(nr)) {
      if ((rule.layers & layer) == 0) continue;
      const std::string name = oci::find_syscall_name(nr).value_or(std::to_string(nr));
      names.push_back(rule.alternatives.empty() ? name : name + " (by arguments)");
      break;
    }
  }
  return names;
}

}  // namespace

Json clocks() {
  return {{"wall_ns", wall_ns()},
          {"monotonic_ns", monotonic_ns()},
          {"boottime_ns", boottime_ns()},
          {"boot_id", without_end(read_prefix("/proc/sys/kernel/random/boot_id", 64))}};
}

Json cgroup_counters(const EvidenceRequest& request) {
  Json counters = Json::object();
  const auto mounts = read_cgroup_mounts();
  const auto task = request.proc / std::to_string(request.thread());
  std::string membership = read_prefix(task / "cgroup", 8192);
  if (!mounts) return counters;
  for (const auto& [controller, file] : kCounters) {
    const auto mount = mount_of(*mounts, controller);
    const std::string member = member_of(membership, controller);
    // The root's are those of the whole machine.
    if (mount.empty() || member.size() < 2 || member.find("..") != std::string::npos) continue;
    const std::string text = read_prefix(mount / member.substr(1) / file, kCounterBytes);
    if (text.empty()) continue;
    const std::string key = controller.empty() ? file : std::string(controller) + ":" + file;
    counters[key] = escape(without_end(text), kCounterBytes);
  }
  return counters;
}

Json profile_summary(const EvidenceRequest& request) {
  return {{"name", escape(request.violation.profile_name())},
          {"digest", escape(request.violation.profile_digest())},
          {"compiled",
           {{"serving", names_of(request.calls, filter::kLayerServing)},
            {"boot", names_of(request.calls, filter::kLayerBoot)},
            {"exec", names_of(request.calls, filter::kLayerExec)}}}};
}

std::string spec_copy(const std::filesystem::path& config, bool full) {
  const auto text = read_regular_file(config, oci::kMaxConfigBytes);
  if (!text || text->empty()) return {};
  const auto depth = [](int level, Json::parse_event_t, const Json&) {
    return level < oci::kMaxConfigDepth;
  };
  Json spec = Json::parse(*text, depth, false);
  if (!spec.is_object()) return {};
  if (!full && spec.contains("process") && spec["process"].is_object()) {
    Json& process = spec["process"];
    if (process.contains("env")) redact(process["env"], redact_variable);
    // The program is its first argument, and is what people look for.
    if (process.contains("args") && process["args"].is_array() && !process["args"].empty()) {
      const Json program = process["args"].front();
      redact(process["args"], redact_argument);
      process["args"].front() = program;
    }
  }
  return spec.dump(2, ' ', true, Json::error_handler_t::replace) + "\n";
}

}  // namespace ward::shim::supervisor
