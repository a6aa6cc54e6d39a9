// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "cli/present/event_text.h"
#include "cli/present/json.h"
#include "cli/present/recording_text.h"
#include "cli/present/style.h"
#include "cli/present/table.h"

namespace ward::cli {
namespace {

// Descriptor -1 is no terminal.
const Style kPlain{-1};

ward::v1::Event violation() {
  ward::v1::Event event;
  event.set_sequence(7);
  event.set_kind("violation");
  event.set_containerd_namespace("default");
  event.set_container("web");
  event.set_syscall("unshare");
  event.add_args(0x10020000);
  event.add_args_text("CLONE_NEWUSER|CLONE_NEWNS");
  event.set_comm("ev\x1b[2Jil\n");
  event.set_pid(42);
  event.set_tid(42);
  event.set_action("quarantine");
  event.set_outcome("quarantined");
  event.set_profile("nginx");
  event.set_profile_digest("0123456789abcdef0123");
  event.set_contained_us(812);
  return event;
}

TEST(EventText, ShowsCallProcessProfileActionAndLatency) {
  const std::string text = event_text(violation(), kPlain);
  for (const char* part : {"unshare(CLONE_NEWUSER|CLONE_NEWNS)", "pid 42", "nginx@0123456789ab", "action quarantine",
                           "frozen after 812 us"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " is not in\n" << text;
  }
}

TEST(EventText, ARecordOfRepeatsNamesNoProcessItDidNotLookAt) {
  ward::v1::Event event = violation();
  event.set_pid(0);
  event.set_repeats(7);
  const std::string text = event_text(event, kPlain);
  EXPECT_NE(text.find("7 more of the same"), std::string::npos);
  EXPECT_EQ(text.find("process"), std::string::npos) << text;
  EXPECT_EQ(text.find("answered after"), std::string::npos) << text;
}

TEST(EventText, I7_ContainerStringsCannotReachTheTerminalRaw) {
  const std::string text = event_text(violation(), kPlain);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_NE(text.find("ev\\x1b[2Jil\\x0a"), std::string::npos);
}

TEST(Table, AlignsColumnsAndEscapesCells) {
  Table table({"A", "LONGER"});
  table.add({"value\x07", "x"});
  table.add({"", "y"});
  EXPECT_EQ(table.text(kPlain), "A          LONGER\nvalue\\x07  x\n-          y\n");
}

TEST(Json, KeepsFieldNamesAndWritesAllFieldsWithNumbersAsNumbers) {
  const std::string json = to_json(violation(), JsonForm::kLine);
  EXPECT_EQ(json.find('\n'), std::string::npos);
  EXPECT_NE(json.find("\"contained_us\":812"), std::string::npos);
  EXPECT_NE(json.find("\"args\":[268566528]"), std::string::npos);
  EXPECT_NE(json.find("\"evidence\":\"\""), std::string::npos);
}

TEST(Json, BytesThatAreNotUtf8AreReplacedAndNeverAnError) {
  ward::v1::NodeStatus status;
  status.set_version("\xff\xfe");
  EXPECT_NE(to_json(status).find("\xef\xbf\xbd"), std::string::npos);
}

TEST(RecordingText, SaysHowMuchIsProbablyUnseenAndWhichLifeEventsAreMissing) {
  ward::v1::Recording recording;
  recording.set_workload("nginx");
  recording.mutable_coverage()->set_estimated(true);
  recording.mutable_coverage()->set_unseen_mass(0.0123);
  recording.mutable_coverage()->set_verdict("not reliable yet");
  recording.mutable_coverage()->add_life_events_missing("graceful-stop");
  const std::string text = recording_text(recording, kPlain);
  for (const char* part : {"1.23 %", "not reliable yet", "graceful-stop"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " is not in\n" << text;
  }
}

TEST(RecordingText, F01_SaysWhatTheOwnFilterRefused) {
  ward::v1::Recording recording;
  EXPECT_EQ(recording_text(recording, kPlain).find("refused"), std::string::npos);
  auto& call = *recording.add_refused();
  call.set_name("io_uring_setup");
  call.set_runs(3);
  call.set_count(7);
  call.set_by_workload(true);
  call.set_dangerous(true);
  const std::string text = recording_text(recording, kPlain);
  EXPECT_NE(text.find("Tried, and refused by the container's own filter\n"), std::string::npos) << text;
  EXPECT_NE(text.find("io_uring_setup  3     7      workload  danger set\n"), std::string::npos) << text;
}

TEST(RecordingText, F33_WithoutGroundForAnEstimateThereIsNone) {
  ward::v1::Recording recording;
  recording.mutable_coverage()->set_verdict("one run only");
  const std::string text = recording_text(recording, kPlain);
  EXPECT_NE(text.find("one run only"), std::string::npos);
  for (const char* part : {"calls in all", "unseen mass", "estimate", "%"}) {
    EXPECT_EQ(text.find(part), std::string::npos) << part << " is in\n" << text;
  }
}

TEST(Style, DurationsAreReadable) {
  EXPECT_EQ(microseconds(812), "812 us");
  EXPECT_EQ(microseconds(3400), "3.4 ms");
  EXPECT_EQ(age(1'000'000'000, 61'000'000'000), "60s");
  EXPECT_EQ(age(0, 5), "-");
}

}  // namespace
}  // namespace ward::cli
