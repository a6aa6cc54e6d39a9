// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>

#include "lib/base/digest.h"
#include "lib/base/escape.h"
#include "lib/base/file.h"
#include "lib/base/result.h"

namespace ward {
namespace {

TEST(Result, ContextIsAddedOutwardAndKeepsCodeAndErrno) {
  const auto inner = fail_errno("open '/x'", ENOENT);
  const Error outer = with_context("create task 'a1'", inner.value());
  EXPECT_EQ(outer.message, "create task 'a1': open '/x': No such file or directory");
  EXPECT_EQ(outer.code, Code::kNotFound);
  EXPECT_EQ(outer.sys_errno, ENOENT);
}

TEST(Digest, Sha256OfTheStandardVector) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Escape, I7_TerminalControlBytesNeverPassThrough) {
  EXPECT_EQ(escape("a\x1b[31m\n\"b\\"), "a\\x1b[31m\\x0a\"b\\\\");
  EXPECT_EQ(escape("abcdef", 3), "abc...");
}

TEST(File, IsReplacedWholeAndLeavesNoTemporaryBehind) {
  const std::filesystem::path directory = std::filesystem::temp_directory_path() / ("ward-file-" + random_hex(6));
  ASSERT_TRUE(std::filesystem::create_directory(directory));
  ASSERT_TRUE(write_file_atomically(directory / "f", "one"));
  ASSERT_TRUE(write_file_atomically(directory / "f", "two"));
  EXPECT_EQ(read_file(directory / "f").value(), "two");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory), {}), 1);
  EXPECT_EQ(read_file(directory / "f", 2).error().code, Code::kResourceExhausted);
  EXPECT_EQ(read_file(directory / "none").error().code, Code::kNotFound);
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace ward
