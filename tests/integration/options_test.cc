// SPDX-License-Identifier: Apache-2.0
// What a client's options make of the runtime's command line, whatever message they come in.
#include <csignal>
#include <fstream>

#include "lib/linux/cgroup_controllers.h"
#include "tests/integration/task_api_base.h"

namespace ward::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

class Options : public TaskApiTest {
 protected:
  // Writes its command lines down, and leaves out what the machine has no systemd for.
  static std::string make_runtime(const fs::path& directory) {
    const auto path = directory / "own-runtime";
    std::ofstream(path) << "#!/bin/sh\necho \"$*\" >>'" << (directory / "calls").string()
                        << "'\nfor word; do shift; [ \"$word\" = --systemd-cgroup ] || set -- "
                           "\"$@\" \"$word\"; done\n"
                           "exec runc \"$@\"\n";
    fs::permissions(path, fs::perms::owner_all);
    return path;
  }
  std::string calls_of(const Bundle& bundle, const std::string& type, const std::string& value) {
    auto request = bundle.create_request();
    request.mutable_options()->set_type_url(type);
    request.mutable_options()->set_value(value);
    const auto created = create(request);
    EXPECT_TRUE(created.has_value()) << created.error().message;
    return read_file(bundle.path() / "calls").value_or("");
  }
  static std::string table(const Bundle& bundle, const std::string& runtime) {
    return "BinaryName = \"" + runtime + "\"\nRoot = '" + (bundle.path() / "root").string() +
           "'\nNoPivotRoot = true\nNoNewKeyring = true # as well\nSystemdCgroup = true\n";
  }
  static void expect_all(const Bundle& bundle, const std::string& calls) {
    EXPECT_THAT(calls, HasSubstr("--root " + (bundle.path() / "root").string() + "/" +
                                 node().name() + " --log"));
    EXPECT_THAT(calls, HasSubstr("--systemd-cgroup create --bundle " + bundle.path().string()));
    EXPECT_THAT(calls, HasSubstr("--no-pivot"));
    EXPECT_THAT(calls, HasSubstr("--no-new-keyring"));
  }
};

TEST_F(Options, OfRuncReachTheRuntime) {
  const Bundle& bundle = make_bundle("runc-options", {"/box", "wait"});
  containerd::RuncOptions options;
  options.set_binary_name(make_runtime(bundle.path()));
  options.set_root(bundle.path() / "root");
  options.set_no_pivot_root(true);
  options.set_no_new_keyring(true);
  options.set_systemd_cgroup(true);
  expect_all(bundle, calls_of(bundle, "containerd.runc.v1.Options", options.SerializeAsString()));
}

TEST_F(Options, InATableReachTheRuntime) {
  const Bundle& bundle = make_bundle("body-options", {"/box", "wait"});
  containerd::RuntimeOptions options;
  options.set_type_url("containerd.runc.v1.Options");
  options.set_config_body(table(bundle, make_runtime(bundle.path())));
  expect_all(bundle, calls_of(bundle, "runtimeoptions.v1.Options", options.SerializeAsString()));
}

TEST_F(Options, InAFileReachTheRuntimeAndComeBeforeATable) {
  const Bundle& bundle = make_bundle("file-options", {"/box", "wait"});
  const auto path = bundle.path() / "options.toml";
  std::ofstream(path) << table(bundle, make_runtime(bundle.path()));
  containerd::RuntimeOptions options;
  options.set_config_path(path);
  options.set_config_body("BinaryName = \"/no/such/runtime\"\n");
  expect_all(bundle, calls_of(bundle, "type.googleapis.com/runtimeoptions.v1.Options",
                              options.SerializeAsString()));
}

TEST_F(Options, NoneAreTheDefaultsOfContainerdsOwnShim) {
  const Bundle& bundle = create_box("no-options");
  EXPECT_TRUE(fs::exists("/run/containerd/runc/" + node().name() + "/" + bundle.id()));
  EXPECT_THAT(read_file(bundle.path() / "runtime").value_or(""), HasSubstr("runc"));
  EXPECT_EQ(read_file(bundle.path() / "options.json").value_or(""), "{}");
}

TEST_F(Options, WhatIsWrongInThemIsNamed) {
  const Bundle& bundle = make_bundle("wrong-options", {"/box", "wait"});
  const auto refuse = [&](const std::string& type, const std::string& value) {
    auto request = bundle.create_request();
    request.mutable_options()->set_type_url(type);
    request.mutable_options()->set_value(value);
    const auto created = create(request);
    EXPECT_FALSE(created.has_value());
    return std::make_pair(code_of(created), message_of(created));
  };
  EXPECT_THAT(refuse("evil.v1.Options", "x"),
              testing::Pair(Code::kInvalidArgument, HasSubstr("evil.v1.Options")));
  EXPECT_THAT(refuse("containerd.runc.v1.Options", "\xff\xff"),
              testing::Pair(Code::kInvalidArgument, HasSubstr("containerd.runc.v1.Options")));
  containerd::RuntimeOptions options;
  options.set_config_body("\nSystemdCgroup = maybe\n");
  EXPECT_THAT(refuse("runtimeoptions.v1.Options", options.SerializeAsString()),
              testing::Pair(Code::kInvalidArgument, HasSubstr("line 2")));
  options.set_config_path("/no/such/file");
  EXPECT_THAT(refuse("runtimeoptions.v1.Options", options.SerializeAsString()),
              testing::Pair(Code::kNotFound, HasSubstr("/no/such/file")));
  const fs::path fifo = bundle.path() / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  options.set_config_path(fifo);
  EXPECT_THAT(refuse("runtimeoptions.v1.Options", options.SerializeAsString()),
              testing::Pair(Code::kInvalidArgument, HasSubstr("no regular file")));
  containerd::RuncOptions runc;
  runc.set_binary_name("no-such-runtime");
  EXPECT_THAT(refuse("containerd.runc.v1.Options", runc.SerializeAsString()),
              testing::Pair(Code::kNotFound, HasSubstr("no-such-runtime")));
  EXPECT_EQ(code_of(tasks_->state("wrong-options")), Code::kNotFound);
}

TEST_F(Options, AShimCgroupHoldsTheShim) {
  if (!CgroupHierarchies::read()->find("pids", "1:pids:/x\n").has_parent_path())
    GTEST_SKIP() << "no pids controller";
  const fs::path file = node().directory() / "cgroup.toml";
  const std::string cgroup = "/" + node().name() + "-shims";
  std::ofstream(file) << "ShimCgroup = \"" << cgroup << "\"\n";
  const std::string id = node().unique("shim-cgroup");
  const Output started =
      node().ctr({"run", "-d", "--runtime", kWardRuntime, "--runtime-config-path", file.string(),
                  kBoxImage, id, "/box", "wait"});
  ASSERT_EQ(started.status, 0) << started.err;
  const pid_t shim = node().shim_pid(id);
  EXPECT_THAT(read_cgroup_membership(shim).value_or(""), HasSubstr("pids:" + cgroup + "\n"));
  EXPECT_THAT(read_cgroup_membership(node().task_pid(id)).value_or(""), Not(HasSubstr(cgroup)));
  node().remove(id);
  EXPECT_TRUE(await([&] { return ::kill(shim, 0) != 0; }));
  // The shim has left it; who asked for it takes it away.
  for (const auto& hierarchy : fs::directory_iterator("/sys/fs/cgroup")) {
    std::error_code ignored;
    if (!hierarchy.is_symlink()) fs::remove(hierarchy.path().string() + cgroup, ignored);
  }
}

}  // namespace
}  // namespace ward::test
