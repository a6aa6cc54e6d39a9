// SPDX-License-Identifier: Apache-2.0
// What was measured of the C libraries and of runtimes (docs/results/baselines.json, made by
// scripts/baselines), held against the tables of today: what balanced lets run, and what
// ward-baseline knows of moments that no recording shows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "lib/json/json.h"
#include "profiles/baselines/baselines.h"
#include "profiles/compile.h"
#include "profiles/filter/call_tables.h"
#include "profiles/filter/own_numbers.h"
#include "profiles/filter/seccomp_intersect.h"
#include "profiles/harm/harm_table.h"
#include "profiles/posture.h"

namespace ward::profiles {
namespace {

using Json = nlohmann::json;
using ::testing::AnyOf;

// Of a whole life, what a recording of hours has seldom or never.
const std::set<std::string> kUnrecorded = {
    "exit",  "exit-in-thread", "abort",    "term",        "hup",          "pipe",       "handled",
    "fault", "interrupted",    "overflow", "memory-full", "memory-churn", "double-free"};

constexpr std::size_t kMomentsAtLeast = 150;  // so that half a measurement is not taken for one

const Json& measured() {
  static const Json document = [] {
    std::ifstream file("docs/results/baselines.json");
    return Json::parse(file).at("result");
  }();
  return document;
}

std::set<std::string> words(const Json& text) {
  std::istringstream stream(text.get<std::string>());
  std::set<std::string> out;
  for (std::string word; stream >> word;) out.insert(word);
  return out;
}

// Calls `look` with every moment of every runtime and release, and with what all of it is called.
template <typename Look>
void for_each_moment(Look look) {
  std::size_t moments = 0;
  for (const Json& row : measured()) {
    if (!row.contains("runtime")) continue;
    for (const Json& moment : row["moments"]) {
      SCOPED_TRACE(row["runtime"].get<std::string>() + " of " + row["release"].get<std::string>() +
                   ", " + moment["moment"].get<std::string>());
      look(row, moment);
      ++moments;
    }
  }
  EXPECT_GE(moments, kMomentsAtLeast);
}

KnownArguments registers(const Json& call) {
  KnownArguments known;
  for (std::size_t i = 0; i < known.size(); ++i) known[i] = call["args"][i].get<std::uint64_t>();
  return known;
}

// A number that a process passed for its own: kill(getpid()).
OwnNumbers own_of(const Json& call) {
  const auto first = call["args"][0].get<std::uint64_t>();
  return {static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(first)};
}

TEST(MeasuredBaselines, I11_NoCallOfClassSelfOrHeldWasStopped) {
  for_each_moment([](const Json&, const Json& moment) {
    for (const Json& call : moment["stopped"]) {
      EXPECT_THAT(class_of(call["call"].get<std::string>(), registers(call)),
                  AnyOf(HarmClass::kReach, HarmClass::kDanger))
          << call["shown"];
    }
  });
}

TEST(MeasuredBaselines, I11_WhatBalancedLetRunItLetsRunToday) {
  Profile nothing;
  nothing.name = "nothing";
  nothing.architectures = {"x86_64"};
  nothing.posture = Posture::kBalanced;
  const auto compiled = compile(nothing).value();
  const filter::CallTable calls = filter::to_table(compiled),
                          tolerated = filter::to_tolerated(compiled),
                          danger = filter::to_danger(compiled);
  const filter::OwnNumberTable own(compiled);
  for_each_moment([&](const Json&, const Json& moment) {
    for (const Json& call : moment["let_run"]) {
      filter::CallArgs args{};
      for (std::size_t i = 0; i < args.size(); ++i) args[i] = call["args"][i].get<std::uint64_t>();
      const int nr = call["nr"].get<int>();
      EXPECT_FALSE(danger.allows(nr, args, ~0U)) << call["shown"];
      EXPECT_TRUE(calls.allows(nr, args, filter::kAllowedInServing) ||
                  tolerated.allows(nr, args, ~0U) || own.allows(nr, args, own_of(call)))
          << call["shown"];
    }
  });
}

// What nobody was asked about ran in the kernel's filter, so one of the two sets must have it.
TEST(MeasuredBaselines, I11_EveryOtherCallIsInTheFilterOfBalanced) {
  const SyscallSet balanced = allowed_by(Posture::kBalanced);
  const SyscallSet& baseline = *find_baseline("ward-baseline");
  for_each_moment([&](const Json&, const Json& moment) {
    std::set<std::string> asked;
    for (const char* list : {"stopped", "let_run"})
      for (const Json& call : moment[list]) asked.insert(call["call"].get<std::string>());
    for (const std::string& call : words(moment["calls"])) {
      // What is new reach may come after something that was denied (io_uring_enter), or is answered
      // unseen (clone3).
      const HarmCall* const known = find_harm_call(call);
      if (known == nullptr || alternatives_at_most(*known, HarmClass::kHeld).empty()) continue;
      if (asked.contains(call) || baseline.contains(call)) continue;
      EXPECT_TRUE(balanced.contains(call)) << call;
    }
  });
}

TEST(MeasuredBaselines, TheBaselineKnowsWhatTheCLibrariesDoAtMomentsThatNoRecordingShows) {
  const SyscallSet& baseline = *find_baseline("ward-baseline");
  for_each_moment([&](const Json& row, const Json& moment) {
    if (row["runtime"] != "glibc" && row["runtime"] != "musl") return;
    if (!kUnrecorded.contains(moment["moment"].get<std::string>())) return;
    for (const std::string& call : words(moment["calls"])) {
      if (class_of(call) == HarmClass::kSelf) {
        EXPECT_TRUE(baseline.contains(call)) << call;
      }
    }
  });
}

TEST(MeasuredBaselines, MostOrdinaryCommandsWorkInSessionsOfBothCLibraries) {
  std::set<std::string> seen;
  for (const Json& row : measured()) {
    if (!row.contains("commands")) continue;
    seen.insert(row["libc"].get<std::string>());
    EXPECT_GE(row["of"].get<int>(), 14);
    EXPECT_GE(row["work"].get<int>() * 100, row["of"].get<int>() * 95) << row["failed"];
    EXPECT_TRUE(row["wrong_anyway"].empty()) << row["wrong_anyway"];
  }
  EXPECT_EQ(seen, (std::set<std::string>{"glibc", "musl"}));
}

}  // namespace
}  // namespace ward::profiles
