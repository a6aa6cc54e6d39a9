// SPDX-License-Identifier: Apache-2.0
// What `ward node doctor` makes of what it saw: every finding says what to do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "cli/node/doctor.h"

namespace ward::cli::node {
namespace {

using testing::HasSubstr;

NodeFacts sound_node() {
  NodeFacts facts;
  facts.kernel.release = "6.1.0";
  facts.kernel.version = {6, 1, 0, false};
  facts.kernel.machine = "x86_64";
  facts.kernel.btf = facts.kernel.notify = facts.kernel.freezer = true;
  facts.kernel.bpf_file_system = facts.kernel.clock_synchronized = true;
  facts.kernel.cgroups = Cgroups::kV2;
  facts.kernel.controllers = {"cpu", "memory", "pids"};
  facts.kernel.lsms = "lockdown,apparmor";
  facts.kernel.free_bytes = std::uint64_t{100} << 30U;
  Daemon daemon;
  daemon.pid = 1;
  daemon.version = {2, 1, 9, false};
  facts.daemon = daemon;
  facts.daemons = {daemon};
  facts.config = Settings{{{"plugins", "io.containerd.cri.v1.runtime", "containerd", "runtimes",
                            "runc", "runtime_type"},
                           "\"io.containerd.runc.v2\""}};
  facts.config_version = 3;
  facts.cri = CriState{true, true, {{"ward", "io.containerd.ward.v1"}}};
  facts.runtimes = {{"runc", "/usr/sbin/runc", "runc version 1.6.0\nlibseccomp: 2.6.0\n"}};
  Record record;
  record.phase = Phase::kInstalled;
  record.version = "0.1.0";
  record.handler = "ward";
  record.way = Way::kBlock;
  record.block = "b";
  facts.record = record;
  facts.block = "b";
  facts.shim_there = facts.wardd_answers = true;
  return facts;
}

Level level_of(const NodeFacts& facts, const std::string& id) {
  for (const Finding& finding : all_findings(facts))
    if (finding.id == id) {
      EXPECT_TRUE(finding.level < Level::kWarning || !finding.action.empty()) << id;
      return finding.level;
    }
  return Level::kOk;
}

TEST(Findings, ASoundNodeHasNoProblemAndNoWarning) {
  for (const Finding& finding : all_findings(sound_node()))
    EXPECT_LT(finding.level, Level::kWarning) << finding.id << ": " << finding.found;
}

TEST(Findings, WhatTheKernelLacksIsNamedWithWhatWillNotHold) {
  NodeFacts facts = sound_node();
  facts.kernel.btf = facts.kernel.notify = facts.kernel.freezer = false;
  facts.kernel.bpf_file_system = facts.kernel.clock_synchronized = false;
  facts.kernel.controllers = {"cpu"};
  facts.kernel.lsms.clear();
  facts.kernel.free_bytes = 1;
  EXPECT_EQ(level_of(facts, "notify-missing"), Level::kProblem);
  EXPECT_EQ(level_of(facts, "freezer-missing"), Level::kProblem);
  EXPECT_EQ(level_of(facts, "btf-missing"), Level::kWarning);
  EXPECT_EQ(level_of(facts, "bpf-file-system"), Level::kWarning);
  EXPECT_EQ(level_of(facts, "cgroup-controllers"), Level::kWarning);
  EXPECT_EQ(level_of(facts, "clock-unsynchronized"), Level::kWarning);
  EXPECT_EQ(level_of(facts, "disk-short"), Level::kWarning);
  EXPECT_EQ(level_of(facts, "lsms-unknown"), Level::kNote);
  facts.kernel.cgroups = Cgroups::kV1;
  EXPECT_EQ(level_of(facts, "cgroups-v1"), Level::kWarning);
}

TEST(Findings, ContainerdsKnownFaultsGoByItsVersion) {
  NodeFacts facts = sound_node();
  EXPECT_EQ(level_of(facts, "containerd-8207"), Level::kOk);
  facts.daemon->version = {1, 6, 20, false};
  EXPECT_EQ(level_of(facts, "containerd-8207"), Level::kWarning);
  facts.daemon->version = {1, 6, 21, false};
  EXPECT_EQ(level_of(facts, "containerd-8207"), Level::kOk);
  facts.daemon->replaced = true;
  EXPECT_EQ(level_of(facts, "containerd-replaced"), Level::kWarning);
  facts.created_tasks = {"k8s.io/a"};
  EXPECT_EQ(level_of(facts, "tasks-created"), Level::kWarning);
  facts.config.reset();
  EXPECT_EQ(level_of(facts, "containerd-config"), Level::kProblem);
  facts.daemon.reset();
  EXPECT_EQ(level_of(facts, "containerd-missing"), Level::kProblem);
}

TEST(Findings, RuncsHolesGoByVersionAndLine) {
  NodeFacts facts = sound_node();
  const auto holes = [&facts](const std::string& version) {
    facts.runtimes[0].said = "runc version " + version + "\nlibseccomp: 2.5.4\n";
    std::string all;
    for (const Finding& finding : runtime_findings(facts))
      if (finding.level == Level::kWarning) all += finding.found;
    return all;
  };
  EXPECT_THAT(holes("1.1.5"), HasSubstr("CVE-2024-21626"));
  EXPECT_THAT(holes("1.1.14"), HasSubstr("CVE-2025-31133"));
  EXPECT_THAT(holes("1.3.2"), HasSubstr("CVE-2025-31133"));
  EXPECT_EQ(holes("1.2.8"), "");
  EXPECT_EQ(holes("1.3.3"), "");
  facts.kernel.version = {6, 18, 44, false};
  EXPECT_THAT(holes("1.5.1"), HasSubstr("BPF"));
  EXPECT_EQ(holes("1.5.2"), "");
}

TEST(Findings, AShimThatWasKeptIsNoFaultAndItsUsersAreCounted) {
  NodeFacts facts = sound_node();
  facts.record->phase = Phase::kShimKept;
  facts.cri->handlers = {{"runc", "io.containerd.runc.v2"}};
  facts.use.current = {7, 8};
  EXPECT_EQ(level_of(facts, "handler-unknown"), Level::kOk);
  std::string found;
  for (const Finding& finding : ward_findings(facts))
    if (finding.id == "shim-kept") found = finding.found;
  EXPECT_THAT(found, HasSubstr("processes that run it: 2"));
}

TEST(Findings, DriftOlderShimsAndAMissingShimAreTold) {
  NodeFacts facts = sound_node();
  facts.block = "other";
  EXPECT_EQ(level_of(facts, "drift"), Level::kProblem);
  facts.block.reset();
  EXPECT_EQ(level_of(facts, "drift"), Level::kProblem);
  // containerd 10888
  facts.use.older = {7};
  EXPECT_EQ(level_of(facts, "older-shims"), Level::kWarning);
  facts.shim_there = false;
  EXPECT_EQ(level_of(facts, "shim-missing"), Level::kProblem);
  // rke2 10613
  facts.lost_shims = {"/opt/old/containerd-shim-ward-v1"};
  EXPECT_EQ(level_of(facts, "bundle-without-shim"), Level::kProblem);
  facts.cri->handlers.erase("ward");
  facts.cri->handlers["runc"] = "io.containerd.runc.v2";
  EXPECT_EQ(level_of(facts, "handler-unknown"), Level::kProblem);
  facts.other_shim = "/usr/bin/containerd-shim-ward-v1";
  EXPECT_EQ(level_of(facts, "other-ward"), Level::kProblem);
  facts.record->phase = Phase::kInstalling;
  EXPECT_EQ(level_of(facts, "unfinished"), Level::kProblem);
}

}  // namespace
}  // namespace ward::cli::node
