// SPDX-License-Identifier: Apache-2.0
// What is known of a runtime by its version. A distribution may have mended one without another
// number: so none of these is more than a warning.
#include <array>

#include "cli/node/doctor.h"

namespace ward::cli::node {
namespace {

// Mended in `fixed` and, where `also` is not empty, in these newer lines from their patch on.
// Sources: the security advisories of opencontainers/runc and containers/crun
struct Hole {
  const char* id;
  Version fixed;
  std::array<Version, 2> also;
  const char* what;
};
constexpr Version kNone{};
constexpr std::array<Hole, 6> kRuncHoles = {{
    {"CVE-2021-30465", {1, 0, 0, false}, {kNone, kNone}, "mounts can be led out of the container"},
    {"CVE-2022-29162",
     {1, 1, 2, false},
     {kNone, kNone},
     "exec sessions have inheritable "
     "capabilities"},
    {"CVE-2023-28642", {1, 1, 5, false}, {kNone, kNone}, "AppArmor can be circumvented by a link"},
    {"CVE-2024-21626",
     {1, 1, 12, false},
     {kNone, kNone},
     "a descriptor of the host leaks into the "
     "container"},
    {"CVE-2024-45310", {1, 1, 14, false}, {kNone, kNone}, "empty files can be made on the host"},
    {"CVE-2025-31133",
     {1, 2, 8, false},
     {Version{1, 3, 3, false}, Version{1, 4, 0, false}},
     "masked paths can be led to files of the host"},
}};

constexpr Version kHonoursKillable{1, 5, 0, false};
constexpr Version kMendsQuery{1, 5, 2, false};
constexpr Version kMendsRestore{1, 6, 0, false};
constexpr Version kQueryFrom{6, 17, 0, false};
constexpr Version kQueryUntil{7, 2, 0, false};
constexpr Version kKillableLinux{5, 19, 0, false};
constexpr Version kKillableLibseccomp{2, 6, 0, false};
constexpr Version kTriedCrun{1, 20, 0, false};

bool has(const Hole& hole, const Version& version) {
  if (version < hole.fixed) return true;
  for (const Version& line : hole.also)
    if (line != kNone && version.major == line.major && version.minor == line.minor &&
        version < line)
      return true;
  return false;
}

std::optional<Version> libseccomp_of(const std::string& said) {
  const auto at = said.find("libseccomp:");
  return at == std::string::npos ? std::nullopt
                                 : find_version(std::string_view(said).substr(at + 11));
}

void runc_findings(const RuntimeFacts& runtime, const Version& version, const KernelFacts& kernel,
                   Findings& all) {
  const std::string name = "runc " + version_text(version);
  all.push_back({Level::kOk, "runc", "runtime", name + " at '" + runtime.program + "'", ""});
  std::string holes;
  for (const Hole& hole : kRuncHoles)
    if (has(hole, version))
      holes += (holes.empty() ? "" : "; ") + std::string(hole.id) + ": " + hole.what;
  if (!holes.empty())
    all.push_back({Level::kWarning, "runc-holes", "runtime", name + " by its number has " + holes,
                   "see whether your distribution mended it, else take 1.2.8, 1.3.3 or later"});
  if (version < kMendsRestore)
    all.push_back({Level::kNote, "runc-restore", "runtime",
                   name + ": an image of CRIU can break out when it is restored (CVE-2026-119101)",
                   "restore only checkpoints that this node made"});
  if (version < kMendsQuery && kernel.version >= kQueryFrom && kernel.version < kQueryUntil)
    all.push_back({Level::kWarning, "runc-bpf-query", "runtime",
                   name + " on Linux " + kernel.release +
                       " has its memory overwritten when it asks for BPF programs of a cgroup",
                   "take runc 1.5.2 or later"});
  const auto libseccomp = libseccomp_of(runtime.said);
  const bool killable = version >= kHonoursKillable && libseccomp &&
                        *libseccomp >= kKillableLibseccomp && kernel.version >= kKillableLinux;
  all.push_back(
      {Level::kNote, "runc-wait-killable", "runtime",
       killable
           ? name + " can ask for WAIT_KILLABLE_RECV: a parked call is not asked twice, and a "
                    "freeze waits for its answer"
           : name + " cannot ask for WAIT_KILLABLE_RECV: a signal makes a parked call be asked "
                    "again, and Ward counts it once",
       ""});
  if (libseccomp)
    all.push_back({Level::kNote, "newest-call", "runtime",
                   "calls that libseccomp " + version_text(*libseccomp) +
                       " does not know are answered ENOSYS, and only mode learn sees them",
                   "`ward status` names the newest known one"});
}

}  // namespace

Findings runtime_findings(const NodeFacts& facts) {
  Findings all;
  if (!facts.daemon) return all;
  bool runc = false;
  for (const RuntimeFacts& runtime : facts.runtimes) {
    const auto version = find_version(runtime.said);
    runc = runc || runtime.name == "runc";
    if (!version) {
      all.push_back({Level::kWarning, "runtime-silent", "runtime",
                     "'" + runtime.program + "' does not say its version",
                     "see whether it runs: " + runtime.name + " --version"});
    } else if (runtime.name == "runc") {
      runc_findings(runtime, *version, facts.kernel, all);
    } else if (*version < kTriedCrun) {
      all.push_back({Level::kWarning, "crun-old", "runtime",
                     "crun " + version_text(*version) +
                         " has CVE-2025-24965, and is older than "
                         "what Ward is tried with",
                     "take crun 1.20 or later"});
    } else {
      all.push_back({Level::kOk, "crun", "runtime",
                     "crun " + version_text(*version) + " at '" + runtime.program + "'", ""});
    }
  }
  if (!runc)
    all.push_back({Level::kProblem, "runc-missing", "runtime",
                   "no runc stands in containerd's PATH",
                   "install runc, or name another runtime as BinaryName in Ward's options"});
  return all;
}

}  // namespace ward::cli::node
