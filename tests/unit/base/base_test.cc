// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "lib/base/digest.h"
#include "lib/base/escape.h"
#include "lib/base/file.h"
#include "lib/base/named_output.h"
#include "lib/base/result.h"
#include "lib/base/unique_fd.h"

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
  const std::filesystem::path directory =
      std::filesystem::temp_directory_path() / ("ward-file-" + random_hex(6));
  ASSERT_TRUE(std::filesystem::create_directory(directory));
  ASSERT_TRUE(write_file_atomically(directory / "f", "one"));
  ASSERT_TRUE(write_file_atomically(directory / "f", "two"));
  EXPECT_EQ(read_file(directory / "f").value(), "two");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory), {}), 1);
  EXPECT_EQ(read_file(directory / "f", 2).error().code, Code::kResourceExhausted);
  EXPECT_EQ(read_file(directory / "none").error().code, Code::kNotFound);
  EXPECT_EQ(read_regular_file(directory / "f").value(), "two");
  EXPECT_EQ(read_regular_file(directory / "none").error().code, Code::kNotFound);
  ASSERT_EQ(::mkfifo((directory / "fifo").c_str(), 0600), 0);
  for (const auto& path : {directory / "fifo", directory, std::filesystem::path("/dev/null")}) {
    EXPECT_EQ(read_regular_file(path).error().code, Code::kInvalidArgument) << path;
  }
  std::filesystem::remove_all(directory);
}

TEST(NamedOutput, ADeviceOrPipeIsWrittenToAndNeverReplaced) {
  namespace fs = std::filesystem;
  const fs::path directory = fs::temp_directory_path() / ("ward-output-" + random_hex(6));
  ASSERT_TRUE(fs::create_directory(directory));
  // Through a link, so that a wrong rename costs a link and not a device of the machine that runs
  // this.
  fs::create_symlink("/dev/full", directory / "full");
  const auto full = write_named_output(directory / "full", "text", 0644);
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().sys_errno, ENOSPC) << full.error().message;
  EXPECT_TRUE(fs::is_symlink(directory / "full"));
  EXPECT_TRUE(fs::is_character_file("/dev/full"));
  fs::create_symlink("/dev/null", directory / "null");
  EXPECT_TRUE(write_named_output(directory / "null", "text", 0644));
  EXPECT_TRUE(fs::is_character_file(directory / "null"));

  ASSERT_EQ(::mkfifo((directory / "pipe").c_str(), 0600), 0);
  const UniqueFd reader(::open((directory / "pipe").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  ASSERT_TRUE(reader);
  ASSERT_TRUE(write_named_output(directory / "pipe", "text", 0644));
  std::string text(16, '\0');
  text.resize(static_cast<std::size_t>(
      std::max<ssize_t>(::read(reader.get(), text.data(), text.size()), 0)));
  EXPECT_EQ(text, "text");
  EXPECT_TRUE(fs::is_fifo(directory / "pipe"));

  EXPECT_EQ(write_named_output(directory, "text", 0644).error().sys_errno, EISDIR);
  fs::remove_all(directory);
}

TEST(NamedOutput, ALinkStaysAndTheFileItPointsToIsReplaced) {
  namespace fs = std::filesystem;
  const fs::path directory = fs::temp_directory_path() / ("ward-output-" + random_hex(6));
  ASSERT_TRUE(fs::create_directory(directory));
  ASSERT_TRUE(write_named_output(directory / "file", "one", 0644));
  fs::create_symlink("file", directory / "link");
  ASSERT_TRUE(write_named_output(directory / "link", "two", 0644));
  EXPECT_TRUE(fs::is_symlink(directory / "link"));
  EXPECT_EQ(read_file(directory / "file").value(), "two");
  fs::create_symlink("later", directory / "dangling");
  ASSERT_TRUE(write_named_output(directory / "dangling", "three", 0644));
  EXPECT_TRUE(fs::is_symlink(directory / "dangling"));
  EXPECT_EQ(read_file(directory / "later").value(), "three");
  fs::remove_all(directory);
}

}  // namespace
}  // namespace ward
