// SPDX-License-Identifier: Apache-2.0
#include "enforcer/watched_time.h"

#include <gtest/gtest.h>

namespace ward::enforcer {
namespace {

constexpr std::int64_t kMinute_ns = WatchedTime::kMinute_ns;
constexpr std::int64_t kSecond_ns = 1'000'000'000;
constexpr std::int64_t kBegin_ns = 1'000 * kMinute_ns + 7 * kSecond_ns;  // in the middle of one

TEST(WatchedTime, NothingToWatchIsNoShare) {
  WatchedTime time;
  EXPECT_EQ(time.share(kBegin_ns), 0);
  time.set_wanted(false, kBegin_ns);
  EXPECT_EQ(time.share(kBegin_ns + 5 * kMinute_ns), 0);
}

TEST(WatchedTime, I13_TheShareIsOfTheTimeInWhichThereWasSomething) {
  WatchedTime time;
  time.set_wanted(true, kBegin_ns);
  time.add_watched(0.3 * kSecond_ns, kBegin_ns + 30 * kSecond_ns);
  EXPECT_DOUBLE_EQ(time.share(kBegin_ns + 30 * kSecond_ns), 0.01);
  time.set_wanted(false, kBegin_ns + 60 * kSecond_ns);
  EXPECT_DOUBLE_EQ(time.share(kBegin_ns + 20 * kMinute_ns), 0.005) << "time without does not count";
  time.set_wanted(true, kBegin_ns + 20 * kMinute_ns);
  EXPECT_DOUBLE_EQ(time.share(kBegin_ns + 24 * kMinute_ns), 0.001) << "and it goes on";
}

TEST(WatchedTime, AnHourLaterItIsForgotten) {
  WatchedTime time;
  time.set_wanted(true, kBegin_ns);
  time.add_watched(kSecond_ns, kBegin_ns + kSecond_ns);
  EXPECT_GT(time.share(kBegin_ns + 59 * kMinute_ns), 0);
  EXPECT_EQ(time.share(kBegin_ns + 61 * kMinute_ns), 0);
  // A machine that slept for a day.
  time.add_watched(0.6 * kSecond_ns, kBegin_ns + 1440 * kMinute_ns);
  EXPECT_NEAR(time.share(kBegin_ns + 1440 * kMinute_ns), 0.6 / 3600, 1e-5);
}

}  // namespace
}  // namespace ward::enforcer
