// SPDX-License-Identifier: Apache-2.0
#include "lib/oci/bundle.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "lib/base/digest.h"
#include "lib/base/file.h"

namespace ward::oci {
namespace {

constexpr const char* kConfig =
    R"({"zeta":1,"ociVersion":"1.0.2","process":{"user":{"uid":7},"noNewPrivileges":false,"terminal":true,"args":["a"],)"
    R"("capabilities":{"bounding":["CAP_KILL","CAP_CHOWN"],"permitted":null,"future":[1]}},"root":{"path":"rootfs"},)"
    R"("annotations":{"run.oci.keep":"1","ward.dev/mode":"enforce"},)"
    R"("linux":{"cgroupsPath":"/x","namespaces":[{"type":"mount"},{"type":"pid"}],"unknown":{"b":1,"a":[true,null,1.5]}}})";

class Bundle : public testing::Test {
 protected:
  Bundle() : path_(std::filesystem::temp_directory_path() / ("ward-bundle-" + random_hex(6))) {
    std::filesystem::create_directory(path_);
  }
  ~Bundle() override { std::filesystem::remove_all(path_); }
  std::filesystem::path path_;
};

TEST(Config, CarriesTheUnknownThroughInItsOrder) {
  EXPECT_EQ(Config::parse(kConfig)->dump(), kConfig);
}

TEST(Config, ReadsWhatWardAsksFor) {
  const auto config = Config::parse(kConfig);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->annotations().at("ward.dev/mode"), "enforce");
  EXPECT_EQ(config->capabilities()->bounding, (CapabilitySet{"CAP_CHOWN", "CAP_KILL"}));
  EXPECT_TRUE(config->capabilities()->permitted.empty());
  EXPECT_FALSE(config->no_new_privileges());
  EXPECT_TRUE(config->terminal());
  EXPECT_EQ(config->cgroups_path(), "/x");
  EXPECT_EQ(config->root_path(), "rootfs");
  EXPECT_TRUE(config->has_private_pid_namespace());
  EXPECT_FALSE(config->seccomp()->has_value());
}

TEST(Config, APidNamespaceWithAPathIsNotPrivate) {
  EXPECT_FALSE(Config::parse(R"({"linux":{"namespaces":[{"type":"pid","path":"/proc/1/ns/pid"}]}})")
                   ->has_private_pid_namespace());
  EXPECT_FALSE(Config::parse(R"({"linux":{"namespaces":[]}})")->has_private_pid_namespace());
  EXPECT_FALSE(Config::parse("{}")->has_private_pid_namespace());
}

TEST(Config, ChangesOnlyWhatIsSet) {
  auto config = Config::parse(kConfig);
  Seccomp seccomp;
  seccomp.default_action = SeccompAction::kErrno;
  config->set_seccomp(seccomp);
  config->set_no_new_privileges(true);
  config->set_capabilities({});
  config->remove_annotations_with_prefix("run.oci.");
  EXPECT_EQ(
      config->dump(),
      R"({"zeta":1,"ociVersion":"1.0.2","process":{"user":{"uid":7},"noNewPrivileges":true,"terminal":true,"args":["a"],)"
      R"("capabilities":{"bounding":[],"permitted":[],"future":[1],"effective":[],"inheritable":[],"ambient":[]}},"root":{"path":"rootfs"},)"
      R"("annotations":{"ward.dev/mode":"enforce"},)"
      R"("linux":{"cgroupsPath":"/x","namespaces":[{"type":"mount"},{"type":"pid"}],"unknown":{"b":1,"a":[true,null,1.5]},)"
      R"("seccomp":{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[]}}})");
}

TEST(Config, HostileDocumentsAreRefusedWithAReason) {
  std::string deep = R"({"a":)";
  for (int i = 0; i < 100'000; ++i) deep += '[';
  EXPECT_EQ(Config::parse(deep).error().code, Code::kResourceExhausted);
  EXPECT_EQ(Config::parse(std::string(kMaxConfigBytes + 1, ' ')).error().code,
            Code::kResourceExhausted);
  EXPECT_EQ(Config::parse("").error().code, Code::kInvalidArgument);
  EXPECT_EQ(Config::parse("{").error().message.find("json.exception"), std::string::npos);
  EXPECT_EQ(Config::parse("[]").error().message, "config.json: the document must be an object");
  EXPECT_FALSE(Config::parse("{} {}"));
  EXPECT_FALSE(Config::parse("{\"a\":\"\xff\"}"));
  EXPECT_EQ(Config::parse(R"({"process":[]})").error().message,
            "config.json: process must be an object");
  EXPECT_EQ(Config::parse(R"({"annotations":{"a":1}})").error().message,
            "config.json: annotations must be strings");
  EXPECT_EQ(Config::parse(R"({"process":{"capabilities":{"ambient":"all"}}})").error().message,
            "config.json: process.capabilities.ambient must be a list of strings");
  EXPECT_FALSE(Config::parse(R"({"linux":{"seccomp":[]}})"));
  EXPECT_FALSE(Config::parse("{\"\x1b[2J\":").error().message.find("\x1b") != std::string::npos);
}

// The runtime reads keys without regard to case: a second spelling would undo what Ward wrote under
// the first.
TEST(Config, I2_AKeyThatTheRuntimeTakesForAnotherIsRefused) {
  for (const char* text :
       {R"({"Linux":{}})", R"({"linux":{"SECCOMP":null}})", R"({"process":{"Capabilities":{}}})",
        R"({"process":{"capabilities":{"Bounding":[]}}})",
        R"({"process":{"nonewprivileges":false}})", "{\"proce\xC5\xBFs\":{}}",
        R"({"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","Syscalls":[]}}})"}) {
    const auto config = Config::parse(text);
    ASSERT_FALSE(config) << text;
    EXPECT_NE(config.error().message.find("must be spelt"), std::string::npos)
        << config.error().message;
  }
  EXPECT_FALSE(ProcessSpec::parse(R"({"capabilitieS":{"bounding":["CAP_SYS_ADMIN"]}})"));
}

TEST_F(Bundle, WriteKeepsTheContainersOriginalOnce) {
  ASSERT_TRUE(write_file_atomically(path_ / "config.json", kConfig, 0644));
  for (int i = 0; i < 2; ++i) {
    auto config = Config::read(path_);
    ASSERT_TRUE(config);
    config->set_no_new_privileges(true);
    ASSERT_TRUE(config->write(path_));
  }
  EXPECT_EQ(read_file(path_ / "config.json.orig").value(), kConfig);
  EXPECT_TRUE(Config::read(path_)->no_new_privileges());
  EXPECT_EQ(std::filesystem::status(path_ / "config.json").permissions(),
            std::filesystem::perms(0644));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(path_), {}), 2);
}

TEST_F(Bundle, AMissingConfigIsNotFound) {
  EXPECT_EQ(Config::read(path_).error().code, Code::kNotFound);
}

TEST(ProcessSpec, SaysWhatItIsToRun) {
  const auto spec = ProcessSpec::parse(
      R"({"args":["probe","-x"],"env":["PATH=/a","PATH=/b","X=1"],"cwd":"/srv"})");
  ASSERT_TRUE(spec);
  EXPECT_EQ(spec->program(), "probe");
  EXPECT_EQ(spec->variable("PATH"), "/b") << "the last one is what the program gets";
  EXPECT_EQ(spec->variable("Y"), "");
  EXPECT_EQ(spec->directory(), "/srv");
  for (const char* odd : {R"({})", R"({"args":7,"env":{},"cwd":[]})", R"({"args":[],"env":[7]})",
                          R"({"args":[7],"env":null,"cwd":null})"}) {
    const auto none = ProcessSpec::parse(odd);
    ASSERT_TRUE(none);
    EXPECT_EQ(none->program() + none->variable("PATH") + none->directory(), "") << odd;
  }
}

TEST(ProcessSpec, FollowsTheSameRules) {
  auto spec = ProcessSpec::parse(R"({"cwd":"/","capabilities":{"bounding":["CAP_KILL"]},"x":1})");
  ASSERT_TRUE(spec);
  EXPECT_EQ(spec->capabilities()->bounding, CapabilitySet{"CAP_KILL"});
  spec->set_no_new_privileges(true);
  spec->set_terminal(false);
  EXPECT_EQ(
      spec->dump(),
      R"({"cwd":"/","capabilities":{"bounding":["CAP_KILL"]},"x":1,"noNewPrivileges":true,"terminal":false})");
  EXPECT_FALSE(ProcessSpec::parse("7"));
}

}  // namespace
}  // namespace ward::oci
