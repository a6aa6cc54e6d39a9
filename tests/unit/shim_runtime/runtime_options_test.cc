// SPDX-License-Identifier: Apache-2.0
#include "shim/runtime/runtime_options.h"

#include <gtest/gtest.h>

#include "containerd/options.pb.h"
#include "tests/support/any_message.h"

namespace ward::shim::runtime {
namespace {

using test::any_of;

TEST(RuntimeOptions, AllThreeMessagesOfClientsAreUnderstood) {
  containerd::RuncOptions runc;
  runc.set_binary_name("crun");
  runc.set_root("/r");
  EXPECT_EQ(decode_options(any_of("containerd.runc.v1.Options", runc))->binary_name, "crun");
  EXPECT_EQ(decode_options(any_of("type.googleapis.com/containerd.runc.v1.Options", runc))->root,
            "/r");
  containerd::CreateOptions create;
  create.set_io_uid(7);
  EXPECT_EQ(decode_options(any_of("containerd.linux.runc.CreateOptions", create))->io_uid, 7U);
  containerd::RuntimeOptions generic;
  generic.set_config_body("BinaryName = \"runc\"\nSystemdCgroup = true\n");
  EXPECT_TRUE(decode_options(any_of("runtimeoptions.v1.Options", generic))->systemd_cgroup);
  EXPECT_EQ(*decode_options({}), RuntimeOptions{});
}

TEST(RuntimeOptions, AnUnknownTypeOrGarbageIsInvalidAndNamesTheType) {
  containerd::Any any;
  any.set_type_url("evil.v1.Options");
  any.set_value("x");
  auto options = decode_options(any);
  ASSERT_FALSE(options.has_value());
  EXPECT_EQ(options.error().code, Code::kInvalidArgument);
  EXPECT_NE(options.error().message.find("evil.v1.Options"), std::string::npos);
  any.set_type_url("containerd.runc.v1.Options");
  any.set_value("\xff\xff\xff");
  EXPECT_EQ(decode_options(any).error().code, Code::kInvalidArgument);
}

TEST(RuntimeOptions, TheTableOfContainerdIsRead) {
  const auto options = parse_options_table(
      "# comment\n  BinaryName = '/usr/bin/crun' # why\r\nRoot=\"/a \\\"b\\\"\"\nNoPivotRoot = "
      "true\nIoUid = 1000\n"
      "Unknown = [1, 2]\n[table]\nBinaryName = \"other\"\n");
  ASSERT_TRUE(options.has_value());
  EXPECT_EQ(options->binary_name, "/usr/bin/crun");
  EXPECT_EQ(options->root, "/a \"b\"");
  EXPECT_TRUE(options->no_pivot_root);
  EXPECT_EQ(options->io_uid, 1000U);
}

// What go-toml and BurntSushi's encoder write, and people.
TEST(RuntimeOptions, ATableMeansWhatTomlMakesOfIt) {
  const auto name_in = [](const std::string& text) {
    const auto options = parse_options_table(text);
    return options ? options->binary_name : "refused: " + options.error().message;
  };
  EXPECT_EQ(name_in(R"(BinaryName = "a\tb\n\u00e9\U0001F600")"), "a\tb\n\xc3\xa9\xf0\x9f\x98\x80");
  EXPECT_EQ(name_in(R"(BinaryName = 'a\t')"), "a\\t") << "a literal has no escapes";
  EXPECT_EQ(name_in("'BinaryName' = 'a'\n"), "a");
  EXPECT_EQ(name_in("\"BinaryName\" = 'a'\n"), "a");
  EXPECT_EQ(name_in("\xef\xbb\xbf"
                    "BinaryName = 'a'\r\n"),
            "a");
  EXPECT_EQ(name_in("BinaryName = \"a=#b\" # c"), "a=#b");
  EXPECT_EQ(name_in("a.BinaryName = 'x'\n'a=b' = 1\nBinaryName = 'a'\n"), "a");
}

TEST(RuntimeOptions, ValuesOfOthersAreSkippedOverAllTheirLines) {
  for (const char* other : {"[\n  ['a'], # ]\n  \"]\",\n]", "'''\n[x]\n'''", "'['", "\"\"",
                            "\"\"\"\nBinaryName = 'evil'\n\\\"\"\"\"",
                            "{ BinaryName = 'evil', a = [1] }", "1979-05-27"}) {
    const std::string text = "Other = " + std::string(other) + "\nSystemdCgroup = true\n";
    const auto options = parse_options_table(text);
    ASSERT_TRUE(options) << text << options.error().message;
    EXPECT_TRUE(options->systemd_cgroup) << text;
    EXPECT_EQ(options->binary_name, "") << text;
  }
}

TEST(RuntimeOptions, WhatIsNoTableIsRefusedWithItsLine) {
  for (const char* bad :
       {"BinaryName = 'a'\nBinaryName = 'b'", "\nSystemdCgroup true", "\n= 1",
        "\nBinaryName = \"\\x\"", "\nBinaryName = \"\\ud800\"", "\nBinaryName = \"\\u00\"",
        "\nBinaryName = \"\\u0000\"", "\nBinaryName = \"\"\"a\"\"\"", "\nBinaryName = 'a' b",
        "\nBinaryName = \"\\", "\nIoUid = 0x3E8", "\nIoUid = 1_000"}) {
    const auto options = parse_options_table(bad);
    ASSERT_FALSE(options.has_value()) << bad;
    EXPECT_EQ(options.error().message.substr(0, 7), "line 2:") << bad;
  }
  const auto late = parse_options_table("Other = [\n1,\n]\nIoUid = -1\n");
  ASSERT_FALSE(late.has_value());
  EXPECT_EQ(late.error().message.substr(0, 7), "line 4:");
}

TEST(RuntimeOptions, AValueOfTheWrongTypeIsRefusedWithItsLine) {
  for (const char* text :
       {"\nBinaryName = 5\n", "\nSystemdCgroup = yes\n", "\nIoUid = -1\n", "\nRoot = \"open\n"}) {
    const auto options = parse_options_table(text);
    ASSERT_FALSE(options.has_value()) << text;
    EXPECT_EQ(options.error().message.substr(0, 7), "line 2:");
  }
}

}  // namespace
}  // namespace ward::shim::runtime
