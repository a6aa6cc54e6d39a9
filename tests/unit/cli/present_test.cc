// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <cmath>

#include "cli/present/discovery_text.h"
#include "cli/present/event_text.h"
#include "cli/present/json.h"
#include "cli/present/output.h"
#include "cli/present/recording_text.h"
#include "cli/present/runtime_text.h"
#include "cli/present/sampling_text.h"
#include "cli/present/since.h"
#include "cli/present/style.h"
#include "cli/present/table.h"
#include "tests/support/json_page.h"

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

std::string documented_type(const google::protobuf::FieldDescriptor& field) {
  using google::protobuf::FieldDescriptor;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT64:
    case FieldDescriptor::CPPTYPE_UINT64: return "big integer";
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_UINT32: return "integer";
    case FieldDescriptor::CPPTYPE_DOUBLE: return "number";
    case FieldDescriptor::CPPTYPE_BOOL: return "boolean";
    case FieldDescriptor::CPPTYPE_MESSAGE: return field.message_type()->name();
    default: return "text";
  }
}

test::JsonPage::Fields documented_fields(const google::protobuf::Descriptor& message) {
  test::JsonPage::Fields out;
  for (int i = 0; i < message.field_count(); ++i) {
    const auto& field = *message.field(i);
    out[field.name()] = field.is_map()
                            ? "map of " + documented_type(*field.message_type()->map_value())
                        : field.is_repeated() ? "list of " + documented_type(field)
                                              : documented_type(field);
    const auto at = field.name().rfind("wall_ns");
    if (at != std::string::npos) out[field.name().substr(0, at) + "time"] = "time";
  }
  return out;
}

