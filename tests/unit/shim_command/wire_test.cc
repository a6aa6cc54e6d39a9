// SPDX-License-Identifier: Apache-2.0
// What comes from outside as bytes or text: options, standard input of start, flags, ids, logs.
#include <gtest/gtest.h>

#include "containerd/options.pb.h"
#include "shim/command/invocation.h"
#include "shim/command/shim_address.h"
#include "shim/command/start_options.h"
#include "shim/runtime/runc.h"
#include "shim/runtime/runtime_options.h"
#include "shim/task/task_service.h"

namespace ward::shim::command {
namespace {

containerd::Any any_of(const std::string& type, const google::protobuf::MessageLite& message) {
  containerd::Any any;
  any.set_type_url(type);
  any.set_value(message.SerializeAsString());
  return any;
}

TEST(RuntimeOptions, AllThreeMessagesOfClientsAreUnderstood) {
  containerd::RuncOptions runc;
  runc.set_binary_name("crun");
  runc.set_root("/r");
  EXPECT_EQ(runtime::decode_options(any_of("containerd.runc.v1.Options", runc))->binary_name,
            "crun");
  EXPECT_EQ(
      runtime::decode_options(any_of("type.googleapis.com/containerd.runc.v1.Options", runc))->root,
      "/r");
  containerd::CreateOptions create;
  create.set_io_uid(7);
  EXPECT_EQ(runtime::decode_options(any_of("containerd.linux.runc.CreateOptions", create))->io_uid,
            7U);
  containerd::RuntimeOptions generic;
  generic.set_config_body("BinaryName = \"runc\"\nSystemdCgroup = true\n");
  EXPECT_TRUE(
      runtime::decode_options(any_of("runtimeoptions.v1.Options", generic))->systemd_cgroup);
  EXPECT_EQ(*runtime::decode_options({}), runtime::RuntimeOptions{});
}

TEST(RuntimeOptions, AnUnknownTypeOrGarbageIsInvalidAndNamesTheType) {
  containerd::Any any;
  any.set_type_url("evil.v1.Options");
  any.set_value("x");
  auto options = runtime::decode_options(any);
  ASSERT_FALSE(options.has_value());
  EXPECT_EQ(options.error().code, Code::kInvalidArgument);
  EXPECT_NE(options.error().message.find("evil.v1.Options"), std::string::npos);
  any.set_type_url("containerd.runc.v1.Options");
  any.set_value("\xff\xff\xff");
  EXPECT_EQ(runtime::decode_options(any).error().code, Code::kInvalidArgument);
}

TEST(RuntimeOptions, TheTableOfContainerdIsRead) {
  const auto options = runtime::parse_options_table(
      "# comment\n  BinaryName = '/usr/bin/crun' # why\r\nRoot=\"/a \\\"b\\\"\"\nNoPivotRoot = "
      "true\nIoUid = 1000\n"
      "Unknown = [1, 2]\n[table]\nBinaryName = \"other\"\n");
  ASSERT_TRUE(options.has_value());
  EXPECT_EQ(options->binary_name, "/usr/bin/crun");
  EXPECT_EQ(options->root, "/a \"b\"");
  EXPECT_TRUE(options->no_pivot_root);
  EXPECT_EQ(options->io_uid, 1000U);
}

TEST(RuntimeOptions, AValueOfTheWrongTypeIsRefusedWithItsLine) {
  for (const char* text :
       {"\nBinaryName = 5\n", "\nSystemdCgroup = yes\n", "\nIoUid = -1\n", "\nRoot = \"open\n"}) {
    const auto options = runtime::parse_options_table(text);
    ASSERT_FALSE(options.has_value()) << text;
    EXPECT_EQ(options.error().message.substr(0, 7), "line 2:");
  }
}

TEST(StartOptions, BothGenerationsOfStandardInputAreTold) {
  containerd::RuncOptions runc;
  runc.set_shim_cgroup("/c");
  const auto any = any_of("containerd.runc.v1.Options", runc);
  const auto old = parse_start_options(any.SerializeAsString(), "ns", "id");
  ASSERT_TRUE(old.has_value());
  EXPECT_EQ(old->runtime.shim_cgroup, "/c");

  containerd::BootstrapParams params;
  params.set_instance_id("id");
  params.set_namespace_("ns");
  params.set_socket_dir("/s");
  *params.add_extensions()->mutable_value() = any;
  const auto newer = parse_start_options(params.SerializeAsString(), "ns", "id");
  ASSERT_TRUE(newer.has_value());
  EXPECT_EQ(newer->runtime.shim_cgroup, "/c");
  EXPECT_EQ(newer->socket_directory, "/s");
  EXPECT_TRUE(parse_start_options("", "ns", "id").has_value());
  EXPECT_FALSE(parse_start_options("\xff\xff", "ns", "id").has_value());
}

TEST(Invocation, ContainerdsCommandLinesAreUnderstood) {
  const auto start = parse_invocation({"-namespace", "n", "-address", "/a", "-publish-binary", "/c",
                                       "-id", "i", "-debug", "start"});
  ASSERT_TRUE(start.has_value());
  EXPECT_EQ(start->action, Action::kStart);
  EXPECT_EQ(start->action_at, 9U);
  EXPECT_EQ(start->id, "i");
  EXPECT_TRUE(start->debug);
  const auto awkward = parse_invocation({"-namespace", "start", "start", "-id", "start"});
  ASSERT_TRUE(awkward.has_value());
  EXPECT_EQ(awkward->action, Action::kStart);
  EXPECT_EQ(awkward->action_at, 2U);
  const auto remove = parse_invocation({"--namespace=n", "--id=i", "-bundle", "/b", "delete"});
  ASSERT_TRUE(remove.has_value());
  EXPECT_EQ(remove->action, Action::kDelete);
  EXPECT_EQ(remove->bundle, "/b");
  EXPECT_EQ(parse_invocation({"-info"})->action, Action::kInfo);
  EXPECT_EQ(parse_invocation({"-v"})->action, Action::kVersion);
}

TEST(Invocation, FlagsOfNewerDaemonsArePassedOver) {
  const auto start = parse_invocation(
      {"-future", "start-level", "-namespace", "n", "-id", "i", "-other=1", "start"});
  ASSERT_TRUE(start.has_value());
  EXPECT_EQ(start->action, Action::kStart);
}

TEST(Invocation, WithoutANamespaceNothingRuns) {
  EXPECT_EQ(parse_invocation({"-id", "i", "start"}).error().message,
            "shim namespace cannot be empty");
  EXPECT_FALSE(parse_invocation({"-namespace"}).has_value());
}

TEST(Ids, OnlyWhatIsSafeAsAFileNameIsAnId) {
  for (const char* id : {"a", "web-1", "0_a.b", "A-1_b.2"})
    EXPECT_TRUE(task::is_valid_id(id)) << id;
  for (const char* id :
       {"", ".", "..", "a/b", "../x", "-a", "a-", "a b", "a\n", "\xc3\xa9", "x--y", "x._y", "_"})
    EXPECT_FALSE(task::is_valid_id(id)) << id;
  EXPECT_TRUE(task::is_valid_id(std::string(76, 'a')));
  EXPECT_FALSE(task::is_valid_id(std::string(77, 'a')));
}

TEST(RuncLog, TheLastErrorCounts) {
  EXPECT_EQ(
      runtime::find_last_error(
          "{\"level\":\"error\",\"msg\":\"a\"}\n{\"level\":\"info\",\"msg\":\"i\"}\n"
          "not json\n{\"level\":\"error\",\"msg\":\"b\"}\n{\"level\":\"warning\",\"msg\":\"w\"}"),
      "b");
  EXPECT_EQ(runtime::find_last_error(""), "");
  EXPECT_EQ(runtime::find_last_error("{\"level\":3,\"msg\":\"x\"}\n[1]\n"), "");
}

TEST(RuncLog, ARecordMayTakeSeveralLines) {  // crun 1.28
  EXPECT_EQ(runtime::find_last_error(
                "{\n  \"msg\": \"first\",\n  \"level\": \"error\"\n}\n"
                "{\n  \"msg\": \"second {}\",\n  \"level\": \"error\"\n}\n{\n  \"msg\": \"cut"),
            "second {}");
}

TEST(RuncLog, AbsenceIsRecognizedInEverySpelling) {
  EXPECT_TRUE(runtime::says_not_found("container \"x\" does not exist"));
  EXPECT_TRUE(runtime::says_not_found("container `x` does not exist"));
  EXPECT_TRUE(runtime::says_not_found("No such process"));
  EXPECT_FALSE(runtime::says_not_found("permission denied"));
}

TEST(ShimAddress, IsTheSameHoweverThePathsAreWritten) {
  const auto path =
      shim_socket_path("/run/containerd/s", "/run/containerd/containerd.sock", "default", "pod");
  EXPECT_EQ(path.size(), std::string("/run/containerd/s/").size() + 64);
  EXPECT_EQ(path, shim_socket_path("/run/containerd/s", "/run//containerd/./containerd.sock",
                                   "default", "pod"));
  EXPECT_NE(path, shim_socket_path("/run/containerd/s", "/run/containerd/containerd.sock", "other",
                                   "pod"));
}

}  // namespace
}  // namespace ward::shim::command
