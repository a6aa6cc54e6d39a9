// SPDX-License-Identifier: Apache-2.0
// The shim as a command: what containerd asks of `-info` and of `start` before there is anybody to
// call.
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <csignal>
#include <fstream>

#include "containerd/options.pb.h"
#include "containerd/types.pb.h"
#include "lib/base/fault.h"
#include "lib/base/file.h"
#include "lib/base/unique_fd.h"
#include "tests/integration/node_test_base.h"
#include "tests/support/task_client.h"

namespace ward::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class CommandLine : public NodeTest {
 protected:
  static Output ask_info(const std::string& input) {
    return run({shim_binary().string(), "-info"}, {}, input);
  }
  static containerd::Any options_of(const std::string& binary) {
    containerd::RuncOptions options;
    options.set_binary_name(binary);
    containerd::Any any;
    any.set_type_url("containerd.runc.v1.Options");
    any.set_value(options.SerializeAsString());
    return any;
  }
  // `start` as containerd calls it, in a bundle of its own.
  static std::vector<std::string> start_of(const std::string& id) {
    const fs::path bundle = node().directory() / id;
    fs::create_directory(bundle);
    std::ofstream(bundle / "config.json") << "{}";
    return {"env",           "-C",
            bundle.string(), shim_binary().string(),
            "-namespace",    node().containerd_namespace(),
            "-address",      node().containerd_socket().string(),
            "-id",           id,
            "start"};
  }
  static UniqueFd bind_socket(const std::string& path) {
    UniqueFd bound(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    fs::create_directories(fs::path(path).parent_path());
    EXPECT_EQ(::bind(bound.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    return bound;
  }
  static bool nothing_is_left(const std::string& id) {
    return await([&] { return !fs::exists(node().shim_socket(id)) && node().shim_pid(id) == -1; });
  }
};

TEST_F(CommandLine, InfoNamesTheRuntimeAndShowsTheFeaturesOfRunc) {
  const Output asked = ask_info("");
  ASSERT_EQ(asked.status, 0) << asked.err;
  containerd::RuntimeInfo info;
  ASSERT_TRUE(info.ParseFromString(asked.out));
  EXPECT_EQ(info.name(), kWardRuntime);
  EXPECT_FALSE(info.version().version().empty());
  EXPECT_FALSE(info.has_options());
  EXPECT_EQ(info.features().type_url(),
            "types.containerd.io/opencontainers/runtime-spec/1/features/Features");
  EXPECT_EQ(info.features().value(), run({"runc", "features"}).out);
}

TEST_F(CommandLine, InfoEchoesItsOptionsAndAsksTheRuntimeInThem) {
  const fs::path runtime = node().directory() / "featured-runtime";
  std::ofstream(runtime)
      << "#!/bin/sh\n[ \"$1\" = features ] && echo '{\"mountExtensions\":{\"idmap\":{}}}'\n";
  fs::permissions(runtime, fs::perms::owner_all);
  const auto options = options_of(runtime);
  const Output asked = ask_info(options.SerializeAsString());
  ASSERT_EQ(asked.status, 0) << asked.err;
  containerd::RuntimeInfo info;
  ASSERT_TRUE(info.ParseFromString(asked.out));
  EXPECT_EQ(info.options().type_url(), options.type_url());
  EXPECT_EQ(info.options().value(), options.value());
  EXPECT_EQ(info.features().value(), "{\"mountExtensions\":{\"idmap\":{}}}\n");
}

TEST_F(CommandLine, InfoOfARuntimeWithoutFeaturesHasNone) {
  const Output asked = ask_info(options_of("/bin/false").SerializeAsString());
  ASSERT_EQ(asked.status, 0) << asked.err;
  containerd::RuntimeInfo info;
  ASSERT_TRUE(info.ParseFromString(asked.out));
  EXPECT_EQ(info.name(), kWardRuntime);
  EXPECT_FALSE(info.has_features());
}

TEST_F(CommandLine, InfoRefusesOptionsOfAnUnknownTypeByName) {
  containerd::Any any;
  any.set_type_url("evil.v1.Options");
  any.set_value("x");
  const Output asked = ask_info(any.SerializeAsString());
  EXPECT_EQ(asked.status, 1);
  EXPECT_EQ(asked.out, "");
  EXPECT_THAT(asked.err, HasSubstr("evil.v1.Options"));
}

TEST_F(CommandLine, UnderMemoryPressureTheShimGoesBeforeContainerd) {
  const std::string id = node().unique("score");
  ASSERT_EQ(
      node().ctr({"run", "-d", "--runtime", kWardRuntime, kBoxImage, id, "/box", "wait"}).status,
      0);
  const auto score_of = [](pid_t pid) {
    return std::stoi(
        read_file("/proc/" + std::to_string(pid) + "/oom_score_adj").value_or("-9999"));
  };
  EXPECT_EQ(score_of(node().shim_pid(id)), std::min(score_of(node().containerd_pid()) + 1, 1000));
  node().remove(id);
}

TEST_F(CommandLine, AStartThatCannotShareCoresFailsAndLeavesNoSocket) {
  unsigned long long cookie = 0;
  if (::prctl(PR_SCHED_CORE, PR_SCHED_CORE_GET, 0, 0, &cookie) == 0)
    GTEST_SKIP() << "this kernel shares cores";
  const std::string id = node().unique("cores");
  Child::Options options = node().environment();
  options.environment.emplace_back("SCHED_CORE=1");
  const Output started = run(start_of(id), options);
  EXPECT_EQ(started.status, 1);
  EXPECT_EQ(started.out, "");
  EXPECT_THAT(started.err, HasSubstr("enable sched core: "));
  EXPECT_FALSE(fs::exists(node().shim_socket(id)));
  EXPECT_EQ(node().shim_pid(id), -1);
}

// containerd runs delete beside a client that deletes: the bundle may go before delete has looked
// at it.
TEST_F(CommandLine, ADeleteWithoutABundleRemovesTheSocketThatNobodyServes) {
  const auto delete_of = [](const std::string& id) {
    return run({shim_binary().string(), "-namespace", node().containerd_namespace(), "-address",
                node().containerd_socket().string(), "-id", id, "-bundle",
                (node().directory() / "gone" / id).string(), "delete"});
  };
  const std::string id = node().unique("gone");
  bind_socket(node().shim_socket(id));  // and closed: nobody listens
  ASSERT_TRUE(fs::exists(node().shim_socket(id)));
  const Output deleted = delete_of(id);
  EXPECT_EQ(deleted.status, 0) << deleted.err;
  EXPECT_FALSE(fs::exists(node().shim_socket(id)));

  const std::string served = node().unique("served");
  const UniqueFd listener = bind_socket(node().shim_socket(served));
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  EXPECT_EQ(delete_of(served).status, 0);
  EXPECT_TRUE(fs::exists(node().shim_socket(served))) << "somebody serves it";
  fs::remove(node().shim_socket(served));
}

TEST_F(CommandLine, WithoutAnActionItServesOnTheSocketItIsGivenAndAsksForOneWhereItIsNot) {
  const std::string id = node().unique("by-hand");
  const std::string socket = node().directory() / "by-hand.sock";
  std::vector<std::string> command{shim_binary().string(), "-namespace",
                                   node().containerd_namespace(), "-id", id};
  const Output refused = run(command, node().environment());
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.err,
              HasSubstr("no action given (start, delete), and no -socket to serve on"));

  command.insert(command.end(), {"-socket", socket});
  Child server(command, node().environment());
  ASSERT_TRUE(await([&] { return fs::exists(socket); }));
  TaskClient tasks(socket);
  EXPECT_TRUE(tasks.call<containerd::Empty>("Shutdown", containerd::ShutdownRequest()));
  EXPECT_EQ(server.wait(), 0);
  EXPECT_FALSE(fs::exists(socket));
}

// containerd reads both streams as one, and what is there beside the address is part of it.
TEST_F(CommandLine, AStartSaysNothingButTheAddressWhateverItsOptionsHold) {
  const std::string id = node().unique("silent");
  containerd::RuncOptions options;  // of a pod with users of its own: bytes that are no text
  options.set_io_uid(196608);
  options.set_io_gid(196608);
  containerd::Any any;
  any.set_type_url("containerd.runc.v1.Options");
  any.set_value(options.SerializeAsString());
  const Output started = run(start_of(id), node().environment(), any.SerializeAsString());
  EXPECT_EQ(started.status, 0);
  EXPECT_EQ(started.out, "unix://" + node().shim_socket(id));
  EXPECT_EQ(started.err, "");
  TaskClient tasks(node().shim_socket(id));
  EXPECT_TRUE(tasks.call<containerd::Empty>("Shutdown", containerd::ShutdownRequest()));
  EXPECT_TRUE(nothing_is_left(id));
}

// A fault of each server that is started in between: what there is to say of it is in
// `node().directory()/fired`.
class Stillborn : public CommandLine {
 protected:
  void SetUp() override {
    if (!fault::kEnabled) GTEST_SKIP() << "this build has no fault points (WARD_FAULTS)";
  }
  static Child::Options with_fault(const std::string& action) {
    fs::remove(rules().string() + ".fired");
    std::ofstream(rules()) << "serve.before-listen=" << action << "\n";
    Child::Options options = node().environment();
    options.environment.push_back("WARD_FAULTS=@" + rules().string());
    return options;
  }
  static bool fired() {
    return await([] { return fs::exists(rules().string() + ".fired"); });
  }

 private:
  static fs::path rules() { return node().directory() / "stillborn"; }
};

// An address is of a server that serves: containerd 1.6 leaves the socket of one that it never
// reached.
TEST_F(Stillborn, AServerThatDiesBeforeItServesIsAnErrorAndLeavesNoSocket) {
  const std::string id = node().unique("stillborn");
  const Output started = run(start_of(id), with_fault("kill"));
  EXPECT_EQ(started.status, 1);
  EXPECT_EQ(started.out, "");
  EXPECT_EQ(started.err,
            "start the shim: wait for the server: the server ended before it served; its log may "
            "say why\n");
  EXPECT_TRUE(fired());
  EXPECT_TRUE(nothing_is_left(id));
}

TEST_F(Stillborn, AServerWhoseStartWasKilledIsTheNextStartsServer) {
  const std::string id = node().unique("orphan");
  {
    Child start(start_of(id), with_fault("delay(2000)"));
    start.close_input();
    ASSERT_TRUE(fired());
    EXPECT_TRUE(fs::exists(node().shim_socket(id)));
    start.signal(SIGKILL);
    EXPECT_EQ(start.wait(), 128 + SIGKILL);
    EXPECT_EQ(start.out(), "");
  }
  const Output next = run(start_of(id), node().environment());
  EXPECT_EQ(next.status, 0) << next.err;
  EXPECT_EQ(next.out, "unix://" + node().shim_socket(id));
  TaskClient tasks(node().shim_socket(id));
  EXPECT_TRUE(tasks.call<containerd::Empty>("Shutdown", containerd::ShutdownRequest()));
  EXPECT_TRUE(nothing_is_left(id));
}

TEST_F(Stillborn, AServerWhoseStartWasKilledLeavesWhereNobodyComes) {
  const std::string id = node().unique("orphan");
  Child::Options options = with_fault("delay(2000)");
  options.environment.emplace_back("WARD_DESERTED_AFTER_MS=100");
  {
    Child start(start_of(id), options);
    start.close_input();
    ASSERT_TRUE(fired());
    start.signal(SIGKILL);
    EXPECT_EQ(start.wait(), 128 + SIGKILL);
  }
  EXPECT_TRUE(nothing_is_left(id));
}

TEST_F(Stillborn, AStartWithoutStandardStreamsServes) {
  const std::string id = node().unique("streamless");
  std::vector<std::string> command = start_of(id);
  command.insert(command.begin(), {"sh", "-c", "exec \"$@\" <&- 2>&-", "sh"});
  const Output started = run(command, node().environment());
  EXPECT_EQ(started.status, 0);
  EXPECT_EQ(started.out, "unix://" + node().shim_socket(id));
  TaskClient tasks(node().shim_socket(id));
  EXPECT_TRUE(tasks.call<containerd::Empty>("Shutdown", containerd::ShutdownRequest()));
  EXPECT_TRUE(nothing_is_left(id));
}

}  // namespace
}  // namespace ward::test
