// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <filesystem>
#include <fstream>

#include "enforcer/sinks/outlet.h"
#include "enforcer/sinks/place.h"
#include "enforcer/sinks/secret_file.h"
#include "lib/base/file.h"
#include "lib/json/json.h"
#include "tests/unit/enforcer/scratch_directory.h"

namespace ward::enforcer::sinks {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<Event> events(const std::vector<std::string>& ids) {
  std::vector<Event> out;
  for (const auto& id : ids) {
    out.emplace_back();
    out.back().id = id;
  }
  return out;
}

std::vector<std::string> ids_in(const std::filesystem::path& path) {
  std::vector<std::string> out;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);)
    out.push_back(parse_json_or_throw<nlohmann::json>(line)["id"].get<std::string>());
  return out;
}

class SinkFiles : public testing::Test {
 protected:
  std::string path(const char* name) { return (directory_.path() / name).string(); }
  test::ScratchDirectory directory_;
  StopSignal stop_;
};

TEST_F(SinkFiles, AFileIsRotatedAndHalfALineGoes) {
  profiles::SinkSettings settings;
  settings.path = path("events");
  settings.max_bytes = 2200;  // two lines, not three
  settings.keep = 2;
  const auto outlet = make_file_outlet(settings);
  EXPECT_EQ(outlet->deliver(events({"1", "2"}), stop_).taken, 2U);
  std::ofstream(settings.path, std::ios::app) << "{\"schema\":\"ward.dev/event/v1\",\"id\":\"ha";
  EXPECT_EQ(outlet->deliver(events({"3"}), stop_).problem, "");
  const auto size = std::filesystem::file_size(settings.path);
  ASSERT_LE(size, settings.max_bytes);
  for (int i = 4; i < 20; ++i)
    EXPECT_EQ(outlet->deliver(events({std::to_string(i)}), stop_).taken, 1U);
  EXPECT_TRUE(std::filesystem::exists(settings.path + ".2"));
  EXPECT_FALSE(std::filesystem::exists(settings.path + ".3"));
  EXPECT_THAT(ids_in(settings.path), testing::Contains("19"));
  (void)ids_in(settings.path + ".1");  // every line is whole
  (void)ids_in(settings.path + ".2");
  std::filesystem::remove(settings.path);
  std::filesystem::create_symlink("/etc/passwd", settings.path);
  EXPECT_THAT(outlet->deliver(events({"x"}), stop_).problem, HasSubstr("symbolic links"));
}

TEST_F(SinkFiles, WhatSomebodyElseWroteStays) {
  profiles::SinkSettings settings;
  settings.path = path("events");
  std::ofstream(settings.path) << "a line\nno line break behind this one";
  const auto outlet = make_file_outlet(settings);
  EXPECT_EQ(outlet->deliver(events({"1"}), stop_).problem, "");
  EXPECT_THAT(read_file(settings.path).value(),
              testing::StartsWith("a line\nno line break behind this one\n{\"schema\":"));
}

TEST_F(SinkFiles, ASecretIsRootsAndNobodyElsesToRead) {
  std::ofstream(path("key")) << "k3y\n";
  ::chmod(path("key").c_str(), 0600);
  EXPECT_EQ(read_secret_line(path("key")).value(), "k3y");
  std::ofstream(path("key")) << "k3y\nand more\n";
  EXPECT_THAT(read_secret_line(path("key")).error().message, HasSubstr("more than one line"));
  ::chmod(path("key").c_str(), 0640);
  EXPECT_THAT(read_secret_line(path("key")).error().message, HasSubstr("chmod 600"));
  ::chmod(path("key").c_str(), 0600);
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown(path("key").c_str(), 65534, 0), 0);
    EXPECT_THAT(read_secret_line(path("key")).error().message, HasSubstr("chown root"));
  }
  std::ofstream(path("empty")) << "\n";
  ::chmod(path("empty").c_str(), 0600);
  EXPECT_FALSE(read_secret_line(path("empty")));
  ASSERT_EQ(::mkfifo(path("fifo").c_str(), 0600), 0);
  EXPECT_FALSE(read_secret_line(path("fifo"))) << "and does not wait";
  EXPECT_FALSE(read_secret_line(path("none")));
}

TEST_F(SinkFiles, TheSignatureIsRfc4231s) {
  EXPECT_EQ(hmac_sha256_hex("Jefe", "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST_F(SinkFiles, APlaceIsReadAsItWasWrittenAndNothingElseIsOne) {
  const Place place{7, 5, 3, 1, 1};
  ASSERT_TRUE(write_place(path("a.json"), place));
  EXPECT_EQ(read_place(path("a.json")).value(), place);
  EXPECT_EQ(read_place(path("none.json")).value(), std::nullopt);
  for (const char* text : {"", "[]", "{}", "{\"sequence\":-1,\"ordinal\":1}", "\xff"}) {
    std::ofstream(path("b.json")) << text;
    EXPECT_FALSE(read_place(path("b.json"))) << text;
  }
}

TEST_F(SinkFiles, JournaldGetsOneDatagramForEach) {
  const int socket = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const UniqueFd owner(socket);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path("journald").copy(static_cast<char*>(address.sun_path), sizeof(address.sun_path) - 1);
  const auto outlet = make_journald_outlet(path("journald"));
  EXPECT_THAT(outlet->deliver(events({"1"}), stop_).problem, HasSubstr("No such file"));
  ASSERT_EQ(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_EQ(outlet->deliver(events({"1", "2"}), stop_).taken, 2U);
  std::vector<std::string> got;
  char buffer[8192];
  for (ssize_t size; (size = ::recv(socket, buffer, sizeof(buffer), 0)) > 0;) {
    const std::string text(buffer, static_cast<std::size_t>(size));
    EXPECT_THAT(text, testing::StartsWith("MESSAGE="));
    const std::size_t at = text.find("WARD_ID=") + 8;
    got.push_back(text.substr(at, text.find('\n', at) - at));
  }
  EXPECT_THAT(got, ElementsAre("1", "2"));
}

}  // namespace
}  // namespace ward::enforcer::sinks
