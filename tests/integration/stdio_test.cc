// SPDX-License-Identifier: Apache-2.0
// Every kind of standard streams, with a real container at one end.
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "tests/integration/task_api_base.h"

namespace ward::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class LogUris : public RuntimeTest {
 protected:
  void SetUp() override {
    RuntimeTest::SetUp();
    directory_ = node().directory() / node().unique("logs");
    fs::create_directory(directory_);
  }
  [[nodiscard]] std::string script(const std::string& text) const {
    const auto path = directory_ / "logger";
    std::ofstream(path) << "#!/bin/sh\ncd " << directory_.string() << "\n" << text;
    fs::permissions(path, fs::perms::owner_all);
    return path;
  }
  [[nodiscard]] std::string text(const char* name) const {
    return read_file(directory_ / name).value_or("");
  }

  fs::path directory_;
};

TEST_P(LogUris, AFileGetsBothStreamsAndItsDirectories) {
  const auto log = directory_ / "a/b/log";
  const std::string id = node().unique("file");
  EXPECT_EQ(run_box(id, {"-d", "--log-uri", "file://" + log.string()}, {"/box", "err"}).status, 0);
  EXPECT_TRUE(await([&] {
    const auto seen = read_file(log).value_or("");
    return seen == "to stdout\nto stderr\n" || seen == "to stderr\nto stdout\n";
  })) << read_file(log).value_or("none");
  node().remove(id);
}

TEST_P(LogUris, ALoggerGetsTheOutputOfItsContainerToTheLastByte) {
  const auto logger = script(
      "echo $CONTAINER_NAMESPACE $CONTAINER_ID \"$@\" > who\nexec 5>&-\ncat <&3 > out &\ncat <&4 > "
      "err\nwait\necho "
      "over > end\n");
  const std::string id = node().unique("binary");
  const Output started =
      run_box(id, {"-d", "--log-uri", "binary://" + logger + "?key=value"}, {"/box", "err"});
  EXPECT_EQ(started.status, 0) << started.err;
  EXPECT_TRUE(await([&] { return node().task_status(id) == "STOPPED"; }));
  EXPECT_EQ(node().ctr({"task", "delete", id}).status, 0);
  EXPECT_TRUE(await([&] { return text("end") == "over\n"; }));
  EXPECT_EQ(text("who"), node().name() + " " + id + " key value\n");
  EXPECT_EQ(text("out"), "to stdout\n");
  EXPECT_EQ(text("err"), "to stderr\n");
  node().remove(id);
}

TEST_P(LogUris, ALoggerThatFailsFailsTheCreateAndLeavesNothing) {
  if (!is_ward())
    GTEST_SKIP() << "the stock shim of containerd 1.6 starts the container without its logger";
  const std::string id = node().unique("no-logger");
  const Output started =
      run_box(id, {"-d", "--log-uri", "binary://" + script("exit 7\n")}, {"/box", "wait"});
  EXPECT_NE(started.status, 0);
  EXPECT_THAT(started.err, HasSubstr("status 7"));
  node().remove(id);
  EXPECT_TRUE(await([&] { return node().shim_pid(id) == -1 && !fs::exists(node().bundle(id)); }));
}

TEST_P(LogUris, AContainerOutlivesItsLogger) {
  if (!is_ward()) GTEST_SKIP() << "the stock shim's container dies of SIGPIPE";
  const auto logger = script("echo $$ > pid\nexec 5>&-\nread line <&3\nexit 1\n");
  const std::string id = node().unique("outlives");
  ASSERT_EQ(run_box(id, {"-d", "--log-uri", "binary://" + logger}, {"/box", "tick", "300"}).status,
            0);
  // Three hundred ticks take three seconds, and every one of them is a write.
  EXPECT_TRUE(await([&] { return node().task_status(id) == "STOPPED"; }));
  const Output deleted = node().ctr({"task", "delete", id});
  EXPECT_EQ(deleted.status, 0) << "it ended with status 0: " << deleted.err;
  node().remove(id);
}

// containerd hands the URI on as it is, whatever its version; the stock shim knows it from 2.3 on.
TEST_P(LogUris, ALoggerOfTheSecondVersionSaysAByteAndGetsTheOutputToTheLastByte) {
  if (!is_ward()) GTEST_SKIP() << "the stock shim knows binary-v2 from containerd 2.3 on only";
  const auto logger = script(
      "echo $CONTAINER_ID \"$@\" > who\nprintf r >&5\nexec 5>&-\ncat <&3 > out &\ncat <&4 > "
      "err\nwait\necho over > "
      "end\n");
  const std::string id = node().unique("second");
  const Output started =
      run_box(id, {"-d", "--log-uri", "binary-v2://" + logger + "?key=a%20b"}, {"/box", "err"});
  EXPECT_EQ(started.status, 0) << started.err;
  EXPECT_TRUE(await([&] { return node().task_status(id) == "STOPPED"; }));
  EXPECT_EQ(node().ctr({"task", "delete", id}).status, 0);
  EXPECT_TRUE(await([&] { return text("end") == "over\n"; }));
  EXPECT_EQ(text("who"), id + " key a b\n");
  EXPECT_EQ(text("out"), "to stdout\n");
  EXPECT_EQ(text("err"), "to stderr\n");
  node().remove(id);
}

