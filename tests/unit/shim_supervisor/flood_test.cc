// SPDX-License-Identifier: Apache-2.0
#include "shim/supervisor/flood.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>

namespace ward::shim::supervisor {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

TEST(DetailLimiter, IdenticalCallsWithinASecondFoldIntoOneSummary) {
  DetailLimiter limiter;
  const CallKey call{.tid = 7, .nr = 272, .args = {1}};
  EXPECT_TRUE(limiter.wants_detail(call, {}, 0));
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(limiter.wants_detail(call, {}, i));
  EXPECT_TRUE(limiter.take_summaries(kSecond / 2).empty());
  EXPECT_EQ(limiter.next_summary_ns(), kSecond);
  const auto summaries = limiter.take_summaries(kSecond);
  ASSERT_EQ(summaries.size(), 1U);
  EXPECT_TRUE(summaries[0].identical);
  EXPECT_EQ(summaries[0].count, 5U);
  EXPECT_FALSE(limiter.next_summary_ns());
}

TEST(DetailLimiter, I4_EveryCallOfAFloodIsADetailOrInASummary) {
  DetailLimiter limiter;
  std::uint64_t details = 0;
  std::uint64_t summed = 0;
  constexpr std::uint64_t kCalls = 300'000;
  for (std::uint64_t i = 0; i < kCalls; ++i) {
    const auto now = static_cast<std::int64_t>(i) * kSecond / 1000;
    if (limiter.wants_detail(
            {.tid = static_cast<pid_t>(i % 977), .nr = static_cast<int>(i % 700), .args = {i % 13}},
            {}, now)) {
      ++details;
    }
    if (i % 1000 == 0) {
      for (const auto& s : limiter.take_summaries(now)) summed += s.count;
    }
  }
  for (const auto& s : limiter.take_summaries(0, true)) summed += s.count;
  EXPECT_EQ(details + summed, kCalls);
  EXPECT_LE(details, 5U * 512U * DetailLimiter::kDetailsPerMinute + 512U);
}

TEST(DetailLimiter, TenDetailsANumberAMinute) {
  DetailLimiter limiter;
  int details = 0;
  for (pid_t tid = 1; tid <= 100; ++tid)
    details += limiter.wants_detail({.tid = tid, .nr = 41, .args = {}}, {}, 0) ? 1 : 0;
  EXPECT_EQ(details, 10);
  const auto summaries = limiter.take_summaries(60 * kSecond);
  ASSERT_EQ(summaries.size(), 1U);
  EXPECT_FALSE(summaries[0].identical);
  EXPECT_EQ(summaries[0].count, 90U);
  EXPECT_TRUE(limiter.wants_detail({.tid = 1, .nr = 41, .args = {}}, {}, 61 * kSecond));
}

TEST(OneAMinute, TheNextRecordSaysHowManyWereWithoutOne) {
  OneAMinute pace;
  EXPECT_EQ(pace.take(5), 0U);
  EXPECT_FALSE(pace.take(6));
  EXPECT_FALSE(pace.take(4 + DetailLimiter::kMinute_ns));
  EXPECT_EQ(pace.take(5 + DetailLimiter::kMinute_ns), 2U);
}

TEST(FirstOfKind, F01_OneRecordForEachKindAndEveryOtherCallIsCounted) {
  FirstOfKind refusals;
  const CallContext workload;
  CallContext exec;
  exec.origin = Origin::kExec;
  EXPECT_TRUE(refusals.is_new({.tid = 1, .nr = 239}, workload, 0));
  EXPECT_TRUE(refusals.is_new({.tid = 1, .nr = 179}, workload, 1));
  EXPECT_TRUE(refusals.is_new({.tid = 1, .nr = 239}, exec, 2));
  EXPECT_FALSE(refusals.next_summary_ns());
  for (pid_t tid = 1; tid <= 1000; ++tid)
    EXPECT_FALSE(refusals.is_new({.tid = tid, .nr = 239, .args = {static_cast<std::uint64_t>(tid)}},
                                 workload, 5));
  EXPECT_EQ(refusals.next_summary_ns(), FirstOfKind::kSummaryEvery_ns);
  EXPECT_TRUE(refusals.take_summaries(FirstOfKind::kSummaryEvery_ns - 1).empty());
  const auto hourly = refusals.take_summaries(FirstOfKind::kSummaryEvery_ns);
  ASSERT_EQ(hourly.size(), 1U);
  EXPECT_EQ(hourly[0].count, 1000U);
  EXPECT_EQ(hourly[0].key.nr, 239);
  EXPECT_FALSE(refusals.next_summary_ns());
  EXPECT_FALSE(refusals.is_new({.tid = 1, .nr = 179}, workload, FirstOfKind::kSummaryEvery_ns))
      << "it was recorded";
  const auto last = refusals.take_summaries(FirstOfKind::kSummaryEvery_ns, true);
  ASSERT_EQ(last.size(), 1U);
  EXPECT_EQ(last[0].count, 1U);
}

// A second kind of socket, and a number that is not the caller's own, are not hidden by the first.
TEST(FirstOfKind, SocketsAndOwnNumbersAreKindsOfTheirOwnAndBounded) {
  FirstOfKind tolerated;
  const CallContext other;
  CallContext own;
  own.verdict.own_number = true;
  EXPECT_TRUE(tolerated.is_new({.tid = 1, .nr = SYS_kill, .args = {7}}, own, 0));
  EXPECT_TRUE(tolerated.is_new({.tid = 1, .nr = SYS_kill, .args = {8}}, other, 0));
  EXPECT_FALSE(tolerated.is_new({.tid = 1, .nr = SYS_kill, .args = {9}}, other, 0));
  const auto socket = [&](std::uint64_t family, std::uint64_t type, std::uint64_t protocol) {
    return tolerated.is_new({.tid = 1, .nr = SYS_socket, .args = {family, type, protocol}}, other,
                            0);
  };
  EXPECT_TRUE(socket(2, 1, 6));
  EXPECT_FALSE(socket(2, 0x80001, 6)) << "SOCK_CLOEXEC is no other type";
  EXPECT_TRUE(socket(2, 2, 6));
  EXPECT_TRUE(socket(2, 1, 132));
  EXPECT_TRUE(socket(10, 1, 6));
  int told = 0;
  for (std::uint64_t protocol = 1000; protocol < 3000; ++protocol)
    told += socket(2, 1, protocol) ? 1 : 0;
  EXPECT_LT(told, 520) << "a container chooses the protocol";
  EXPECT_GT(told, 400);
}

TEST(TokenBucket, LetsTheBurstThroughAndThenPaces) {
  TokenBucket bucket(1000, 10);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(bucket.wait_ns(0), 0);
    bucket.take(0);
  }
  bucket.take(0);
  EXPECT_GT(bucket.wait_ns(0), 0);
  EXPECT_LE(bucket.wait_ns(0), 2 * kSecond / 1000) << "far below the second of I5";
  EXPECT_EQ(bucket.wait_ns(kSecond), 0);
}

TEST(DenialWindow, ForgetsWhatIsOlderThanTheWindow) {
  DenialWindow window;
  window.add(0, 3);
  window.add(5 * kSecond, 3);
  EXPECT_EQ(window.count(6 * kSecond, 10 * kSecond), 2U);
  EXPECT_EQ(window.count(11 * kSecond, 10 * kSecond), 1U);
  for (int i = 0; i < 1000; ++i) window.add(11 * kSecond, 3);
  EXPECT_EQ(window.count(11 * kSecond, 10 * kSecond), 3U);
}

}  // namespace
}  // namespace ward::shim::supervisor
