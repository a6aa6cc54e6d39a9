// SPDX-License-Identifier: Apache-2.0
// Checkpoint and restore: with CRIU where it runs, and everywhere with a runtime that only writes
// down what it was asked and makes a process where CRIU would.
#include <csignal>
#include <fstream>

#include "tests/integration/task_api_base.h"
#include "tests/support/peers.h"

namespace ward::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Checkpoint : public TaskApiTest {
 protected:
  // `checkpoint` fails as CRIU does where the file "fails" exists; `restore` starts a process that
  // sleeps.
  std::string make_restoring_runtime(const fs::path& directory) {
    const auto path = directory / "restoring-runtime";
    std::ofstream(path)
        << "#!/bin/sh\ncd " << directory.string() << "\nall=\"$*\"\n"
        << "while [ $# -gt 0 ]; do case $1 in --pid-file) pid_file=$2;; --work-path) work=$2;; "
           "--log) log=$2;; --criu) echo 'flag provided but not defined: -criu' >&2; exit 1;; "
           "checkpoint|restore) verb=$1;; esac; shift; done\n"
           "[ -z \"$verb\" ] || echo \"$verb finds $(readlink -f \"$(command -v criu)\")\" "
           ">>calls\n"
           "case $verb in\ncheckpoint) echo \"$all\" >>calls\n"
           "  [ -e fails ] || exit 0\n  mkdir -p \"$work\"\n"
           "  echo '(00.02) Error (criu/vdso.c:7): unexpected vdso' >\"$work/dump.log\"\n"
           "  echo '{\"level\":\"error\",\"msg\":\"criu failed: type NOTIFY errno 0\"}' >>$log; "
           "exit 1;;\n"
           "restore) echo \"$all\" >>calls\n  [ ! -e fails ] || exit 1\n"
           "  sleep 1000 </dev/null >/dev/null 2>&1 & printf %s $! >\"$pid_file\"; exit 0;;\n"
           "esac\nset -- $all\nexec runc \"$@\"\n";
    fs::permissions(path, fs::perms::owner_all);
    for (const char* name : {"criu", "criu-of-another-name"}) {
      std::ofstream(directory / name) << "#!/bin/sh\nexit 1\n";
      fs::permissions(directory / name, fs::perms::owner_all);
    }
    return path;
  }
  containerd::CreateTaskRequest request_for(const Bundle& bundle, const std::string& criu = {}) {
    containerd::RuncOptions options;
    options.set_binary_name(make_restoring_runtime(bundle.path()));
    options.set_criu_path(criu.empty() ? (bundle.path() / "criu").string() : criu);
    auto request = bundle.create_request();
    request.mutable_options()->set_type_url("containerd.runc.v1.Options");
    request.mutable_options()->set_value(options.SerializeAsString());
    return request;
  }
  Result<containerd::Empty> checkpoint(const std::string& id, const std::string& path,
                                       const containerd::CheckpointOptions* options = nullptr) {
    containerd::CheckpointTaskRequest request;
    request.set_id(id);
    request.set_path(path);
    if (options != nullptr) {
      request.mutable_options()->set_type_url("containerd.runc.v1.CheckpointOptions");
      request.mutable_options()->set_value(options->SerializeAsString());
    }
    return tasks_->call<containerd::Empty>("Checkpoint", request);
  }
};

