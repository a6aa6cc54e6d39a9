// SPDX-License-Identifier: Apache-2.0
#include "shim/runtime/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "containerd/options.pb.h"
#include "containerd/types.pb.h"

namespace ward::shim::runtime {
namespace {

using testing::ElementsAre;

TEST(CheckpointOptions, BothMessagesOfClientsAreUnderstoodAndNoneIsAllDefaults) {
  containerd::CheckpointOptions current;
  current.set_exit(true);
  current.set_image_path("/image");
  current.set_work_path("/work");
  containerd::Any any;
  any.set_type_url("containerd.runc.v1.CheckpointOptions");
  any.set_value(current.SerializeAsString());
  auto options = decode_checkpoint_options(any);
  ASSERT_TRUE(options.has_value());
  EXPECT_TRUE(options->exit);
  EXPECT_EQ(options->image_path, "/image");
  EXPECT_EQ(options->work_path, "/work");

  containerd::OldCheckpointOptions old;
  old.set_image_path("/image");
  old.set_work_path("/work");
  any.set_type_url("containerd.linux.runc.CheckpointOptions");
  any.set_value(old.SerializeAsString());
  options = decode_checkpoint_options(any);
  ASSERT_TRUE(options.has_value());
  EXPECT_EQ(options->image_path, "/image") << "its last two fields are the other way round";
  EXPECT_EQ(options->work_path, "/work");

  options = decode_checkpoint_options({});
  ASSERT_TRUE(options.has_value());
  EXPECT_FALSE(options->exit);

  any.set_type_url("evil.v1.Options");
  EXPECT_EQ(decode_checkpoint_options(any).error().code, Code::kInvalidArgument);
  EXPECT_NE(decode_checkpoint_options(any).error().message.find("evil.v1.Options"),
            std::string::npos);
  any.set_type_url("containerd.runc.v1.CheckpointOptions");
  any.set_value("\xff\xff");
  EXPECT_EQ(decode_checkpoint_options(any).error().code, Code::kInvalidArgument);
}

TEST(CheckpointOptions, AreFlagsOfTheRuntime) {
  CheckpointOptions options;
  EXPECT_THAT(
      checkpoint_arguments(options, "/i", "/w"),
      ElementsAre("checkpoint", "--image-path", "/i", "--work-path", "/w", "--leave-running"));
  options.exit = options.open_tcp = options.external_unix_sockets = options.terminal =
      options.file_locks = true;
  options.parent_path = "/p";
  options.cgroups_mode = "soft";
  options.empty_namespaces = {"network"};
  EXPECT_THAT(checkpoint_arguments(options, "/i", "/w"),
              ElementsAre("checkpoint", "--image-path", "/i", "--work-path", "/w", "--parent-path",
                          "/p", "--tcp-established", "--ext-unix-sk", "--shell-job", "--file-locks",
                          "--manage-cgroups-mode", "soft", "--empty-ns", "network"));
  RuntimeOptions runtime;
  runtime.no_pivot_root = true;
  EXPECT_THAT(restore_arguments(runtime, "/b", "/i", "/w"),
              ElementsAre("restore", "--detach", "--no-subreaper", "--bundle", "/b", "--image-path",
                          "/i", "--work-path", "/w", "--no-pivot"));
}

TEST(Criu, ANodeWithoutItSaysSo) {
  RuntimeOptions options;
  options.criu_path = "/no/such/criu";
  const auto checked = criu_directory(options, "/nowhere");
  ASSERT_FALSE(checked.has_value());
  EXPECT_EQ(checked.error().code, Code::kFailedPrecondition);
  EXPECT_NE(checked.error().message.find("criu"), std::string::npos);
  EXPECT_NE(checked.error().message.find("/no/such/criu"), std::string::npos);
}

TEST(Criu, F19_TheRuntimeFindsTheOneOfTheOptionsUnderItsName) {
  namespace fs = std::filesystem;
  std::string pattern = fs::temp_directory_path() / "criu-XXXXXX";
  const fs::path directory = ::mkdtemp(pattern.data());
  for (const char* name : {"criu", "criu-4.2"}) {
    std::ofstream(directory / name) << "#!/bin/sh\n";
    fs::permissions(directory / name, fs::perms::owner_all);
  }
  RuntimeOptions options;
  EXPECT_EQ(options.criu_path, "");
  options.criu_path = directory / "criu";
  EXPECT_EQ(criu_directory(options, directory / "bundle").value_or("none"), directory.string());
  EXPECT_FALSE(fs::exists(directory / "bundle"));
  options.criu_path = directory / "criu-4.2";
  for (int i = 0; i < 2; ++i) {
    const auto found = criu_directory(options, directory / "bundle");
    ASSERT_TRUE(found.has_value()) << found.error().message;
    EXPECT_EQ(fs::canonical(fs::path(*found) / "criu"), fs::canonical(options.criu_path));
  }
  fs::remove_all(directory);
}

TEST(Criu, TheLastErrorOfItsLogIsTheReason) {
  EXPECT_EQ(
      find_criu_error("(00.01) Warn  (criu/x.c:1): no\n(00.02)      1: Error (criu/a.c:2): first\n"
                      "(00.03) Error (criu/b.c:3): second\n(00.04) Unlock network\n"),
      "Error (criu/b.c:3): second");
  EXPECT_EQ(find_criu_error(""), "");
}

}  // namespace
}  // namespace ward::shim::runtime
