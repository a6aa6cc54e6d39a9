// SPDX-License-Identifier: Apache-2.0
// What admission writes, run by the real runc with a listener made by hand: is it accepted, does
// the program run, is the forbidden call seen and not executed?
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <set>
#include <vector>

#include "lib/base/unique_fd.h"
#include "tests/unit/shim_admission/compiled_node.h"

namespace ward::shim::admission {
namespace {

constexpr const char* kConfig =
    R"({"ociVersion":"1.0.2","process":{"user":{"uid":0,"gid":0},"args":["/program"],"cwd":"/","env":[],)"
    R"("capabilities":{"bounding":["CAP_KILL","CAP_NET_RAW"],"effective":["CAP_KILL"],"permitted":["CAP_KILL"]}},)"
    R"("root":{"path":"rootfs"},"mounts":[{"destination":"/proc","type":"proc","source":"proc"}],"linux":{)"
    R"("namespaces":[{"type":"pid"},{"type":"mount"},{"type":"ipc"},{"type":"uts"}]%SECCOMP%}})";

struct Seen {
  std::string output;
  std::string handshake;
  std::multiset<int> notified;
  int exit_status = -1;
};

class RealRunc : public testing::Test {
 protected:
  void SetUp() override {
    if (::getuid() != 0) GTEST_SKIP() << "needs root";
    if (std::system("command -v runc >/dev/null") != 0) GTEST_SKIP() << "needs runc";
    const auto rootfs = node_.bundle() / "rootfs";
    std::filesystem::create_directories(rootfs / "proc");
    std::filesystem::copy_file(WARD_TEST_PROGRAM, rootfs / "program");
  }
  void put_config(const std::string& seccomp) {
    std::string config = kConfig;
    config.replace(config.find("%SECCOMP%"), 9, seccomp.empty() ? "" : ",\"seccomp\":" + seccomp);
    node_.put_config(config);
  }

  Seen run(const std::string& listener_path) {
    Seen seen;
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!listener_path.empty()) {
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      std::strncpy(address.sun_path, listener_path.c_str(), sizeof address.sun_path - 1);
      EXPECT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
      EXPECT_EQ(::listen(socket.get(), 1), 0);
    }
    int out[2];
    EXPECT_EQ(::pipe2(out, O_CLOEXEC), 0);
    const UniqueFd reader(out[0]);
    UniqueFd writer(out[1]);
    const pid_t child = ::fork();
    if (child == 0) {
      ::dup2(writer.get(), 1);
      ::dup2(writer.get(), 2);
      ::execlp("runc", "runc", "--root", (node_.bundle() / "runc").c_str(), "run", "--bundle",
               node_.bundle().c_str(), id_.c_str(), nullptr);
      ::_exit(127);
    }
    writer.reset();
    serve(socket, reader, seen);
    int status = 0;
    ::waitpid(child, &status, 0);
    seen.exit_status = WEXITSTATUS(status);
    return seen;
  }

  CompiledNode node_;
  const std::string id_ = "ward-oci-" + random_hex(6);

