// SPDX-License-Identifier: Apache-2.0
// What `ward record` makes of its words, and what it shows of a recording that grows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/present/discovery.h"
#include "cli/record_words.h"

namespace ward::cli {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(RecordWords, ALengthIsSecondsToADay) {
  EXPECT_EQ(parse_length("60s").value(), seconds(60));
  EXPECT_EQ(parse_length("5m").value(), seconds(300));
  EXPECT_EQ(parse_length("24h").value(), seconds(86400));
  for (const char* wrong : {"", "60", "s", "0s", "-1s", "25h", "1d", "5 m", "99999999999s"})
    EXPECT_FALSE(parse_length(wrong)) << wrong;
}

TEST(RecordWords, APatternNamesItsWorkload) {
  EXPECT_EQ(workload_of({"web-1"}), "web-1");
  EXPECT_EQ(workload_of({"web-*"}), "web");
  EXPECT_EQ(workload_of({"shop/web-*"}), "web");
  EXPECT_EQ(workload_of({"shop/cart/app"}), "app");
  for (const std::vector<std::string>& none :
       {std::vector<std::string>{}, {"*"}, {"a", "b"}, {"*web"}, {"Web-*"}})
    EXPECT_EQ(workload_of(none), "");
}

TEST(RecordWords, OnlyAStarMeansWhatIsNotThereYet) {
  EXPECT_TRUE(are_literal({"a", "b/c"}));
  EXPECT_FALSE(are_literal({"a", "b/c*"}));
}

ward::v1::SeenSyscall call(const std::string& name, bool workload, bool exec) {
  ward::v1::SeenSyscall out;
  out.set_name(name);
  out.set_count(3);
  out.set_by_workload(workload);
  out.set_by_exec(exec);
  return out;
}

TEST(Discovery, ACallIsNewOnceForEachWhoMakesIt) {
  Discovery known;
  ward::v1::Recording recording;
  *recording.add_syscalls() = call("read", true, false);
  EXPECT_THAT(known.look(recording, 0), ElementsAre(NewCall{"read", "workload", 3, false}));
  EXPECT_THAT(known.look(recording, 1), IsEmpty());
  *recording.mutable_syscalls(0) = call("read", true, true);
  EXPECT_THAT(known.look(recording, 2), ElementsAre(NewCall{"read", "exec", 3, false}));
  EXPECT_EQ(known.calls(), 1U);
}

TEST(Discovery, TheCurveIsFlatWhereNothingNewComes) {
  Discovery known;
  ward::v1::Recording recording;
  EXPECT_EQ(known.curve(1), "");
  *recording.add_syscalls() = call("read", true, false);
  known.look(recording, 0);
  for (const char* name : {"a", "b", "c", "d", "e", "f", "g"})
    *recording.add_syscalls() = call(name, true, false);
  known.look(recording, 6);
  EXPECT_EQ(known.curve(10, 4), "▂▂██");
}

TEST(Discovery, TheSummarySaysWhatWasNotExercised) {
  Discovery known;
  ward::v1::Recording recording;
  *recording.add_syscalls() = call("read", true, false);
  recording.mutable_coverage()->add_life_events_missing("exec");
  recording.mutable_coverage()->add_life_events_missing("stop by TERM");
  known.look(recording, 0);
  EXPECT_THAT(known.summary(12), HasSubstr("1 call "));
  EXPECT_THAT(known.summary(12),
              HasSubstr("the last new one 12 s ago; not exercised yet: exec, stop by TERM"));
}

TEST(Discovery, ALineIsCutBetweenCharacters) {
  EXPECT_EQ(cut_to_columns("▂▂██ x", 3), "▂▂█");
  EXPECT_EQ(cut_to_columns("ab", 5), "ab");
  EXPECT_EQ(cut_to_columns("", 5), "");
}

TEST(Discovery, NewCallsFillLinesAndAreNamedByWhoMadeThem) {
  std::vector<NewCall> calls(40, NewCall{"clock_gettime", "workload", 12, false});
  calls.push_back({"read", "exec", 1, false});
  const std::string text = new_calls_text(calls, 3.21, Style(-1));
  EXPECT_THAT(text, HasSubstr("  +3.2s  workload  clock_gettime x12, "));
  EXPECT_THAT(text, HasSubstr("  +3.2s  exec  read x1\n"));
  std::size_t longest = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    longest = std::max(longest, end - at);
    at = end + 1;
  }
  EXPECT_LE(longest, 80U);
  EXPECT_EQ(new_calls_text({}, 1, Style(-1)), "");
}

}  // namespace
}  // namespace ward::cli
