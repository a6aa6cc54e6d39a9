// SPDX-License-Identifier: Apache-2.0
#include "enforcer/storm/storm_count.h"

#include <gtest/gtest.h>

namespace ward::enforcer {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

node::v1::StormGuard guard(std::uint32_t after, std::uint32_t within_s, std::uint32_t pods) {
  node::v1::StormGuard out;
  out.set_after(after);
  out.set_within_s(within_s);
  out.set_pods(pods);
  out.set_then(node::v1::ACTION_DENY);
  return out;
}

TEST(StormCount, SoManyInSoManyPodsWithinTheTime) {
  StormCount count;
  const auto three = guard(3, 60, 2);
  EXPECT_FALSE(count.add("web", "shop/a", 1 * kSecond, three));
  EXPECT_FALSE(count.add("web", "shop/b", 2 * kSecond, three));
  EXPECT_TRUE(count.add("web", "shop/a", 3 * kSecond, three));
}

TEST(StormCount, T40_WhoeverHasOnePodTripsNothing) {
  StormCount count;
  const auto three = guard(3, 60, 2);
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(count.add("web", "shop/a", i * kSecond / 100, three));
}

TEST(StormCount, WhatIsLongerAgoDoesNotCount) {
  StormCount count;
  const auto two = guard(2, 60, 2);
  EXPECT_FALSE(count.add("web", "shop/a", 0, two));
  EXPECT_FALSE(count.add("web", "shop/b", 61 * kSecond, two));
  EXPECT_TRUE(count.add("web", "shop/c", 100 * kSecond, two));
}

TEST(StormCount, WorkloadsAreCountedApart) {
  StormCount count;
  const auto two = guard(2, 60, 2);
  EXPECT_FALSE(count.add("web", "shop/a", 0, two));
  EXPECT_FALSE(count.add("db", "shop/b", 0, two));
  EXPECT_TRUE(count.add("db", "shop/c", 0, two));
}

TEST(StormCount, ForgottenItBeginsAnew) {
  StormCount count;
  const auto two = guard(2, 60, 2);
  EXPECT_FALSE(count.add("web", "shop/a", 0, two));
  count.forget("web");
  EXPECT_FALSE(count.add("web", "shop/b", 1, two));
}

TEST(StormCount, NamesOfWorkloadsWithoutEndAreBounded) {
  StormCount count;
  const auto two = guard(2, 60, 2);
  EXPECT_FALSE(count.add("first", "shop/a", 0, two));
  for (std::size_t i = 0; i < StormCount::kMaxWorkloads; ++i)
    EXPECT_FALSE(
        count.add("w" + std::to_string(i), "shop/a", static_cast<std::int64_t>(i + 1), two));
  EXPECT_FALSE(count.add("first", "shop/b", 9999, two)) << "it was quiet longest, and is forgotten";
  EXPECT_TRUE(count.add("first", "shop/c", 10'000, two));
}

// Once in each of three pods: how a guard goes on.
TEST(StormCount, T40_OnePodKeepsNoGuardInForce) {
  StormCount count;
  const auto three = guard(3, 60, 3);
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(count.add("web", "shop/a", i * kSecond, three));
  EXPECT_FALSE(count.add("web", "shop/b", 1000 * kSecond, three));
  EXPECT_TRUE(count.add("web", "shop/c", 1001 * kSecond, three));
  EXPECT_FALSE(count.add("web", "shop/c", 1060 * kSecond, three)) << "the first is too long ago";
  EXPECT_TRUE(count.add("web", "shop/a", 1060 * kSecond, three));
}

TEST(StormCount, T40_OnePodDoesNotPushOthersOut) {
  StormCount count;
  const auto five = guard(5, 60, 3);
  EXPECT_FALSE(count.add("web", "shop/b", 0, five));
  for (int i = 1; i < 100; ++i) EXPECT_FALSE(count.add("web", "shop/a", i, five));
  EXPECT_TRUE(count.add("web", "shop/c", 100, five)) << "that of the first has stayed";
}

TEST(StormCount, AGuardThatWasNotReadCountsNothing) {
  StormCount count;
  EXPECT_FALSE(count.add("web", "shop/a", 0, {}));
}

}  // namespace
}  // namespace ward::enforcer