TEST_F(Checkpoint, OptionsReachTheRuntimeAndNoneAtAllIsFine) {
  const Bundle& bundle = make_bundle("dumped", {"/box", "wait"});
  ASSERT_TRUE(create(request_for(bundle)).has_value());
  EXPECT_EQ(code_of(checkpoint("dumped", "/images")), Code::kFailedPrecondition)
      << "it does not run yet";
  ASSERT_TRUE(tasks_->start("dumped").has_value());
  const auto plain = checkpoint("dumped", "/images");
  ASSERT_TRUE(plain.has_value()) << plain.error().message;
  containerd::CheckpointOptions options;
  options.set_exit(true);
  options.set_open_tcp(true);
  options.set_work_path((bundle.path() / "own-work").string());
  ASSERT_TRUE(checkpoint("dumped", "/images2", &options).has_value());
  const auto calls = read_file(bundle.path() / "calls").value_or("");
  EXPECT_THAT(calls, HasSubstr("checkpoint --image-path /images --work-path"));
  EXPECT_THAT(calls, HasSubstr("--leave-running"));
  EXPECT_THAT(calls,
              HasSubstr("--image-path /images2 --work-path " +
                        (bundle.path() / "own-work").string() + " --tcp-established dumped"));
  EXPECT_THAT(calls, HasSubstr("checkpoint finds " + (bundle.path() / "criu").string() + "\n"));
  EXPECT_EQ(code_of(checkpoint("dumped", "")), Code::kInvalidArgument);
}

// runc knows a flag for it up to 1.1, ignores it from 1.2 on and refuses it from 1.4 on.
TEST_F(Checkpoint, F19_CriuOfAnyNameIsTheOneThatTheRuntimeFinds) {
  const Bundle& bundle = make_bundle("named", {"/box", "wait"});
  const std::string criu = bundle.path() / "criu-of-another-name";
  ASSERT_TRUE(create(request_for(bundle, criu)).has_value());
  ASSERT_TRUE(tasks_->start("named").has_value());
  for (const char* images : {"/images", "/images2"}) {
    const auto result = checkpoint("named", images);
    ASSERT_TRUE(result.has_value()) << result.error().message;
  }
  EXPECT_THAT(
      read_file(bundle.path() / "calls").value_or(""),
      testing::ContainsRegex("checkpoint finds " + criu + "\n.*\ncheckpoint finds " + criu + "\n"));
  const Bundle& other = make_bundle("restored-by-name", {"/box", "wait"});
  const std::string its_own = other.path() / "criu-of-another-name";
  auto request = request_for(other, its_own);
  request.set_checkpoint("/images");
  ASSERT_TRUE(create(request).has_value());
  ASSERT_TRUE(tasks_->start("restored-by-name").has_value());
  EXPECT_THAT(read_file(other.path() / "calls").value_or(""),
              HasSubstr("restore finds " + its_own + "\n"));
  ASSERT_TRUE(tasks_->kill("restored-by-name", SIGKILL).has_value());
  EXPECT_EQ(tasks_->wait("restored-by-name")->exit_status(), 137U);
}

TEST_F(Checkpoint, WhatCriuSaysIsTheReason) {
  const Bundle& bundle = make_bundle("undumped", {"/box", "wait"});
  ASSERT_TRUE(create(request_for(bundle)).has_value());
  ASSERT_TRUE(tasks_->start("undumped").has_value());
  std::ofstream(bundle.path() / "fails").flush();
  const auto result = checkpoint("undumped", "/images");
  ASSERT_FALSE(result.has_value());
  EXPECT_THAT(result.error().message, HasSubstr("OCI runtime checkpoint failed"));
  EXPECT_THAT(result.error().message, HasSubstr("unexpected vdso"));
  EXPECT_EQ(status("undumped"), containerd::STATUS_RUNNING);
}

TEST_F(Checkpoint, WithoutCriuTheErrorNamesIt) {
  const Bundle& bundle = make_bundle("no-criu", {"/box", "wait"});
  ASSERT_TRUE(create(request_for(bundle, "/no/such/criu")).has_value());
  ASSERT_TRUE(tasks_->start("no-criu").has_value());
  const auto result = checkpoint("no-criu", "/images");
  EXPECT_EQ(code_of(result), Code::kFailedPrecondition);
  EXPECT_THAT(message_of(result), HasSubstr("criu"));
  const Bundle& other = make_bundle("no-criu-either", {"/box", "wait"});
  auto request = request_for(other, "/no/such/criu");
  request.set_checkpoint("/images");
  EXPECT_EQ(code_of(create(request)), Code::kFailedPrecondition);
  EXPECT_EQ(code_of(tasks_->state("no-criu-either")), Code::kNotFound);
}

