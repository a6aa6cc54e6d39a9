// SPDX-License-Identifier: Apache-2.0
#include "shim/supervisor/phase.h"

#include <gtest/gtest.h>

namespace ward::shim::supervisor {
namespace {

using std::chrono::milliseconds;
constexpr std::int64_t kMs = 1'000'000;

TEST(Phase, TheFirstContinuedExecveEndsTheRuntimeLayerAndNothingElseDoes) {
  PhaseTracker phase(Origin::kWorkload, milliseconds(100), milliseconds(1000));
  phase.boot_call_seen(5);
  EXPECT_FALSE(phase.next_change_ns());
  EXPECT_FALSE(phase.advance(1'000'000 * kMs));
  EXPECT_EQ(phase.current(), Phase::kRuntime);
  phase.execve_continued(10 * kMs);
  EXPECT_EQ(phase.current(), Phase::kBoot);
}

TEST(Phase, BootEndsWhenQuiet) {
  PhaseTracker phase(Origin::kWorkload, milliseconds(100), milliseconds(1000));
  phase.execve_continued(0);
  phase.boot_call_seen(50 * kMs);
  EXPECT_EQ(phase.next_change_ns(), 150 * kMs);
  EXPECT_FALSE(phase.advance(149 * kMs));
  EXPECT_TRUE(phase.advance(150 * kMs));
  EXPECT_EQ(phase.current(), Phase::kServing);
}

TEST(Phase, BootEndsAtTheLatestEvenWhenNeverQuiet) {
  PhaseTracker phase(Origin::kWorkload, milliseconds(100), milliseconds(1000));
  phase.execve_continued(0);
  phase.boot_call_seen(990 * kMs);
  EXPECT_EQ(phase.next_change_ns(), 1000 * kMs);
  EXPECT_TRUE(phase.advance(1000 * kMs));
}

TEST(Phase, ServingNeverGoesBack) {
  PhaseTracker phase(Origin::kWorkload, milliseconds(1), milliseconds(1));
  phase.execve_continued(0);
  EXPECT_TRUE(phase.advance(kMs));
  phase.execve_continued(2 * kMs);
  phase.boot_call_seen(2 * kMs);
  EXPECT_EQ(phase.current(), Phase::kServing);
  EXPECT_FALSE(phase.next_change_ns());
}

TEST(Phase, AnExecSessionHasItsOwnPhaseForGood) {
  PhaseTracker phase(Origin::kExec, milliseconds(1), milliseconds(1));
  phase.execve_continued(0);
  EXPECT_EQ(phase.current(), Phase::kExec);
  EXPECT_FALSE(phase.advance(1000 * kMs));
  EXPECT_EQ(phase.current(), Phase::kExec);
}

}  // namespace
}  // namespace ward::shim::supervisor
