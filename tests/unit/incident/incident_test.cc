// SPDX-License-Identifier: Apache-2.0
#include "cli/incident/incident.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "cli/incident/incident_json.h"
#include "lib/base/digest.h"
#include "profiles/techniques/techniques.h"
#include "tests/support/json_page.h"
#include "tests/support/sample_incidents.h"

namespace ward::cli {
namespace {

namespace fs = std::filesystem;
using test::everyday_incident;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

TEST(Incident, IsAViolationThatWasContainedOrHasEvidence) {
  ward::v1::Event event;
  event.set_kind("violation");
  event.set_outcome("denied");
  EXPECT_FALSE(is_incident(event));
  event.set_evidence("/x");
  EXPECT_TRUE(is_incident(event));
  event.set_evidence("");
  for (const char* outcome : {"quarantined; no evidence: full", "killed: it did not freeze"}) {
    event.set_outcome(outcome);
    EXPECT_TRUE(is_incident(event)) << outcome;
  }
  event.set_kind("quarantined");
  EXPECT_FALSE(is_incident(event)) << "that event tells of the container";
}

TEST(Incident, HowItStandsIsWhatTheContainerIsNow) {
  Incident incident = everyday_incident();
  EXPECT_EQ(containment_of(incident), Containment::kQuarantined);
  incident.container->set_state("RUNNING");
  EXPECT_EQ(containment_of(incident), Containment::kReleased);
  incident.container->set_state("STOPPED");
  EXPECT_EQ(containment_of(incident), Containment::kGone);
  incident.event.set_outcome("killed");
  EXPECT_EQ(containment_of(incident), Containment::kKilled);
  incident.container->set_state("RUNNING");
  EXPECT_EQ(containment_of(incident), Containment::kNotContained);
}

TEST(Incident, ItsTimesAreThoseOfTheEvidenceElseThoseOfTheEvent) {
  Incident incident = everyday_incident();
  EXPECT_EQ(timeline_of(incident)[1].at_ns, 618'000);
  incident.bundle.evidence.timeline = {{900'000'000'500, "second"}, {900'000'000'000, "first"}};
  const auto moments = timeline_of(incident);
  ASSERT_THAT(moments, SizeIs(2));
  EXPECT_EQ(moments[0].what, "first");
  EXPECT_EQ(moments[0].at_ns, 0);
  EXPECT_EQ(moments[1].at_ns, 500) << "from the first on, whatever clock it is";
}

TEST(Incident, TimesThatCannotBeOverflowNothing) {
  Incident incident = everyday_incident();
  incident.bundle.evidence.timeline = {{INT64_MIN, "a"}, {INT64_MAX, "b"}};
  EXPECT_GT(timeline_of(incident).back().at_ns, 0);
}

TEST(Incident, RelatedOnesAreCountedByCallAndProfileAndThisOneComesFirst) {
  ward::v1::Event event = everyday_incident().event;
  std::vector<ward::v1::Event> events(3, event);
  events[1].set_container("other");
  events[1].set_repeats(9);
  events[2].set_syscall("mount");
  ward::v1::Event foreign = event;
  foreign.set_profile("else");
  foreign.set_container("elsewhere");
  events.push_back(foreign);
  const auto groups = group_related(events, event);
  ASSERT_THAT(groups, SizeIs(2)) << "nothing of another profile and container";
  EXPECT_EQ(groups[0].syscall, "unshare");
  EXPECT_TRUE(groups[0].same_call);
  EXPECT_EQ(groups[0].calls, 11U);
  EXPECT_EQ(groups[0].containers_in_all, 2U);
  EXPECT_EQ(groups[1].syscall, "mount");
}

TEST(Incident, ACommandIsOfferedOnlyWhereAShellTakesItAsItStands) {
  Incident incident = everyday_incident();
  incident.event.set_container("x; reboot");
  incident.event.set_profile("-o");
  incident.event.set_evidence("/a b");
  for (const NextStep& step : next_steps(incident))
    EXPECT_THAT(step.command, HasSubstr("ward why a7e928162e5b788debe5-1"));
}

TEST(Incident, F30_ItsJsonIsAsThePageOfJsonSays) {
  for (const Incident& incident : {everyday_incident(), test::hostile_incident()}) {
    const auto json = parse_json_or_throw<nlohmann::json>(to_json(incident).dump());
    EXPECT_EQ(test::JsonPage().why_not(json), "") << json.dump(1).substr(0, 3000);
  }
}

TEST(Incident, SaysWhenTheRunsThatAreKeptMadeTheCall) {
  ward::v1::Recording recording;
  EXPECT_EQ(recorded_sentence(recording, "accept"), "");
  recording.add_runs()->set_started_wall_ns(1'790'000'000'000'000'000);
  auto& seen = *recording.add_syscalls();
  seen.set_name("accept");
  seen.set_runs(1);
  seen.set_count(7);
  seen.set_first_seen_ms(12);
  EXPECT_THAT(recorded_sentence(recording, "accept"),
              HasSubstr("recorded in 1 of the 1 runs that are kept, from "));
  EXPECT_THAT(recorded_sentence(recording, "accept"),
              HasSubstr("7 times, first 12 ms after a start"));
  EXPECT_THAT(recorded_sentence(recording, "mount"), HasSubstr("recorded in none of the 1 runs"));
}

TEST(Techniques, AreFoundByTheCallAndByTheArgumentThatDecides) {
  const auto ids = [](std::string_view call, std::vector<std::uint64_t> args) {
    std::vector<std::string> found;
    for (const profiles::Technique& technique : profiles::techniques_of(call, args))
      found.emplace_back(technique.id);
    return found;
  };
  EXPECT_THAT(ids("unshare", {}), ElementsAre("T1611"));
  EXPECT_THAT(ids("finit_module", {}), ElementsAre("T1547.006", "T1014"));
  EXPECT_THAT(ids("socket", {38, 5, 0}), ElementsAre("T1068"));
  EXPECT_THAT(ids("socket", {2, 1, 0}), ElementsAre("T1071"));
  EXPECT_THAT(ids("socket", {2, 0x80003, 0}), ElementsAre("T1095"));
  EXPECT_THAT(ids("clone", {0x10000000}), ElementsAre("T1611"));
  EXPECT_THAT(ids("clone", {0x11}), ElementsAre("T1059"));
  EXPECT_THAT(ids("read", {}), ElementsAre());
}

TEST(ParseEvidence, TakesWhatIsThereAndLeavesOutWhatIsOfAnotherKind) {
  const auto taken = parse_evidence(test::everyday_evidence());
  ASSERT_TRUE(taken) << taken.error().message;
  EXPECT_THAT(taken->chain, SizeIs(2));
  EXPECT_EQ(taken->arguments.front().text, "CLONE_NEWUSER|CLONE_NEWNS");
  EXPECT_EQ(taken->stack.front().symbol, "unshare");
  EXPECT_EQ(taken->changed_files.front().bytes, 8192U);
  const auto odd = parse_evidence(
      R"({"violation": [], "offender_and_ancestors": {"pid": 1}, "processes": [1, null, "x", {}],
          "stack": "none", "timeline": [{"at_ns": "soon"}], "processes_in_all": -5,
          "changed_files": [{"bytes": 1e300, "path": {"a": 1}}], "took_ns": 18446744073709551615})");
  ASSERT_TRUE(odd) << odd.error().message;
  EXPECT_THAT(odd->processes, SizeIs(4));
  EXPECT_EQ(odd->processes_in_all, 0U);
  EXPECT_EQ(odd->changed_files.front().path, "");
}

TEST(ParseEvidence, I7_RefusesWhatIsTooDeepTooManyOrNoJson) {
  EXPECT_FALSE(parse_evidence(""));
  EXPECT_FALSE(parse_evidence("[1]"));
  EXPECT_FALSE(parse_evidence("{\"a\": \"\xff\"}"));
  EXPECT_FALSE(parse_evidence("{\"a\": " + std::string(100'000, '[')));
  EXPECT_FALSE(parse_evidence("{\"a\":" + std::string(100, '[') + std::string(100, ']') + "}"));
  std::string many = "{\"a\": [0";
  for (std::size_t i = 0; i < kMaxEvidenceValues; ++i) many += ",0";
  EXPECT_FALSE(parse_evidence(many + "]}"));
}

class ReadBundle : public testing::Test {
 protected:
  void SetUp() override { fs::create_directory(directory_); }
  void TearDown() override { fs::remove_all(directory_); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(directory_ / name) << text;
  }
  fs::path directory_ = fs::temp_directory_path() / ("ward-bundle-" + random_hex(6));
};

TEST_F(ReadBundle, ReadsWhatLiesThereAndSaysWhetherItIsSealed) {
  write("evidence.json", test::everyday_evidence());
  write("mounts.txt", "m\n");
  Bundle bundle = read_bundle(directory_);
  EXPECT_FALSE(bundle.complete);
  EXPECT_THAT(bundle.notes.front(), HasSubstr("incomplete"));
  EXPECT_THAT(bundle.evidence.chain, SizeIs(2));
  write("SHA256SUMS", "");
  write("sockets.txt", "");
  bundle = read_bundle(directory_);
  EXPECT_TRUE(bundle.complete);
  EXPECT_THAT(bundle.notes, SizeIs(0));
}

TEST_F(ReadBundle, I7_FollowsNoLinkWaitsForNoPipeAndShowsNoHugeFile) {
  write("SHA256SUMS", "");
  fs::create_symlink("/etc/passwd", directory_ / "mounts.txt");
  ASSERT_EQ(::mkfifo((directory_ / "sockets.txt").c_str(), 0600), 0);
  write("evidence.json", "");
  fs::resize_file(directory_ / "evidence.json", kMaxEvidenceBytes + 1);
  const Bundle bundle = read_bundle(directory_);
  EXPECT_EQ(bundle.mounts + bundle.sockets + bundle.json, "");
  EXPECT_THAT(bundle.notes, SizeIs(3));
  const fs::path link = directory_.string() + "-link";
  fs::create_symlink(directory_, link);
  EXPECT_FALSE(read_bundle(link).found);
  fs::remove(link);
  EXPECT_THAT(read_bundle("/nowhere/\x1b").notes.front(), HasSubstr("/nowhere/\\x1b"));
}

TEST(ParseEvidence, ANameOfAPackageDoesNotDisplaceTheVerdict) {
  const std::string name = std::string(2000, 'a') + "; its md5, a weak digest, agrees";
  const auto taken = parse_evidence(
      R"({"maps": [{"path": "/x", "package_digest": "md5", "package_agrees": false,)"
      R"( "package_changed": true, "package": ")" +
      name + R"("}, {"path": "/y", "package": "libc6", "package_changed": false}]})");
  ASSERT_TRUE(taken) << taken.error().message;
  EXPECT_EQ(taken->maps[0].package,
            "md5 DIFFERS (a weak digest), the database was CHANGED in the container: " +
                std::string(64, 'a') + "...");
  EXPECT_EQ(taken->maps[1].package, "without a digest: libc6");
  const auto unknown =
      parse_evidence(R"({"maps": [{"path": "/x", "package": "libc6", "package_changed": null}]})");
  ASSERT_TRUE(unknown);
  EXPECT_THAT(unknown->maps[0].package, testing::HasSubstr("is not known: libc6"));
}

}  // namespace
}  // namespace ward::cli