TEST_F(Checkpoint, ARestoredContainerHasNoPidUntilItIsStarted) {
  const Bundle& bundle = make_bundle("restored", {"/box", "wait"});
  auto request = request_for(bundle);
  request.set_checkpoint("/images");
  const auto created = create(request);
  ASSERT_TRUE(created.has_value()) << created.error().message;
  EXPECT_EQ(created->pid(), 0U);
  EXPECT_EQ(status("restored"), containerd::STATUS_CREATED);
  const auto started = tasks_->start("restored");
  ASSERT_TRUE(started.has_value()) << started.error().message;
  EXPECT_EQ(::kill(static_cast<pid_t>(started->pid()), 0), 0);
  EXPECT_EQ(status("restored"), containerd::STATUS_RUNNING);
  EXPECT_THAT(read_file(bundle.path() / "calls").value_or(""),
              HasSubstr("restore --detach --no-subreaper --bundle"));
  ASSERT_TRUE(tasks_->kill("restored", SIGKILL).has_value());
  EXPECT_EQ(tasks_->wait("restored")->exit_status(), 137U);
  EXPECT_TRUE(tasks_->remove("restored").has_value()) << "the runtime never knew it";
}

TEST_F(Checkpoint, OneThatWasNeverRestoredCanBeDeletedAndAFailedRestoreRepeated) {
  const Bundle& bundle = make_bundle("unrestored", {"/box", "wait"});
  auto request = request_for(bundle);
  request.set_checkpoint("/images");
  ASSERT_TRUE(create(request).has_value());
  std::ofstream(bundle.path() / "fails").flush();
  const auto failed = tasks_->start("unrestored");
  ASSERT_FALSE(failed.has_value());
  EXPECT_THAT(failed.error().message, HasSubstr("OCI runtime restore failed"));
  EXPECT_EQ(status("unrestored"), containerd::STATUS_CREATED);
  EXPECT_EQ(code_of(tasks_->kill("unrestored", SIGKILL)), Code::kNotFound);
  const auto deleted = tasks_->remove("unrestored");
  ASSERT_TRUE(deleted.has_value()) << deleted.error().message;
  EXPECT_EQ(deleted->pid(), 0U);
  EXPECT_EQ(code_of(tasks_->state("unrestored")), Code::kNotFound);
}

TEST_F(Checkpoint, WithCriuItselfWhereItRuns) {
  const Output check = run({criu_program(), "check"});
  if (check.status != 0) GTEST_SKIP() << "criu does not run here: " << check.out << check.err;
  const Bundle& bundle = make_bundle("dump", {"/box", "wait"});
  ASSERT_TRUE(create(bundle.create_request()).has_value());
  ASSERT_TRUE(tasks_->start("dump").has_value());
  const auto images = bundle.path() / "images";
  containerd::CheckpointOptions options;
  options.set_exit(true);
  const auto result = checkpoint("dump", images, &options);
  if (!result && result.error().message.find("criu") != std::string::npos) {
    GTEST_SKIP() << "criu runs here, but cannot dump: " << result.error().message;
  }
  ASSERT_TRUE(result.has_value()) << result.error().message;
  ASSERT_TRUE(tasks_->wait("dump").has_value());
  ASSERT_TRUE(tasks_->remove("dump").has_value()) << "the runtime has forgotten it already";
  auto request = bundle.create_request();
  request.set_checkpoint(images);
  ASSERT_TRUE(create(request).has_value());
  ASSERT_TRUE(tasks_->start("dump").has_value());
  ASSERT_TRUE(tasks_->kill("dump", SIGTERM).has_value());
  EXPECT_EQ(tasks_->wait("dump")->exit_status(), 42U);
}

}  // namespace
}  // namespace ward::test
