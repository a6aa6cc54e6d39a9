// SPDX-License-Identifier: Apache-2.0
#include "enforcer/systemd/journald.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <optional>
#include <thread>

#include "lib/base/unique_fd.h"
#include "tests/support/datagram_socket.h"

namespace ward::enforcer {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{-1, -1};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK), 0);
    read = UniqueFd(ends[0]);
    write = UniqueFd(ends[1]);
  }
  std::string text() const {
    std::array<char, 4096> bytes;
    const ssize_t size = ::read(read.get(), bytes.data(), bytes.size());
    return size < 0 ? "" : std::string(bytes.data(), static_cast<std::size_t>(size));
  }
  UniqueFd read;
  UniqueFd write;
};

TEST(Journald, ItsStreamIsTheOneWithThatDeviceAndInode) {
  const Pipe pipe;
  struct stat found = {};
  ASSERT_EQ(::fstat(pipe.write.get(), &found), 0);
  const std::string device = std::to_string(found.st_dev);
  const std::string inode = std::to_string(found.st_ino);
  EXPECT_TRUE(is_journal_stream((device + ":" + inode).c_str(), pipe.write.get()));
  EXPECT_FALSE(is_journal_stream((device + ":" + inode + "0").c_str(), pipe.write.get()));
  EXPECT_FALSE(is_journal_stream((device + "0:" + inode).c_str(), pipe.write.get()));
  for (const char* other : {"", ":", "x:y", "1:2"})
    EXPECT_FALSE(is_journal_stream(other, pipe.write.get())) << other;
  EXPECT_FALSE(is_journal_stream(nullptr, pipe.write.get()));
  EXPECT_FALSE(is_journal_stream((device + ":" + inode).c_str(), -1));
}

TEST(Journald, AnEntryHasTheFieldsApartAndInItsMessage) {
  EXPECT_THAT(journal_entry(log::Level::kWarn, "wardd.yaml refused",
                            {{"why", "line 3"}, {"exec-id", "a b"}}),
              ElementsAre("PRIORITY=4", "MESSAGE=wardd.yaml refused why=\"line 3\" exec-id=\"a b\"",
                          "WARD_WHY=line 3", "WARD_EXEC_ID=a b"));
  EXPECT_THAT(journal_entry(log::Level::kError, "m", {}), ElementsAre("PRIORITY=3", "MESSAGE=m"));
  EXPECT_EQ(journal_entry(log::Level::kInfo, "m", {}).front(), "PRIORITY=6");
  EXPECT_EQ(journal_entry(log::Level::kDebug, "m", {}).front(), "PRIORITY=7");
}

TEST(Journald, I7_WhatAContainerChoseIsEscapedThereToo) {
  const auto entry = journal_entry(log::Level::kInfo, "a\nPRIORITY=0", {{"comm", "x\x1b[31m\n_"}});
  EXPECT_THAT(entry, ElementsAre("PRIORITY=6", "MESSAGE=a\\x0aPRIORITY=0 comm=\"x\\x1b[31m\\x0a_\"",
                                 "WARD_COMM=x\\x1b[31m\\x0a_"));
  const std::string long_key(100, 'k');
  EXPECT_EQ(journal_entry(log::Level::kInfo, "m", {{long_key, "v"}}).back().find('='), 64U);
}

// The socket's place is libsystemd's: a thread, and those that it begins, have a /run of their own.
bool make_own_run() {
  if (::unshare(CLONE_NEWNS) != 0 ||
      ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("tmpfs", "/run", "tmpfs", 0, nullptr) != 0)
    return false;
  return std::filesystem::create_directories("/run/systemd/journal");
}

TEST(Journald, GetsWhatIsLoggedInsteadOfTheLine) {
  std::optional<std::string> entry;
  bool may_mount = false;
  const Pipe lines;
  log::set_sink(lines.write.get());
  std::thread([&] {
    may_mount = make_own_run();
    if (!may_mount) return;
    test::DatagramSocket journald("/run/systemd/journal/socket");
    {
      const JournaldLog records;
      log::warn("file refused", {{"path", "/etc/ward/x.yaml"}});
    }
    entry = journald.receive(std::chrono::seconds(5));
  }).join();
  log::warn("as ever");
  log::set_sink(2);
  if (!may_mount) GTEST_SKIP() << "needs to mount: run it as root";
  ASSERT_TRUE(entry);
  EXPECT_THAT(*entry, AllOf(HasSubstr("PRIORITY=4\n"), HasSubstr("WARD_PATH=/etc/ward/x.yaml\n"),
                            HasSubstr("MESSAGE=file refused path=\"/etc/ward/x.yaml\"\n"),
                            HasSubstr("SYSLOG_IDENTIFIER="), Not(HasSubstr("CODE_FILE"))));
  const std::string text = lines.text();
  EXPECT_THAT(text, AllOf(HasSubstr("msg=\"as ever\"\n"), Not(HasSubstr("refused"))));
}

// If it held the writer up, this would not end.
TEST(Journald, WhereItDoesNotReadRecordsAreLostAndCountedAndNobodyWaits) {
  constexpr std::size_t kMany = 8 * JournaldLog::kMaxWaiting;
  std::uint64_t lost = 0;
  std::size_t arrived = 0;
  bool may_mount = false;
  std::thread([&] {
    may_mount = make_own_run();
    if (!may_mount) return;
    test::DatagramSocket journald("/run/systemd/journal/socket");
    const auto before = log::dropped();
    const JournaldLog records;
    for (std::size_t i = 0; i < kMany; ++i) log::warn("one of many");
    lost = log::dropped() - before;
    while (arrived + lost < kMany && journald.receive(std::chrono::seconds(5))) ++arrived;
  }).join();
  if (!may_mount) GTEST_SKIP() << "needs to mount: run it as root";
  EXPECT_GT(lost, 0U);
  EXPECT_GE(arrived, JournaldLog::kMaxWaiting) << "what waited came when it read again";
  EXPECT_EQ(arrived + lost, kMany);
}

TEST(Journald, ARecordThatASinkLosesIsCounted) {
  const auto before = log::dropped();
  log::set_record_sink(
      [](log::Level, std::string_view, std::initializer_list<log::Field>) { return false; });
  log::warn("nowhere");
  log::set_record_sink(nullptr);
  EXPECT_EQ(log::dropped(), before + 1);
}

}  // namespace
}  // namespace ward::enforcer
