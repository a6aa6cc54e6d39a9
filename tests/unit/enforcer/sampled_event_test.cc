// SPDX-License-Identifier: Apache-2.0
// The event of a call that a sampled window saw.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include "enforcer/sampling.h"
#include "lib/base/utf8.h"

namespace ward::enforcer {
namespace {

recorder::SampledCall call() {
  recorder::SampledCall out;
  out.nr = SYS_fcntl;
  out.args = {7, F_GETFL, 0, 1, 2, 3};
  out.count = 40;
  out.pid = 12;
  out.tid = 13;
  out.comm = "web";
  return out;
}

Watched in(const std::string& digest) {
  return {{"k8s", "a"},
          "web",
          filter::Phase::kServing,
          std::make_shared<Law>(Law{digest, profiles::FreeCalls(), {}})};
}

TEST(SampledEvent, IsNoViolationAndSaysWhoDidWhat) {
  node::v1::ContainerStatus status;
  status.mutable_identity()->set_pod("web-0");
  status.set_mode(node::v1::MODE_ENFORCE);
  const JournalEntry event = sampled_event(call(), 1, in("d1"), status, "/usr/bin/web");
  EXPECT_EQ(event.kind, EventKind::kTolerated);
  EXPECT_TRUE(event.body.tolerated());
  EXPECT_EQ(event.body.identity().container_id(), "a");
  EXPECT_EQ(event.body.identity().pod(), "web-0");
  EXPECT_EQ(event.body.syscall(), "fcntl");
  EXPECT_EQ(event.body.args_size(), 6);
  EXPECT_EQ(event.body.args_text_size(), 3) << "as many as the call has";
  EXPECT_EQ(event.body.repeats(), 39U);
  EXPECT_EQ(event.body.phase(), node::v1::PHASE_SERVING);
  EXPECT_EQ(event.body.profile_digest(), "d1");
  EXPECT_EQ(event.body.exe(), "/usr/bin/web");
  EXPECT_EQ(event.body.event_id().find('-'), std::string::npos) << "else it is some shim's account";
}

TEST(SampledEvent, I4_TheSameCallHasOneIdWhoeverMadeItAndAnotherVersionHasAnother) {
  const auto id = [](const recorder::SampledCall& made, std::size_t way, const char* digest) {
    return sampled_event(made, way, in(digest), {}, "").body.event_id();
  };
  recorder::SampledCall again = call(), session = call();
  again.pid = 99;
  again.count = 1;
  session.exec = true;
  EXPECT_EQ(id(call(), 0, "d1"), id(again, 0, "d1"));
  EXPECT_NE(id(call(), 0, "d1"), id(call(), 1, "d1"));
  EXPECT_NE(id(call(), 0, "d1"), id(call(), 0, "d2"));
  EXPECT_NE(id(call(), 0, "d1"), id(session, 0, "d1"));
}

TEST(SampledEvent, I7_WhatTheContainerChoseIsTextAndBounded) {
  recorder::SampledCall hostile = call();
  hostile.comm = "\xff\x1b[2J";
  const JournalEntry event =
      sampled_event(hostile, 0, in("d1"), {}, std::string(100'000, 'x') + "\xfe");
  EXPECT_TRUE(is_utf8(event.body.comm()));
  EXPECT_LE(event.body.exe().size(), 1024U);
}

}  // namespace
}  // namespace ward::enforcer
