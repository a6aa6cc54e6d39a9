// SPDX-License-Identifier: Apache-2.0
#include "shim/task/process_state.h"

#include <gtest/gtest.h>

#include <vector>

namespace ward::shim::task {
namespace {

using S = ProcessState;
using P = ProcessStep;

const std::vector<S> kStates = {S::kAdded,  S::kCreated, S::kRunning, S::kPausing,
                                S::kPaused, S::kStopped, S::kDeleted};
const std::vector<P> kSteps = {P::kCreate, P::kStart, P::kPause,  P::kPaused, P::kResume,
                               P::kExec,   P::kExit,  P::kDelete, P::kUpdate};

TEST(ProcessState, AContainerLivesFromCreateToDelete) {
  S state = S::kAdded;
  for (const auto& [step, expected] : std::vector<std::pair<P, S>>{{P::kCreate, S::kCreated},
                                                                   {P::kStart, S::kRunning},
                                                                   {P::kPause, S::kPausing},
                                                                   {P::kPaused, S::kPaused},
                                                                   {P::kResume, S::kRunning},
                                                                   {P::kExit, S::kStopped},
                                                                   {P::kDelete, S::kDeleted}}) {
    const auto next = next_state(state, step);
    ASSERT_TRUE(next.has_value());
    EXPECT_EQ(*next, expected);
    state = *next;
  }
}

TEST(ProcessState, AnythingThatIsNotDeletedMayEnd) {
  for (const S state : kStates)
    EXPECT_EQ(next_state(state, P::kExit).has_value(), state != S::kDeleted);
}

TEST(ProcessState, NothingLeavesDeletedAndTheRefusalIsNotFound) {
  for (const P step : kSteps) {
    const auto next = next_state(S::kDeleted, step);
    ASSERT_FALSE(next.has_value());
    EXPECT_EQ(next.error().code, Code::kNotFound);
    EXPECT_EQ(next.error().message, "container not created");
  }
}

TEST(ProcessState, RefusalsAreFailedPreconditionsWithTheTextsClientsKnow) {
  const struct {
    S state;
    P step;
    const char* text;
  } cases[] = {{S::kRunning, P::kStart, "cannot start a running process"},
               {S::kRunning, P::kDelete, "cannot delete a running process"},
               {S::kPaused, P::kDelete, "cannot delete a paused process"},
               {S::kCreated, P::kPause, "cannot pause task in created state"},
               {S::kCreated, P::kResume, "cannot resume task in created state"},
               {S::kStopped, P::kUpdate, "cannot update a stopped container"},
               {S::kPaused, P::kExec, "cannot exec in a paused state"},
               {S::kStopped, P::kExec, "cannot exec in a stopped container"},
               {S::kStopped, P::kStart, "cannot start a stopped process"}};
  for (const auto& c : cases) {
    const auto next = next_state(c.state, c.step);
    ASSERT_FALSE(next.has_value()) << c.text;
    EXPECT_EQ(next.error().code, Code::kFailedPrecondition);
    EXPECT_EQ(next.error().message, c.text);
  }
}

}  // namespace
}  // namespace ward::shim::task
