// SPDX-License-Identifier: Apache-2.0
#include "shim/supervisor/evidence_reader.h"

#include <sys/resource.h>

#include <algorithm>
#include <utility>

#include "lib/base/clock.h"
#include "lib/base/escape.h"
#include "shim/supervisor/evidence_changes.h"
#include "shim/supervisor/evidence_inspect.h"
#include "shim/supervisor/evidence_mapped.h"
#include "shim/supervisor/evidence_memory.h"
#include "shim/supervisor/evidence_place.h"
#include "shim/supervisor/evidence_process.h"

namespace ward::shim::supervisor {
namespace {

constexpr std::size_t kListingBytes = 512U << 10U;
constexpr std::size_t kMapsBytes = 8U << 20U;         // read
constexpr std::size_t kMapsListingBytes = 1U << 20U;  // kept as text
constexpr int kNice = 10;

struct Processes {
  Json chain;  // the offender, and who made it
  Json all;
};

std::string file_part(const char* name) { return std::string(kFilePrefix) + name; }

// Of hashing and of looking for changes each gets a part of what is left.
std::int64_t share_of(std::int64_t ends_ns, std::int64_t percent) {
  const std::int64_t now_ns = monotonic_ns();
  return now_ns + std::max<std::int64_t>(0, ends_ns - now_ns) * percent / 100;
}

// Answered by the kernel from what it has: nobody can make these wait.
Processes read_facts(const EvidenceRequest& request, const PartSink& sink,
                     const ParkedThread& thread, const std::string& maps) {
  const auto task = request.proc / std::to_string(request.thread());
  sink.give("call", call_of(request, thread, Pointers::kLeave).dump());
  Processes processes{offender_and_ancestors(request), processes_of(request)};
  sink.give("offender_and_ancestors", processes.chain.dump());
  const std::string sockets = sockets_of(request);
  sink.give("offender_descriptors", descriptors_of(request, sockets).dump());
  sink.give("offender_cgroups", Json(escape_lines(read_prefix(task / "cgroup", 8192))).dump());
  sink.give("processes", processes.all.dump());
  sink.give("cgroup_counters", cgroup_counters(request).dump());
  sink.give(file_part("mounts.txt"), escape_lines(read_prefix(task / "mountinfo", kListingBytes)));
  sink.give(file_part("sockets.txt"), escape_lines(sockets));
  if (!maps.empty())
    sink.give(file_part("maps.txt"), escape_lines(maps.substr(0, kMapsListingBytes)));
  return processes;
}

// A page may be one that somebody else has to bring: a reader waits for it. Gives the stack.
Json read_memory_of(const EvidenceRequest& request, const PartSink& sink,
                    const ParkedThread& thread, const std::vector<Mapping>& maps,
                    Processes processes) {
  sink.give("call", call_of(request, thread, Pointers::kFollow).dump());
  Json stack = stack_of(request, thread, maps);
  sink.give("stack", stack.dump());
  sink.give("offender_environment", environment_of(request).dump());
  add_arguments(processes.chain, request);
  sink.give("offender_and_ancestors", processes.chain.dump());
  add_arguments(processes.all, request);
  sink.give("processes", processes.all.dump());
  return stack;
}

void read_from_disk(const EvidenceRequest& request, const PartSink& sink) {
  sink.give("profile", profile_summary(request).dump());
  if (request.bundle.empty()) return;
  const bool full = request.limits.full;
  const std::string original = spec_copy(request.bundle / "config.json.orig", full);
  const std::string effective = spec_copy(request.bundle / "config.json", full);
  if (!original.empty()) sink.give(file_part("spec-original.json"), original);
  if (!effective.empty()) sink.give(file_part("spec-effective.json"), effective);
}

struct Image {
  const UniqueFd& root;
  const UniqueFd& upper;  // may be none
};

// At the end: what is slow or hangs here costs nothing else. What we are ended before is said
// beforehand: a later list takes the place of an earlier one.
void read_symbols_and_packages(const MappedFiles& mapped, const Image& image, std::int64_t ends_ns,
                               Json stack, const PartSink& sink, LeftOut& left_out) {
  const auto unless_ended = [&](const char* part) {
    LeftOut until_then = left_out;
    until_then.add(part, "not read in time");
    sink.give(kLeftOut, until_then.list().dump());
  };
  unless_ended("symbols and packages");
  add_symbols(mapped, share_of(ends_ns, 40), stack, left_out);
  sink.give("stack", stack.dump());
  unless_ended("packages");
  Json maps = mapped.list();
  add_packages(mapped, image.root, image.upper, ends_ns, maps, left_out);
  sink.give("maps", maps.dump());
  sink.give(kLeftOut, left_out.list().dump());
}

}  // namespace

void read_evidence(const EvidenceRequest& request, const PartSink& sink) {
  // What the collector does not get in time it says itself; a margin for what is under way.
  const std::int64_t ends_ns = monotonic_ns() + request.reading.count() * 3 / 4;
  const auto task = request.proc / std::to_string(request.thread());
  LeftOut left_out;
  sink.give("clocks", clocks().dump());
  const ParkedThread thread = read_parked(request.thread(), request.proc);
  bool maps_cut = false;
  std::string maps_text = read_prefix(task / "maps", kMapsBytes, &maps_cut);
  const auto maps = parse_maps(maps_text);
  const auto lines = std::count(maps_text.begin(), maps_text.end(), '\n');
  maps_cut = maps_cut || maps.size() < static_cast<std::size_t>(lines);
  Processes processes = read_facts(request, sink, thread, maps_text);
  std::string no_changes;
  const UniqueFd upper = open_upper_directory(request, no_changes);
  std::string no_packages;
  const UniqueFd root = open_image_root(request, no_packages);
  MappedFiles mapped(request, maps);
  sink.give("maps", mapped.list().dump());
  // The spec is written anew for each start, and goes with the bundle.
  read_from_disk(request, sink);
  Json stack = read_memory_of(request, sink, thread, maps, std::move(processes));
  sink.give(kCaptured, "1");
  ::setpriority(PRIO_PROCESS, 0, kNice);  // nobody waits for the rest

  mapped.hash(share_of(ends_ns, 50));
  sink.give("maps", mapped.list().dump());
  if (upper) {
    ChangeBounds bounds;
    bounds.ends_ns = share_of(ends_ns, 60);
    read_changes(upper.get(), bounds, sink, left_out);
  } else {
    left_out.add("changed_files", no_changes);
  }
  if (request.processes.size() > request.limits.max_processes)
    left_out.add("processes", "the first " + std::to_string(request.limits.max_processes) + " of " +
                                  std::to_string(request.processes.size()));
  if (!root) left_out.add("packages", no_packages);
  if (mapped.dropped() > 0)
    left_out.add("maps", "the first " + std::to_string(MappedFiles::kMaxFiles) + " files; " +
                             std::to_string(mapped.dropped()) + " more are mapped");
  if (maps_cut) left_out.add("maps", "more mappings than are read");
  read_symbols_and_packages(mapped, {root, upper}, ends_ns, std::move(stack), sink, left_out);
}

}  // namespace ward::shim::supervisor
