// SPDX-License-Identifier: Apache-2.0
// wardd as a service of systemd (Type=notify, WatchdogSec): what it says through NOTIFY_SOCKET, and
// when.
#include <csignal>
#include <filesystem>

#include "lib/linux/unix_socket.h"
#include "tests/integration/node_test_base.h"
#include "tests/support/datagram_socket.h"

namespace ward::test {
namespace {

using testing::StartsWith;

class Service : public NodeTest {
 protected:
  static Child::Options options(const std::vector<std::string>& variables) {
    auto options = node().environment();
    options.environment.insert(options.environment.end(), variables.begin(), variables.end());
    options.log = (node().directory() / "service.log").string();
    return options;
  }
  static std::string next(DatagramSocket& manager) {
    return manager.receive(kPatience).value_or("nothing");
  }
};

TEST_F(Service, IsReadyWhenItsSocketsAnswerBeatsAndSaysThatItStops) {
  const auto path = node().directory() / "notify";
  DatagramSocket manager(path);
  Child wardd({wardd_binary().string()},
              options({"NOTIFY_SOCKET=" + path.string(), "WATCHDOG_USEC=400000"}));
  EXPECT_THAT(next(manager), StartsWith("READY=1\nSTATUS=0 containers, 0 in quarantine, "));
  for (const char* socket : {"api/api.sock", "node.sock"})
    EXPECT_TRUE(connect_unix(node().directory() / "run" / socket)) << socket;
  const Output status = node().ward({"status"});
  EXPECT_TRUE(status.status == 0 || status.status == 6) << status.err;  // 6: with a problem

  // Also while it measures the runtime with containers, whose runc is told nothing of this.
  for (int beats = 0; beats < 10;) {
    const std::string told = next(manager);
    if (told == "WATCHDOG=1") {
      ++beats;
    } else {
      ASSERT_THAT(told, StartsWith("STATUS="));
    }
  }
  wardd.signal(SIGTERM);
  std::string told = next(manager);
  while (told == "WATCHDOG=1" || told.rfind("STATUS=", 0) == 0) told = next(manager);
  EXPECT_EQ(told, "STOPPING=1\nSTATUS=stopping");
  EXPECT_EQ(wardd.wait(), 0);
}

TEST_F(Service, AWarddThatCannotStartIsNeverReady) {
  const auto path = node().directory() / "notify-refused";
  DatagramSocket manager(path);
  node().start_wardd();
  Child second({wardd_binary().string()}, options({"NOTIFY_SOCKET=" + path.string()}));
  EXPECT_EQ(second.wait(), 3);
  EXPECT_FALSE(manager.receive(std::chrono::milliseconds(0)));
  node().stop_wardd(SIGTERM);
}

}  // namespace
}  // namespace ward::test