TEST(EventText, ShowsCallProcessProfileActionAndLatency) {
  const std::string text = event_text(violation(), kPlain);
  for (const char* part : {"unshare(CLONE_NEWUSER|CLONE_NEWNS)", "pid 42", "nginx@0123456789ab",
                           "action quarantine", "frozen after 812 us"}) {
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

TEST(EventText, HostileNamesAreEscapedOnceAndASentenceOfOursKeepsItsLines) {
  ward::v1::Event event = violation();
  event.set_comm("a\\b");
  event.set_exe("/tmp/\x1b]0;x\n/y");
  event.set_reason("two\nlines, and '\\x1b' as it was escaped");
  const std::string text = event_text(event, kPlain);
  EXPECT_NE(text.find("a\\\\b pid 42, /tmp/\\x1b]0;x\\x0a/y\n"), std::string::npos) << text;
  EXPECT_NE(text.find("two\n              lines, and '\\x1b' as"), std::string::npos) << text;
}

TEST(RecordingText, HostileProgramsAreEscapedOnce) {
  ward::v1::Recording recording;
  recording.add_runs()->add_programs("/x\x1b[2J\\");
  const std::string text = recording_text(recording, kPlain);
  EXPECT_NE(text.find("/x\\x1b[2J\\\\\n"), std::string::npos) << text;
}

TEST(SamplingText, SaysHowMuchIsWatchedOrSinceWhenNothingIs) {
  constexpr std::int64_t kNow_ns = 1'790'000'000'000'000'000;
  constexpr std::int64_t kSecond_ns = 1'000'000'000;
  ward::v1::Sampling sampling;
  EXPECT_EQ(sampling_text(sampling, kNow_ns, kPlain), "no container has any");
  sampling.set_containers(14);
  sampling.set_watched_share(0.0033);
  sampling.set_windows(3);
  sampling.set_last_wall_ns(kNow_ns - 12 * kSecond_ns);
  EXPECT_EQ(sampling_text(sampling, kNow_ns, kPlain),
            "watched 0.33 % of the last hour, newest window 12s ago, 14 containers");
  sampling.set_unwatched_wall_ns(kNow_ns - 300 * kSecond_ns);
  const std::string restarted = sampling_text(sampling, kNow_ns, kPlain);
  EXPECT_EQ(restarted.find("not watched for 5m (since 20"), 0U) << restarted;
  EXPECT_NE(restarted.find("14 containers: wardd has just started"), std::string::npos);
  sampling.set_why_not("no \x1b[2JBPF");
  sampling.set_containers(1);
  const std::string refused = sampling_text(sampling, kNow_ns, kPlain);
  EXPECT_NE(refused.find("1 container: no \\x1b[2JBPF"), std::string::npos) << refused;
  EXPECT_EQ(refused.find('\x1b'), std::string::npos);
}

TEST(RuntimeText, SaysWhichItIsAndWhatAnUpgradeChanged) {
  ward::v1::Runtime runtime;
  EXPECT_EQ(runtime_text(runtime, kPlain), "") << "not measured";
  runtime.set_name("runc");
  runtime.set_version("1.3.6");
  runtime.set_sha256("1f0c5a3b9e21ffff");
  for (const char* call : {"read", "openat2", "close_range"}) runtime.add_calls(call);
  EXPECT_EQ(runtime_text(runtime, kPlain), "runc 1.3.6 (sha256:1f0c5a3b9e21) 3 calls");
  runtime.set_since("runc 1.1.5");
  EXPECT_EQ(runtime_text(runtime, kPlain),
            "runc 1.3.6 (sha256:1f0c5a3b9e21) 3 calls; the same since runc 1.1.5");
  runtime.add_gained("close_range");
  runtime.add_gained("openat2");
  runtime.add_lost("readlink");
  EXPECT_EQ(runtime_text(runtime, kPlain),
            "runc 1.3.6 (sha256:1f0c5a3b9e21) 3 calls; +close_range +openat2 -readlink since runc "
            "1.1.5");
  runtime.clear_version();
  EXPECT_EQ(runtime_title(runtime), "runc (sha256:1f0c5a3b9e21)");
}

TEST(RuntimeText, I7_WhatABinarySaysOfItselfCannotReachTheTerminalRaw) {
  ward::v1::Runtime runtime;
  runtime.set_name("ru\x1b[2Jnc");
  runtime.set_sha256("1f");
  runtime.set_since("a\x1b[2J");
  EXPECT_EQ(runtime_text(runtime, kPlain).find('\x1b'), std::string::npos);
}

TEST(RecordingText, SaysWhatWasMeasuredOfTheRuntimeWhereSomethingWas) {
  ward::v1::Recording recording;
  EXPECT_EQ(recording_text(recording, kPlain).find("measured"), std::string::npos);
  recording.mutable_runtime()->set_name("runc");
  recording.mutable_runtime()->set_sha256("1f0c5a3b9e21ffff");
  EXPECT_NE(recording_text(recording, kPlain)
                .find("Runtime of the node, measured  runc (sha256:1f0c5a3b9e21) 0 calls\n"),
            std::string::npos);
}

TEST(EventText, ArgumentsAreShownOnlyAsManyAsTheCallHas) {
  ward::v1::Event event;
  event.set_syscall("accept4");
  for (int i = 1; i <= 6; ++i) event.add_args(static_cast<std::uint64_t>(i));
  EXPECT_NE(event_text(event, kPlain).find("accept4(0x1, 0x2, 0x3, 0x4)"), std::string::npos);
  event.set_syscall("getpid");
  EXPECT_NE(event_text(event, kPlain).find("getpid()"), std::string::npos);
  event.set_syscall("syscall_999");
  EXPECT_NE(event_text(event, kPlain).find("0x6)"), std::string::npos)
      << "what is not known is not cut";
}

TEST(Table, AlignsColumnsAndEscapesCells) {
  Table table({"A", "LONGER"});
  table.add({"value\x07", "x"});
  table.add({"", "y"});
  EXPECT_EQ(table.text(kPlain), "A          LONGER\nvalue\\x07  x\n-          y\n");
}

TEST(Json, F30_KeepsFieldNamesAndWritesAllFieldsWith64BitsAsText) {
  ward::v1::Event event = violation();
  event.add_args(18446744073709551615ULL);
  const std::string json = to_json(event, JsonForm::kLine);
  EXPECT_EQ(json.find('\n'), json.size() - 1);
  for (const char* part :
       {R"("schema":"ward.dev/v1/Event")", R"("contained_us":"812")",
        R"("args":["268566528","18446744073709551615"])", R"("evidence":"")", R"("pid":42)"}) {
    EXPECT_NE(json.find(part), std::string::npos) << part << " is not in " << json;
  }
}

TEST(Json, F30_ATimeIsAlsoWrittenAsRfc3339AndEmptyWhereThereIsNone) {
  ward::v1::Event event = violation();
  EXPECT_NE(to_json(event, JsonForm::kLine).find(R"("wall_ns":"0","time":"")"), std::string::npos);
  event.set_wall_ns(1'764'358'345'000'000'042);
  EXPECT_NE(to_json(event, JsonForm::kLine).find(R"("time":"2025-11-28T19:32:25.000000042Z")"),
            std::string::npos);
  ward::v1::NodeStatus status;
  status.set_started_wall_ns(1);
  EXPECT_NE(
      to_json(status, JsonForm::kLine).find(R"("started_time":"1970-01-01T00:00:00.000000001Z")"),
      std::string::npos);
}

TEST(Json, F30_AMapIsAnObjectAndNumbersThatJsonHasNoWordForAreText) {
  ward::v1::NodeStatus status;
  (*status.mutable_expired())["age"] = 9007199254740993ULL;
  EXPECT_NE(to_json(status, JsonForm::kLine).find(R"("expired":{"age":"9007199254740993"})"),
            std::string::npos);
  ward::v1::Coverage coverage;
  coverage.set_unseen_mass(std::nan(""));
  EXPECT_NE(to_json(coverage, JsonForm::kLine).find(R"("unseen_mass":"NaN")"), std::string::npos);
}

// What is not on the page is nobody's contract, and what is on it and gone breaks programs.
TEST(Json, F30_ThePageHasEveryMessageOfTheApiWithItsFieldsAndTypes) {
  const test::JsonPage page;
  const auto& file = *ward::v1::Event::descriptor()->file();
  for (int i = 0; i < file.message_type_count(); ++i) {
    const auto& message = *file.message_type(i);
    const std::string name = message.name();
    if (name.size() > 7 && name.compare(name.size() - 7, 7, "Request") == 0) continue;
    ASSERT_EQ(page.tables().count(name), 1U) << "docs/json.md has no table '## " << name << "'";
    test::JsonPage::Fields expected = documented_fields(message);
    if (page.tables().at(name).count("schema") != 0) expected["schema"] = "text";
    for (const auto& [field, type] : expected) {
      EXPECT_TRUE(page.tables().at(name).count(field) != 0 &&
                  page.tables().at(name).at(field) == type)
          << "add to '## " << name << "' of docs/json.md: | " << field << " | " << type
          << " | what it means |";
    }
    for (const auto& [field, type] : page.tables().at(name)) {
      EXPECT_TRUE(expected.count(field) != 0)
          << name << " of docs/json.md has '" << field << "', and the API does not";
    }
  }
}

TEST(Json, BytesThatAreNotUtf8AreReplacedAndNeverAnErrorAndOnlyAsciiIsPrinted) {
  ward::v1::NodeStatus status;
  status.set_version("\xff\xfe \xc2\x9b \x7f \x1b[2J");
  EXPECT_NE(to_json(status).find("\"\\ufffd\\ufffd \\u009b \\u007f \\u001b[2J\""),
            std::string::npos)
      << to_json(status);
}

TEST(RecordingText, SaysHowMuchIsProbablyUnseenAndWhichLifeEventsAreMissing) {
  ward::v1::Recording recording;
  recording.set_workload("nginx");
  recording.mutable_coverage()->set_estimated(true);
  recording.mutable_coverage()->set_new_in_a_second_at_most(0.0123);
  recording.mutable_coverage()->set_verdict("not reliable yet");
  recording.mutable_coverage()->add_life_events_missing("stop by TERM");
  const std::string text = recording_text(recording, kPlain);
  for (const char* part : {"1.23 %", "not reliable yet", "never seen   stop by TERM"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " is not in\n" << text;
  }
}

ward::v1::Coverage two_runs() {
  ward::v1::Coverage c;
  const auto add = [&c](std::uint64_t at_ms, std::uint32_t calls) {
    auto* const step = c.add_discovery();
    step->set_at_ms(at_ms);
    step->set_calls(calls);
  };
  add(0, 30);
  add(30'000, 60);
  c.set_recorded_ms(60'000);
  c.set_found_late(1);
  for (const std::uint32_t added : {59U, 1U}) {
    auto* const run = c.add_runs();
    run->set_length_ms(30'000);
    run->set_added(added);
  }
  return c;
}

TEST(DiscoveryText, TheCurveRisesWhereCallsWereFoundAndSaysWhichRunFoundThem) {
  const std::string half(30, '#'), whole(60, '#'), blank(30, ' ');
  EXPECT_EQ(discovery_text(two_runs()),
            "     60 |" + blank + half + "\n" + "        |" + blank + half + "\n" + "        |" +
                blank + half + "\n" + "        |" + whole + "\n" + "        |" + whole + "\n" +
                "        |" + whole + "\n" + "        +" + std::string(60, '-') + "\n" +
                "         0" + std::string(55, ' ') + "60 s\n" +
                "  new by run   59 (30 s), +1 (30 s)\n"
                "  new late     1 in the second half of the recorded "
                "time\n");
  EXPECT_EQ(discovery_text({}), "");
}

TEST(DiscoveryText, ThePictureEscapesTheNameAndDrawsEveryStep) {
  const std::string svg = discovery_svg("<b>&\"web", two_runs());
  EXPECT_NE(svg.find("&lt;b&gt;&amp;&quot;web: 60 calls in 60 s of 2 runs"), std::string::npos);
  EXPECT_EQ(svg.find("<b>"), std::string::npos);
  EXPECT_NE(svg.find("H60.0 V160.0 H340.0 V50.0 H620.0"), std::string::npos) << svg;
  EXPECT_NE(svg.find("class=\"run\" x1=\"340.0\""), std::string::npos);
  EXPECT_NE(discovery_svg("web", {}).find("0 calls in 0 s of 0 runs"), std::string::npos);
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
  EXPECT_NE(text.find("Tried, and refused by the container's own filter\n"), std::string::npos)
      << text;
  EXPECT_NE(text.find("io_uring_setup  3     7      workload  danger set\n"), std::string::npos)
      << text;
}

TEST(RecordingText, F24_SaysHowItStoppedAndWhoSentSignals) {
  ward::v1::Recording recording;
  auto& run = *recording.add_runs();
  run.set_id("r1");
  run.set_ended_wall_ns(1);
  run.set_stop("by QUIT, 12 ms after it");
  recording.add_runs()->set_ended_wall_ns(1);
  auto& event = *recording.mutable_coverage()->add_life_events();
  event.set_event("stop by QUIT");
  event.set_times(3);
  auto& signal = *recording.add_signals();
  signal.set_name("QUIT");
  signal.set_to("first");
  signal.set_from("outside");
  signal.set_delivered(3);
  const std::string text = recording_text(recording, kPlain);
  for (const char* part :
       {"by QUIT, 12 ms after it", "not known", "life seen    stop by QUIT (3)\n",
        "QUIT    first process  outside  3          0"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " is not in\n" << text;
  }
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

TEST(Output, F22_TheErrorOfAnEarlierWriteIsNotLostAndNothingIsWrittenAfterIt) {
  Output full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  full.print(std::string(1U << 20U, 'x'));
  EXPECT_NE(full.flush().error().message.find("No space left"), std::string::npos);
  full.print("more");
  EXPECT_FALSE(full.flush());
  EXPECT_FALSE(full.close());
}

TEST(Since, F28_IsADurationAgoOrAMoment) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  constexpr std::int64_t kNow = 1'764'358'345 * kSecond;
  EXPECT_EQ(parse_since("90s", kNow).value(), kNow - 90 * kSecond);
  EXPECT_EQ(parse_since("2d", kNow).value(), kNow - 2 * 86'400 * kSecond);
  EXPECT_EQ(parse_since("2025-11-28T19:32:25Z", kNow).value(), kNow);
  EXPECT_EQ(parse_since("2025-11-28T19:32:25.123456789Z", kNow).value(), kNow);
  EXPECT_TRUE(parse_since("2025-11-28 19:32:25", kNow));
  EXPECT_TRUE(parse_since("2025-11-28", kNow));
  for (const char* bad :
       {"", "m", "10", "-5m", "10x", "99999999999999999999d", "2025-11-28T19:32:25", "yesterday",
        "2025-13-28T19:32:25Z", "2025-11-28T19:32:25Zx"}) {
    EXPECT_FALSE(parse_since(bad, kNow)) << bad;
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