TEST_P(LogUris, ALoggerOfTheSecondVersionThatEndsBeforeItsByteFailsTheCreateAndLeavesNothing) {
  if (!is_ward()) GTEST_SKIP() << "the stock shim knows binary-v2 from containerd 2.3 on only";
  const std::pair<const char*, const char*> loggers[] = {
      {"exit 0\n", "logger"},
      {"exit 7\n", "status 7"},
      {"exec 5>&-\ncat <&3\n", "closed its descriptor 5 without a byte"}};
  for (const auto& [body, says] : loggers) {
    const std::string id = node().unique("silent");
    const Output started =
        run_box(id, {"-d", "--log-uri", "binary-v2://" + script(body)}, {"/box", "wait"});
    EXPECT_NE(started.status, 0) << body;
    EXPECT_THAT(started.err, HasSubstr(says)) << body;
    node().remove(id);
    EXPECT_TRUE(await([&] { return node().shim_pid(id) == -1 && !fs::exists(node().bundle(id)); }))
        << body;
  }
}

INSTANTIATE_TEST_SUITE_P(Runtime, LogUris, testing::ValuesIn(runtimes()), runtime_name);

class Streams : public TaskApiTest {
 protected:
  std::string fifo(const Bundle& bundle, const char* name) {
    const std::string path = bundle.path() / name;
    EXPECT_EQ(::mkfifo(path.c_str(), 0600), 0);
    return path;
  }
  std::string read_available(int fd) {
    char buffer[65536];
    const ssize_t n = ::read(fd, buffer, sizeof(buffer));
    return n > 0 ? std::string(buffer, static_cast<std::size_t>(n)) : std::string();
  }
};

TEST_F(Streams, AReaderThatVanishesAndReturnsNeitherStopsNorKillsTheContainer) {
  const Bundle& bundle = make_bundle("vanish", {"/box", "tick", "0"});
  auto request = bundle.create_request();
  request.set_stdout(fifo(bundle, "out"));
  UniqueFd reader(::open(request.stdout().c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  ASSERT_TRUE(create(request).has_value());
  ASSERT_TRUE(tasks_->start("vanish").has_value());
  for (int round = 0; round < 3; ++round) {
    EXPECT_TRUE(await([&] {
      return read_available(reader.get()).find("tick") != std::string::npos;
    })) << round;
    reader.reset();
    EXPECT_EQ(status("vanish"), containerd::STATUS_RUNNING);
    reader.reset(::open(request.stdout().c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  }
}

TEST_F(Streams, ACreateWithoutAnyReaderDoesNotHangAndADeleteDoesNotWaitForOne) {
  const Bundle& bundle = make_bundle("unread", {"/box", "err"});
  auto request = bundle.create_request();
  request.set_stdout(fifo(bundle, "out"));
  request.set_stderr(fifo(bundle, "err"));
  ASSERT_TRUE(create(request).has_value());
  ASSERT_TRUE(tasks_->start("unread").has_value());
  EXPECT_EQ(tasks_->wait("unread")->exit_status(), 0U);
  const auto begin = Clock::now();
  EXPECT_TRUE(tasks_->remove("unread").has_value());
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(5));
}

TEST_F(Streams, AMissingFifoFailsTheCreateAndNamesIt) {
  const Bundle& bundle = make_bundle("missing", {"/box", "err"});
  auto request = bundle.create_request();
  request.set_stdout(bundle.path() / "not-there");
  const auto created = create(request);
  EXPECT_EQ(code_of(created), Code::kNotFound);
  EXPECT_THAT(message_of(created), HasSubstr("not-there"));
  request.set_stdout("carrier-pigeon:///x");
  EXPECT_EQ(message_of(create(request)), "unknown STDIO scheme carrier-pigeon");
}

TEST_F(Streams, TheContainersEndsBelongToTheUserOfItsNamespace) {
  const Bundle& bundle = make_bundle("owned", {"/box", "wait"});
  auto request = bundle.create_request();
  request.set_stdin(fifo(bundle, "in"));
  request.set_stdout(fifo(bundle, "out"));
  request.set_stderr(fifo(bundle, "err"));
  containerd::RuncOptions options;
  options.set_io_uid(12345);
  options.set_io_gid(23456);
  request.mutable_options()->set_type_url("containerd.runc.v1.Options");
  request.mutable_options()->set_value(options.SerializeAsString());
  ASSERT_TRUE(create(request).has_value());
  const auto started = tasks_->start("owned");
  ASSERT_TRUE(started.has_value());
  for (const char* fd : {"0", "1", "2"}) {
    struct stat status = {};
    ASSERT_EQ(::stat(("/proc/" + std::to_string(started->pid()) + "/fd/" + fd).c_str(), &status),
              0);
    // runc gives the streams to the process's user, whoever owned them; the group stays as it was
    // made.
    EXPECT_EQ(status.st_gid, 23456U) << fd;
  }
}

TEST_F(Streams, AFullLogThatNobodyReadsHoldsNothingUp) {
  // The FIFO that containerd reads the shim's own log from, filled to the brim.
  const auto log = node().bundle(carrier_) / "log";
  node().stop_containerd(SIGKILL);
  const UniqueFd fifo(::open(log.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  ASSERT_TRUE(fifo) << log;
  const std::string chunk(4096, '#');
  while (::write(fifo.get(), chunk.data(), chunk.size()) > 0) continue;
  // An exit that containerd cannot be told of, and a failing exec, are worth log lines.
  ASSERT_TRUE(tasks_->exec(carrier_, "e1", {"nothere"}).has_value());
  EXPECT_FALSE(tasks_->start(carrier_, "e1").has_value());
  EXPECT_EQ(status(carrier_), containerd::STATUS_RUNNING);
  node().start_containerd();
  EXPECT_EQ(node().task_status(carrier_), "RUNNING");
}

}  // namespace
}  // namespace ward::test
