// SPDX-License-Identifier: Apache-2.0
// The index is looked up, and says exactly what reading all of it in order would say; whatever is
// damaged is an error.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <random>

#include "profiles/filter/index_reader.h"
#include "profiles/filter/index_writer.h"
#include "profiles/filter/limits.h"
#include "profiles/filter/selector.h"

namespace ward::filter {
namespace {

using node::v1::CompiledIndex;
using node::v1::Identity;

UniqueFd file_of(const std::string& bytes) {
  UniqueFd fd(::memfd_create("index", MFD_CLOEXEC));
  EXPECT_EQ(::pwrite(fd.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  return fd;
}

Result<IndexReader> reader_of(const CompiledIndex& index) {
  const auto bytes = write_index(index);
  if (!bytes) return tl::unexpected<Error>(bytes.error());
  return IndexReader::open(file_of(*bytes));
}

// The meaning, as it was before there was anything to look up.
Governing scan(const CompiledIndex& index, const Identity& identity) {
  Governing out;
  for (const auto& rule : index.rules()) {
    const Reach reached = reach(rule.selector(), identity);
    if (reached == Reach::kNo) continue;
    node::v1::Rule bare = rule;
    bare.clear_selector();
    if (reached == Reach::kSelected) return {bare, std::nullopt, ""};
    if (out.left_alone_by) continue;
    out.left_alone_by = bare;
    out.exempt_as = exemption(rule.selector(), identity);
  }
  return out;
}

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  int below(int n) { return std::uniform_int_distribution<int>(0, n - 1)(engine_); }
  bool one_in(int n) { return below(n) == 0; }

  // Few letters, so that much of it matches; stars anywhere; sometimes longer than the longest key.
  std::string text(bool with_stars) {
    static constexpr char kLetters[] = "ab-*";
    std::string out(one_in(12) ? 250 : 0, 'a');
    for (int n = below(5); n >= 0; --n) out += kLetters[below(with_stars ? 4 : 3)];
    return one_in(15) ? "kube-system" : out;
  }

  CompiledIndex index() {
    CompiledIndex out;
    out.set_format(kFormat);
    out.set_generation(static_cast<std::uint64_t>(below(1000)));
    const int shape = below(6);  // one list that is always given, or none
    for (int n = below(80); n > 0; --n) {
      auto& rule = *out.add_rules();
      rule.set_policy("p" + std::to_string(n));
      auto& selector = *rule.mutable_selector();
      const auto fill = [&](Globs& globs, int field) {
        if (shape != field && !one_in(3)) return;
        for (int count = 1 + below(3); count > 0; --count) globs.Add(text(!one_in(3)));
      };
      fill(*selector.mutable_containers(), 0);
      fill(*selector.mutable_pods(), 1);
      fill(*selector.mutable_images(), 2);
      fill(*selector.mutable_kubernetes_namespaces(), 3);
      fill(*selector.mutable_containerd_namespaces(), 4);
      selector.set_include_sandboxes(one_in(2));
      selector.set_include_privileged(one_in(2));
      selector.set_include_kube_system(one_in(2));
    }
    return out;
  }

  Identity identity() {
    Identity out;
    out.set_container_name(text(false));
    out.set_pod(one_in(3) ? "" : text(false));
    out.set_image(text(false));
    out.set_kubernetes_namespace(text(false));
    out.set_containerd_namespace(text(false));
    out.set_is_sandbox(one_in(4));
    out.set_is_privileged(one_in(4));
    return out;
  }

 private:
  std::mt19937 engine_;
};

std::string words(const std::optional<node::v1::Rule>& rule) {
  return rule ? rule->SerializeAsString() : "none";
}

TEST(Index, N03_LookingUpSaysWhatReadingInOrderSays) {
  Random random(8);
  int selected = 0;
  for (int round = 0; round < 400; ++round) {
    const CompiledIndex index = random.index();
    auto reader = reader_of(index);
    ASSERT_TRUE(reader) << reader.error().message;
    for (int i = 0; i < 40; ++i) {
      const Identity identity = random.identity();
      const auto found = reader->find_governing(identity);
      ASSERT_TRUE(found) << found.error().message;
      const Governing expected = scan(index, identity);
      ASSERT_EQ(words(found->rule), words(expected.rule)) << "round " << round;
      ASSERT_EQ(words(found->left_alone_by), words(expected.left_alone_by)) << "round " << round;
      ASSERT_EQ(found->exempt_as, expected.exempt_as);
      selected += found->rule ? 1 : 0;
    }
    ASSERT_TRUE(reader->read_all()->SerializeAsString() == index.SerializeAsString())
        << "round " << round;
  }
  EXPECT_GT(selected, 1000) << "the samples do not reach what is tested";
}

enum class Shape { kNames, kPrefixes, kNamespaces, kCommonPrefix, kGeneric };

CompiledIndex many(int rules, Shape shape) {
  CompiledIndex out;
  out.set_format(kFormat);
  for (int i = 0; i < rules; ++i) {
    const std::string n = std::to_string(i);
    auto& rule = *out.add_rules();
    rule.set_policy(n);
    auto& selector = *rule.mutable_selector();
    if (shape == Shape::kNames) selector.add_containers("c-" + n);
    if (shape == Shape::kPrefixes) selector.add_pods("p-" + n + "-*");
    if (shape == Shape::kNamespaces || shape == Shape::kCommonPrefix)
      selector.add_containers("web-*");
    if (shape == Shape::kNamespaces) selector.add_kubernetes_namespaces("n-" + n);
    if (shape == Shape::kCommonPrefix) selector.add_containers("app-" + n);
    if (shape == Shape::kGeneric) selector.add_containers("*-" + n + "-*");
  }
  return out;
}

TEST(Index, N03_TheCostOfALookupDoesNotGrowWithTheRules) {
  Identity identity;
  identity.set_container_name("c-7");
  identity.set_pod("p-7-x");
  identity.set_kubernetes_namespace("n-7");
  for (const Shape shape : {Shape::kNames, Shape::kPrefixes, Shape::kNamespaces}) {
    for (const int rules : {10, 1000, 20'000}) {
      auto reader = reader_of(many(rules, shape));
      ASSERT_TRUE(reader);
      identity.set_container_name(shape == Shape::kNames ? "c-7" : "web-1");
      const auto found = reader->find_governing(identity);
      ASSERT_TRUE(found && found->rule);
      EXPECT_EQ(found->rule->policy(), "7");
      EXPECT_LE(reader->looked_at(), 12U) << rules << " rules";
    }
  }
}

TEST(Index, N03_RulesThatNothingTellsApartAreLookedAtOnceEach) {
  for (const Shape shape : {Shape::kGeneric, Shape::kCommonPrefix}) {
    auto reader = reader_of(many(20'000, shape));
    ASSERT_TRUE(reader);
    Identity identity;
    identity.set_container_name("nobody");
    const auto found = reader->find_governing(identity);
    ASSERT_TRUE(found);
    EXPECT_FALSE(found->rule);
    EXPECT_LE(reader->looked_at(), 20'000U);
  }
}

TEST(Index, ProfilesAreFoundByName) {
  CompiledIndex index;
  index.set_format(kFormat);
  for (const char* name : {"a", "b", "ba", "c"}) index.add_profiles()->set_name(name);
  auto reader = reader_of(index);
  ASSERT_TRUE(reader);
  for (const auto& profile : index.profiles()) {
    const auto found = reader->find_profile(profile.name());
    ASSERT_TRUE(found && found->has_value());
    EXPECT_EQ((*found)->name(), profile.name());
  }
  for (const char* name : {"", "aa", "bb", "d"})
    EXPECT_FALSE(reader->find_profile(name)->has_value()) << name;
}

TEST(Index, N03_WhatTheReaderWouldNotReadTheWriterDoesNotWrite) {
  CompiledIndex index = many(static_cast<int>(kMaxRules), Shape::kNames);
  ASSERT_TRUE(reader_of(index));
  index.add_rules();
  EXPECT_EQ(write_index(index).error().code, Code::kResourceExhausted);
  index = many(1, Shape::kNames);
  index.mutable_rules(0)->set_policy(std::string(kMaxIndexBytes, 'x'));
  EXPECT_EQ(write_index(index).error().code, Code::kResourceExhausted);
}

TEST(Index, I9_EveryByteThatIsWrongIsNoticedWhereItIsRead) {
  CompiledIndex index = many(100, Shape::kNames);
  index.add_profiles()->set_name("web");
  const std::string good = *write_index(index);
  for (std::size_t at = 0; at < good.size(); at += 1 + at / 64) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    auto reader = IndexReader::open(file_of(bad));
    EXPECT_FALSE(reader && reader->read_all()) << at;
  }
  for (std::size_t bytes = 0; bytes < good.size(); bytes += 1 + bytes / 8) {
    EXPECT_FALSE(IndexReader::open(file_of(good.substr(0, bytes)))) << bytes;
  }
  EXPECT_FALSE(IndexReader::open(file_of(good + "x")));
}

TEST(Index, I9_AFileThatIsCutShortUnderItsReaderIsAnErrorAndNotItsEnd) {
  const std::string good = *write_index(many(1000, Shape::kNames));
  const UniqueFd fd = file_of(good);
  auto reader = IndexReader::open(UniqueFd(::dup(fd.get())));
  ASSERT_TRUE(reader);
  ASSERT_EQ(::ftruncate(fd.get(), 8192), 0);
  Identity identity;
  identity.set_container_name("c-999");
  EXPECT_FALSE(reader->find_governing(identity));
}

TEST(Index, AnIndexOfAnotherVersionSaysWhatToDo) {
  node::v1::SealedFile old;
  old.set_magic("ward-index-1");
  old.set_sha256(std::string(64, 'a'));
  const auto reader = IndexReader::open(file_of(old.SerializeAsString()));
  ASSERT_FALSE(reader);
  EXPECT_NE(reader.error().message.find("restart wardd and the shim of one version"),
            std::string::npos);
}

}  // namespace
}  // namespace ward::filter
