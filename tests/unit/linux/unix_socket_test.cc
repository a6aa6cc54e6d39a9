// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/unix_socket.h"

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "lib/base/digest.h"

namespace ward {
namespace {

class UnixSocket : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(std::filesystem::create_directory(directory_)); }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  static std::pair<UniqueFd, UniqueFd> pair(int type = SOCK_STREAM) {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
  }
  static std::size_t open_descriptors() {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}));
  }

  std::filesystem::path directory_ =
      std::filesystem::temp_directory_path() / ("ward-us-" + random_hex(6));
  std::filesystem::path path_ = directory_ / "s";
};

TEST_F(UnixSocket, IsBoundForItsOwnerAloneAndConnects) {
  const auto listener = listen_unix(path_);
  ASSERT_TRUE(listener) << listener.error().message;
  struct stat status {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0600U);
  const auto client = connect_unix(path_);
  ASSERT_TRUE(client) << client.error().message;
  const auto served = accept_unix(*listener);
  ASSERT_TRUE(served);
  const auto peer = peer_credentials(*served);
  ASSERT_TRUE(peer);
  EXPECT_EQ(peer->uid, ::geteuid());
  EXPECT_EQ(peer->pid, ::getpid());
  EXPECT_EQ(static_cast<unsigned>(::fcntl(served->get(), F_GETFD)) & FD_CLOEXEC,
            unsigned{FD_CLOEXEC});
  EXPECT_EQ(accept_unix(*listener).error().sys_errno, EAGAIN);
}

TEST_F(UnixSocket, APathThatIsTooLongIsRefusedWithTheLimit) {
  const std::filesystem::path longest = "/" + std::string(107, 'x');
  const auto refused = listen_unix(longest);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
  EXPECT_NE(refused.error().message.find("107"), std::string::npos);
  EXPECT_EQ(connect_unix("").error().code, Code::kInvalidArgument);
  EXPECT_EQ(connect_unix(std::string("a\0b", 3)).error().code, Code::kInvalidArgument);
}

TEST_F(UnixSocket, AbsentAndAbandonedPathsAreToldApart) {
  EXPECT_EQ(connect_unix(path_).error().code, Code::kNotFound);
  { ASSERT_TRUE(listen_unix(path_)); }
  EXPECT_EQ(connect_unix(path_).error().code, Code::kUnavailable);
  EXPECT_EQ(listen_unix(path_).error().code, Code::kAlreadyExists);
}

TEST_F(UnixSocket, AnAbandonedSocketIsReplacedALiveOneAndAFileAreNot) {
  { ASSERT_TRUE(listen_unix(path_)); }
  const auto mine = listen_unix(path_, StaleSocket::kReplace);
  ASSERT_TRUE(mine) << mine.error().message;
  EXPECT_EQ(listen_unix(path_, StaleSocket::kReplace).error().code, Code::kAlreadyExists);
  const auto file = directory_ / "file";
  std::ofstream(file) << "precious";
  EXPECT_EQ(listen_unix(file, StaleSocket::kReplace).error().code, Code::kAlreadyExists);
  EXPECT_EQ(std::filesystem::file_size(file), 8U);
}

TEST_F(UnixSocket, DescriptorsArriveCloseOnExec) {
  auto [left, right] = pair();
  const UniqueFd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(send_descriptors(left, "hello", {file.get(), file.get()}));
  const auto message = receive_descriptors(right);
  ASSERT_TRUE(message) << message.error().message;
  EXPECT_EQ(message->bytes, "hello");
  ASSERT_EQ(message->descriptors.size(), 2U);
  EXPECT_EQ(static_cast<unsigned>(::fcntl(message->descriptors[0].get(), F_GETFD)) & FD_CLOEXEC,
            unsigned{FD_CLOEXEC});
}

TEST_F(UnixSocket, TooManyDescriptorsAreAnErrorAndNoneLeaks) {
  auto [left, right] = pair();
  const std::size_t before = open_descriptors();
  // Past our own limit, so sent by hand.
  std::vector<int> many(100, 0);
  iovec data{const_cast<char*>("x"), 1};
  std::vector<char> control(CMSG_SPACE(many.size() * sizeof(int)));
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(many.size() * sizeof(int));
  std::memcpy(CMSG_DATA(header), many.data(), many.size() * sizeof(int));
  ASSERT_EQ(::sendmsg(left.get(), &message, 0), 1);
  EXPECT_EQ(receive_descriptors(right).error().code, Code::kResourceExhausted);
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_EQ(send_descriptors(left, "x", many).error().code, Code::kInvalidArgument);
}

TEST_F(UnixSocket, AMessageOverTheLimitIsAnErrorOnStreamsAndDatagrams) {
  for (const int type : {SOCK_STREAM, SOCK_SEQPACKET}) {
    auto [left, right] = pair(type);
    const UniqueFd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    ASSERT_TRUE(send_descriptors(left, std::string(101, 'x'), {file.get()}));
    const std::size_t before = open_descriptors();
    EXPECT_EQ(receive_descriptors(right, 100).error().code, Code::kResourceExhausted);
    EXPECT_EQ(open_descriptors(), before);
    ASSERT_TRUE(send_descriptors(left, std::string(100, 'x'), {}));
    if (type == SOCK_SEQPACKET) {
      EXPECT_EQ(receive_descriptors(right, 100)->bytes.size(), 100U);
    }
  }
}

TEST_F(UnixSocket, NothingThereAndPeerGoneAreToldApart) {
  auto [left, right] = pair();
  EXPECT_EQ(receive_descriptors(right).error().sys_errno, EAGAIN);
  left.reset();
  EXPECT_EQ(receive_descriptors(right).error().sys_errno, ECONNRESET);
  EXPECT_EQ(send_descriptors(right, "x", {}).error().code, Code::kUnavailable);
}

}  // namespace
}  // namespace ward
