// SPDX-License-Identifier: Apache-2.0
// Somebody else speaks to the socket over which the runtime delivers seccomp listeners. The
// strangers here know more than they could: they are root, and have read the nonce.
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "lib/linux/unix_socket.h"
#include "tests/integration/guarded_test_base.h"

namespace ward::test {
namespace {

class Stranger : public GuardedTest {
 protected:
  static std::filesystem::path listener_socket(const std::string& id) {
    const Json config = Json::parse(std::ifstream(node().bundle(id) / "config.json"));
    return std::string(config["linux"]["seccomp"]["listenerPath"]);
  }
  static std::string message(const std::string& id, const std::string& claimed) {
    const Json config = Json::parse(std::ifstream(node().bundle(id) / "config.json"));
    const Json state{{"ociVersion", "1.0.2"},
                     {"fds", {"seccompFd"}},
                     {"pid", 1},
                     {"metadata", config["linux"]["seccomp"]["listenerMetadata"]},
                     {"state",
                      {{"ociVersion", "1.0.2"},
                       {"id", claimed},
                       {"status", "creating"},
                       {"pid", 1},
                       {"bundle", "/"}}}};
    return state.dump();
  }
  // A live seccomp listener, of a filter that allows everything, in a process of its own.
  static int install_listener() {
    sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    const sock_fprog program{1, &allow};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
    return static_cast<int>(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                                      SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
  }
  // 0: the shim hung up on it, 1: it kept the connection, else the attempt itself failed.
  static int offer_as_a_stranger(const std::filesystem::path& socket, const std::string& text,
                                 bool real_listener) {
    const pid_t child = ::fork();
    if (child == 0) {
      const auto connection = connect_unix(socket);
      const int listener =
          real_listener ? install_listener() : ::open("/dev/null", O_RDONLY | O_CLOEXEC);
      if (!connection || listener < 0) ::_exit(2);
      (void)!send_descriptors(*connection, text, {listener}).has_value();
      pollfd hang_up{connection->get(), POLLRDHUP, 0};
      ::_exit(::poll(&hang_up, 1, 10'000) == 1 ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
};

TEST_F(Stranger, S03_I3_AListenerFromAnybodyButTheRuntimeIsRefusedAndNothingChanges) {
  const std::string id = start_watched("deny");
  const auto socket = listener_socket(id);
  for (const std::string& text :
       {message(id, id), message(id, "nobody-knows"), std::string("{}"), std::string("garbage")})
    for (const bool real : {true, false})
      EXPECT_EQ(offer_as_a_stranger(socket, text, real), 0) << text << real;
  EXPECT_EQ(node().ctr({"task", "exec", "--exec-id", "e1", id, "/box", "attack", "novel"}).out,
            "novel -1 1\n");
  node().poke(id, "mkdir");
  await_violation(id);
  node().remove(id);
}

TEST_F(Stranger, S03_SilentConnectionsDuringAStartNeitherHijackNorDelayIt) {
  const std::string id = start_watched("deny");
  std::vector<UniqueFd> silent;
  for (int i = 0; i < 8; ++i) {
    auto connection = connect_unix(listener_socket(id));
    ASSERT_TRUE(connection);
    ASSERT_EQ(::send(connection->get(), "{\"ociVersion\":", 14, MSG_NOSIGNAL), 14);
    silent.push_back(std::move(*connection));
  }
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(node().ctr({"task", "exec", "--exec-id", "e1", id, "/box", "attack", "novel"}).out,
            "novel -1 1\n");
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::milliseconds(1900))
      << "it did not wait for them";
  for (const auto& connection : silent) {
    pollfd hang_up{connection.get(), POLLRDHUP, 0};
    EXPECT_EQ(::poll(&hang_up, 1, 10'000), 1) << "nobody is listened to for ever";
  }
  node().remove(id);
}

}  // namespace
}  // namespace ward::test