 private:
  // Until runc and its container have closed their output; every wait ends after 20 s.
  static void serve(const UniqueFd& socket, const UniqueFd& reader, Seen& seen) {
    UniqueFd listener;
    for (;;) {
      pollfd polled[3] = {{reader.get(), POLLIN, 0},
                          {listener ? -1 : socket.get(), POLLIN, 0},
                          {listener.get(), POLLIN, 0}};
      if (::poll(polled, 3, 20'000) <= 0) {
        ADD_FAILURE() << "nothing happened for 20 s; so far: " << seen.output;
        return;
      }
      if ((polled[1].revents & POLLIN) != 0) listener = receive(socket, seen);
      if ((polled[2].revents & POLLIN) != 0) answer(listener, seen);
      if ((polled[2].revents & POLLIN) == 0 && (polled[2].revents & POLLHUP) != 0) listener.reset();
      if ((polled[0].revents & (POLLIN | POLLHUP)) == 0) continue;
      char buffer[4096];
      const ssize_t n = ::read(reader.get(), buffer, sizeof buffer);
      if (n <= 0) return;
      seen.output.append(buffer, static_cast<std::size_t>(n));
    }
  }

  static UniqueFd receive(const UniqueFd& socket, Seen& seen) {
    const UniqueFd connection(::accept4(socket.get(), nullptr, nullptr, SOCK_CLOEXEC));
    std::vector<char> data(65536);
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    iovec piece{data.data(), data.size()};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t n = ::recvmsg(connection.get(), &message, MSG_CMSG_CLOEXEC);
    if (n > 0) seen.handshake.assign(data.data(), static_cast<std::size_t>(n));
    int fd = -1;
    if (const cmsghdr* header = CMSG_FIRSTHDR(&message))
      std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
    return UniqueFd(fd);
  }

  static void answer(const UniqueFd& listener, Seen& seen) {
    seccomp_notif request{};
    if (::ioctl(listener.get(), SECCOMP_IOCTL_NOTIF_RECV, &request) != 0) return;
    seen.notified.insert(request.data.nr);
    seccomp_notif_resp response{};
    response.id = request.id;
    if (request.data.nr == SYS_unshare) {
      response.error = -EPERM;
    } else {
      response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    }
    ::ioctl(listener.get(), SECCOMP_IOCTL_NOTIF_SEND, &response);
  }
};

TEST_F(RealRunc, I3_TheForbiddenCallIsSeenAndDoesNotExecute) {
  put_config("");
  node_.put_index(index_of(node::v1::MODE_ENFORCE, node_.put_profile(everything_but_unshare())));
  const auto admitted = node_.admit_container();
  ASSERT_TRUE(admitted) << admitted.error().message;
  const Seen seen = run(admitted->listener_path);
  EXPECT_EQ(seen.exit_status, 0) << seen.output;
  EXPECT_EQ(seen.output, "unshare Operation not permitted\nSeccomp:\t2\n");
  EXPECT_EQ(seen.notified.count(SYS_unshare), 1U);
  // A signal of runc's Go runtime takes the notification back, and the call asks again (K11): once
  // or more.
  EXPECT_GE(seen.notified.count(SYS_execve), 1U) << "the program's start is seen";
  EXPECT_NE(seen.handshake.find(admitted->nonce), std::string::npos);
}

TEST_F(RealRunc, AProfileThatAllowsNothingStillLetsTheRuntimeReachTheProgram) {
  put_config("");
  node::v1::CompiledProfile nothing = everything_but_unshare();
  nothing.clear_syscalls();
  node_.put_index(index_of(node::v1::MODE_ENFORCE, node_.put_profile(nothing)));
  const auto admitted = node_.admit_container();
  ASSERT_TRUE(admitted) << admitted.error().message;
  const Seen seen = run(admitted->listener_path);
  EXPECT_EQ(seen.output, "unshare Operation not permitted\nSeccomp:\t2\n");
  EXPECT_GT(seen.notified.size(), 5U);
}

TEST_F(RealRunc, I2_TheOwnFilterStillDenies) {
  put_config(
      R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["openat","open"],"action":"SCMP_ACT_ERRNO","errnoRet":93}]})");
  node_.put_index(index_of(node::v1::MODE_ENFORCE, node_.put_profile(everything_but_unshare())));
  const auto admitted = node_.admit_container();
  ASSERT_TRUE(admitted) << admitted.error().message;
  const Seen seen = run(admitted->listener_path);
  EXPECT_EQ(seen.output.find("Seccomp:"), std::string::npos)
      << "status cannot be opened: " << seen.output;
}

TEST_F(RealRunc, I8_LearningPutsAFilterInForceThatDeniesNothing) {
  put_config("");
  node_.put_index(index_of(node::v1::MODE_LEARN, ""));
  const auto admitted = node_.admit_container();
  ASSERT_TRUE(admitted) << admitted.error().message;
  const Seen seen = run("");
  EXPECT_NE(seen.output.find("Seccomp:\t2\n"), std::string::npos) << seen.output;
}

}  // namespace
}  // namespace ward::shim::admission
