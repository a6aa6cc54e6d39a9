// SPDX-License-Identifier: Apache-2.0
// Random filters, and filters as real clients send them: Ward's answer is that of the runtime's own
// program. Ten thousand random ones with WARD_TEST_LONG; else as many as take some seconds.
#include <gtest/gtest.h>
#include <linux/audit.h>

#include <chrono>
#include <cstdlib>

#include "lib/base/file.h"
#include "lib/oci/bundle.h"
#include "tests/unit/shim_supervisor/filter_comparison.h"

// libseccomp forgets some of what it had allocated for a rule that it then refuses.
extern "C" const char*
__lsan_default_suppressions();  // NOLINT(bugprone-reserved-identifier): the sanitizer's name
extern "C" const char* __lsan_default_suppressions() { return "leak:libseccomp.so"; }

namespace ward::shim::supervisor {
namespace {

constexpr int kFilters = 10'000;
constexpr int kQuestions = 150;  // of one filter
constexpr std::chrono::seconds kShortRun{15};
constexpr int kEnough = 100;  // of a short run, however slow the machine is

const std::vector<std::string> kCalls = {"socket",      "clone",   "write",  "execve",
                                         "clone3",      "prctl",   "ioctl",  "openat",
                                         "personality", "openat2", "getpid", "faccessat2"};
constexpr testing::Stock kOlder{
    .takes_flags = false, .stub_where_unlisted = false, .optimizes = false};
constexpr testing::Stock kNewer{
    .takes_flags = true, .stub_where_unlisted = true, .optimizes = true};

Probe random_probe(testing::RandomFilters& random, const std::vector<std::string>& calls) {
  Probe probe{oci::native_audit_arch(), 0, random.arguments()};
  probe.nr = random.below(12) == 0 ? static_cast<int>(random.below(700))
                                   : *oci::find_syscall(calls[random.below(calls.size())]);
  if (random.below(40) == 0) probe.arch = AUDIT_ARCH_I386;
  if (random.below(40) == 0) probe.nr |= 0x40000000;
  return probe;
}

// The short run is the beginning of the long one; others are tried with a number of one's own.
std::uint64_t first_seed() {
  const char* given = std::getenv("WARD_TEST_SEED");
  return given == nullptr ? 0 : std::strtoull(given, nullptr, 10);
}

TEST(OwnFilterDifferential, I12_F02_F03_F04_F05_ARandomFilterMeansWhatTheRuntimeLoads) {
  const bool all = std::getenv("WARD_TEST_LONG") != nullptr;
  const std::uint64_t first = first_seed();
  const auto begin = std::chrono::steady_clock::now();
  const auto is_enough = [&](int done) {
    if (all) return done >= kFilters;
    return done >= kFilters ||
           (done >= kEnough && std::chrono::steady_clock::now() - begin > kShortRun);
  };
  Differences found;
  for (int i = 0; !is_enough(i); ++i) {
    const std::uint64_t seed = first + static_cast<std::uint64_t>(i);
    testing::RandomFilters random(seed);
    const Asked asked{random.filter(kCalls), seed % 2 == 0 ? kOlder : kNewer,
                      "seed " + std::to_string(seed)};
    compare(
        asked, [&] { return random_probe(random, kCalls); }, kQuestions, found);
  }
  std::printf("result: by evaluation, seeds from %llu: %s\n",
              static_cast<unsigned long long>(first), found.text().c_str());
  EXPECT_EQ(found.wrong, 0);
  EXPECT_LE(found.narrower * 100, found.filters)
      << "what libseccomp gets wrong of Ward's own rules";
  EXPECT_LT(found.refused * 2, found.filters) << "a comparison of what is refused compares little";
}

// libseccomp wrote this one wider than it was told: a refused socket ran. Found by the long run.
TEST(OwnFilterDifferential, I2_WhatLibseccompWritesWiderIsNotified) {
  Differences found;
  testing::RandomFilters random(1029);
  const Asked asked{random.filter(kCalls), kNewer, "seed 1029"};
  compare(
      asked, [&] { return random_probe(random, kCalls); }, kQuestions, found);
  EXPECT_EQ(found.wrong, 0);
  EXPECT_EQ(found.filters, 1);
}

class RealFilters : public ::testing::TestWithParam<const char*> {};

TEST_P(RealFilters, I12_MeanWhatTheRuntimeLoadsAndNoneOfThemIsNarrower) {
  const auto text = read_file(std::filesystem::path("tests/golden/seccomp") / GetParam());
  ASSERT_TRUE(text) << text.error().message;
  const auto filter = oci::seccomp_from_json(*text);
  ASSERT_TRUE(filter) << filter.error().message;
  std::vector<std::string> calls;
  for (const auto& [name, nr] : oci::known_syscalls()) calls.push_back(name);
  for (const oci::SeccompRule& rule : filter->rules) {
    // Where arguments decide, more often.
    for (const std::string& name : rule.names) {
      if (!rule.args.empty() && oci::find_syscall(name)) calls.insert(calls.end(), 20, name);
    }
  }
  Differences found;
  for (const testing::Stock& runtime : {kOlder, kNewer}) {
    testing::RandomFilters random(7);
    compare(
        {*filter, runtime, GetParam()}, [&] { return random_probe(random, calls); }, 20'000, found);
  }
  std::printf("result: %s: %s\n", GetParam(), found.text().c_str());
  EXPECT_EQ(found.refused, 0);
  EXPECT_EQ(found.unfinished, 0);
  EXPECT_EQ(found.narrower, 0);
  EXPECT_EQ(found.wrong, 0);
}

INSTANTIATE_TEST_SUITE_P(Golden, RealFilters,
                         ::testing::Values("containerd-default.json", "docker-like.json",
                                           "podman-like.json", "systemd-like.json",
                                           "spo-nginx-like.json", "spo-audit-like.json",
                                           "spo-deny-like.json", "spo-fine-grained.json"));

}  // namespace
}  // namespace ward::shim::supervisor
