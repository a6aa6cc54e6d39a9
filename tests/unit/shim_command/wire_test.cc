// SPDX-License-Identifier: Apache-2.0
// What comes from outside as bytes or text: standard input of start, flags, ids.
#include <gtest/gtest.h>

#include "containerd/options.pb.h"
#include "shim/command/invocation.h"
#include "shim/command/shim_address.h"
#include "shim/command/start_options.h"
#include "shim/task/task_service.h"
#include "tests/support/any_message.h"

namespace ward::shim::command {
namespace {

using test::any_of;

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
