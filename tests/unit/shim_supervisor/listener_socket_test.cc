// SPDX-License-Identifier: Apache-2.0
// Forged, broken and late messages at the socket that takes seccomp listeners.
#include "shim/supervisor/listener_socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <filesystem>

#include "lib/base/digest.h"
#include "lib/json/json.h"
#include "lib/linux/pidfd.h"
#include "lib/linux/unix_socket.h"

namespace ward::shim::supervisor {
namespace {

constexpr const char* kGood =
    R"({"ociVersion":"1.0.2","fds":["seccompFd"],"pid":4242,"metadata":"n0nce",)"
    R"("state":{"ociVersion":"1.0.2","id":"c1","status":"creating","pid":4242,"bundle":"/b"}})";

TEST(ListenerOffer, TheGenuineMessageIsUnderstood) {
  const auto state = parse_process_state(kGood);
  ASSERT_TRUE(state) << state.error().message;
  EXPECT_EQ(state->container_id, "c1");
  EXPECT_EQ(state->metadata, "n0nce");
  EXPECT_EQ(state->status, "creating");
  EXPECT_EQ(state->pid, 4242);
}

TEST(ListenerOffer, S03_ForgedDocumentsAreRefused) {
  for (const std::string& text :
       {std::string(), std::string("{}"), std::string("[]"), std::string("null"),
        std::string("{\"fds\":[\"seccompFd\"]}"),
        std::string(R"({"fds":[],"pid":1,"state":{"id":"c"}})"),
        std::string(R"({"fds":["seccompFd","seccompFd"],"pid":1,"state":{"id":"c"}})"),
        std::string(R"({"fds":["other"],"pid":1,"state":{"id":"c"}})"),
        std::string(R"({"fds":["seccompFd"],"pid":-1,"state":{"id":"c"}})"),
        std::string(R"({"fds":["seccompFd"],"pid":99999999999999,"state":{"id":"c"}})"),
        std::string(R"({"fds":["seccompFd"],"pid":"1","state":{"id":"c"}})"),
        std::string(R"({"fds":["seccompFd"],"pid":1,"state":{"id":7}})"),
        std::string(R"({"fds":["seccompFd"],"pid":1,"state":[]})"), std::string(60000, '['),
        std::string(kGood) + "x", std::string("\xff\xfe{}")}) {
    EXPECT_FALSE(parse_process_state(text)) << text.substr(0, 80);
  }
}

// As runc 1.1 writes it; what stands in the annotations is the container's.
std::string message_with(const std::string& annotation) {
  const nlohmann::json message = {
      {"ociVersion", "1.0.2"},
      {"fds", {"seccompFd"}},
      {"pid", 4242},
      {"metadata", "n0nce"},
      {"state",
       {{"ociVersion", "1.0.2"},
        {"id", "c1"},
        {"status", "creating"},
        {"pid", 4242},
        {"bundle", "/b"},
        {"annotations",
         {{"note", annotation}, {"pid", "1"}, {"metadata", "other"}, {"id", "c2"}}}}}};
  return message.dump();
}

std::vector<std::string> annotations_of_any_kind() {
  return {std::string(20, '['),
          std::string(5000, '{'),
          "\"}}}]]]\\",
          "\\\"",
          R"({"fds":["seccompFd","seccompFd"],"pid":1,"state":{"id":"c2"}})",
          std::string(70'000, 'a'),
          std::string(200'000, '}'),
          std::string(300'000, '\\')};
}

TEST(ListenerOffer, H04_AnnotationsOfAnyTextChangeNothingOfWhatIsUnderstood) {
  for (const std::string& annotation : annotations_of_any_kind()) {
    const auto state = parse_process_state(message_with(annotation));
    ASSERT_TRUE(state) << state.error().message << ": " << annotation.substr(0, 40);
    EXPECT_EQ(state->container_id, "c1");
    EXPECT_EQ(state->metadata, "n0nce");
    EXPECT_EQ(state->pid, 4242);
    EXPECT_EQ(state->status, "creating");
  }
}

TEST(MessageEnd, H04_IsWhereTheOutermostObjectEndsHoweverTheTextIsCut) {
  for (const std::string& annotation : annotations_of_any_kind()) {
    const std::string text = message_with(annotation);
    for (const std::size_t piece : {1U, 7U, 4096U}) {
      MessageEnd end;
      for (std::size_t at = 0; at < text.size(); at += piece) {
        const bool last = at + piece >= text.size();
        ASSERT_EQ(end.reached_with(std::string_view(text).substr(at, piece)), last)
            << at << " of " << text.size();
      }
    }
  }
}

// A real listener, from a child that waits for ever.
class RealListener {
 public:
  RealListener() {
    int ready[2];
    EXPECT_EQ(::pipe2(ready, O_CLOEXEC), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
      sock_fprog program{.len = 1, .filter = code};
      ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
      const int fd = static_cast<int>(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                                                SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
      (void)!::write(ready[1], &fd, sizeof(fd));
      for (;;) ::pause();
    }
    int number = -1;
    EXPECT_EQ(::read(ready[0], &number, sizeof(number)), static_cast<ssize_t>(sizeof(number)));
    ::close(ready[0]);
    ::close(ready[1]);
    const auto process = open_pidfd(pid_);
    fd_.reset(static_cast<int>(::syscall(SYS_pidfd_getfd, process->get(), number, 0)));
  }
  ~RealListener() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  RealListener(const RealListener&) = delete;
  RealListener& operator=(const RealListener&) = delete;
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  pid_t pid_ = -1;
  UniqueFd fd_;
};

class ListenerSocketTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    run_ = std::filesystem::temp_directory_path() / ("ward-run-" + random_hex(4));
    directory_ = private_directory_name(run_);
    ASSERT_TRUE(make_private_directory(directory_));
    auto socket = ListenerSocket::open(
        loop_, directory_ / "s",
        [this](ListenerOffer offer) -> Result<void> {
          offers_.push_back(std::move(offer));
          return verdict_;
        },
        [this](pid_t sender, const Error& why) { refusals_.emplace_back(sender, why.message); });
    ASSERT_TRUE(socket) << socket.error().message;
    socket_ = std::move(*socket);
  }
  void TearDown() override {
    socket_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(run_, ignored);
  }

  UniqueFd send(std::string_view bytes, const std::vector<int>& descriptors) {
    auto socket = connect_unix(directory_ / "s");
    EXPECT_TRUE(socket);
    EXPECT_TRUE(send_descriptors(*socket, bytes, descriptors));
    return std::move(*socket);
  }
  // The socket is not read while this thread writes: in turns, until it has all or is hung up on.
  void send_rest(const UniqueFd& sender, std::string_view rest) {
    while (!rest.empty()) {
      const ssize_t n = ::send(sender.get(), rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n < 0 && errno != EAGAIN) return;
      if (n > 0) rest.remove_prefix(static_cast<std::size_t>(n));
      run(std::chrono::milliseconds(2));
    }
    run(std::chrono::milliseconds(50));
  }
  void run(std::chrono::milliseconds time) {
    loop_.restart();
    loop_.run_for(time);
  }

  asio::io_context loop_;
  std::filesystem::path run_;
  std::filesystem::path directory_;
  std::vector<ListenerOffer> offers_;
  std::vector<std::pair<pid_t, std::string>> refusals_;
  Result<void> verdict_;
  std::unique_ptr<ListenerSocket> socket_;
};

TEST_F(ListenerSocketTest, AGenuineListenerArrives) {
  const RealListener real;
  { const UniqueFd sender = send(kGood, {real.fd()}); }
  run(std::chrono::milliseconds(50));
  ASSERT_EQ(offers_.size(), 1U);
  EXPECT_EQ(offers_[0].sender, ::getpid());
  EXPECT_EQ(offers_[0].state.container_id, "c1");
}

TEST_F(ListenerSocketTest, AMessageInPiecesArrivesToo) {
  const RealListener real;
  const std::string text = kGood;
  {
    const UniqueFd sender = send(text.substr(0, 40), {real.fd()});
    run(std::chrono::milliseconds(10));
    ASSERT_EQ(::write(sender.get(), text.data() + 40, text.size() - 40),
              static_cast<ssize_t>(text.size() - 40));
  }
  run(std::chrono::milliseconds(50));
  EXPECT_EQ(offers_.size(), 1U);
}

TEST_F(ListenerSocketTest, H04_AMessageLargerThanWhatASocketHoldsArrives) {
  const RealListener real;
  for (const std::string& annotation : {std::string(2'000'000, '}'), std::string(1'000'000, '<')}) {
    const std::string text = message_with(annotation);
    const UniqueFd sender = send(text.substr(0, 100), {real.fd()});
    send_rest(sender, std::string_view(text).substr(100));
  }
  EXPECT_EQ(offers_.size(), 2U);
  EXPECT_TRUE(refusals_.empty());
}

TEST_F(ListenerSocketTest, H04_AMessageBeyondTheBoundIsRefusedWithItsReasonAndSender) {
  const RealListener real;
  const std::string text = message_with(std::string(kMaxProcessStateBytes, 'a'));
  {
    const UniqueFd sender = send(text.substr(0, 100), {real.fd()});
    send_rest(sender, std::string_view(text).substr(100));
  }
  run(std::chrono::milliseconds(20));
  EXPECT_TRUE(offers_.empty());
  ASSERT_EQ(refusals_.size(), 1U);
  EXPECT_EQ(refusals_[0].first, ::getpid());
  EXPECT_EQ(refusals_[0].second, "the runtime's message about the container is larger than " +
                                     std::to_string(kMaxProcessStateBytes) + " bytes");
}

TEST_F(ListenerSocketTest, S03_WhatIsNotExactlyOneListenerIsRefused) {
  const RealListener real;
  const UniqueFd event(::eventfd(0, EFD_CLOEXEC));
  int pipe_ends[2];
  ASSERT_EQ(::pipe2(pipe_ends, O_CLOEXEC), 0);
  std::vector<UniqueFd> senders;
  senders.push_back(send(kGood, {}));
  senders.push_back(send(kGood, {event.get()}));
  senders.push_back(send(kGood, {pipe_ends[0]}));
  senders.push_back(send(kGood, {real.fd(), real.fd()}));
  senders.push_back(send("not json}", {real.fd()}));
  run(std::chrono::milliseconds(50));
  senders.clear();
  run(std::chrono::milliseconds(50));
  EXPECT_TRUE(offers_.empty());
  // And the next genuine one is served.
  const UniqueFd good = send(kGood, {real.fd()});
  run(std::chrono::milliseconds(50));
  EXPECT_EQ(offers_.size(), 1U);
  ::close(pipe_ends[0]);
  ::close(pipe_ends[1]);
}

TEST_F(ListenerSocketTest, S03_ASilentSenderIsCutOffAndNobodyHangs) {
  const auto silent = connect_unix(directory_ / "s");
  ASSERT_TRUE(silent);
  run(std::chrono::milliseconds(2300));
  char byte = 0;
  EXPECT_EQ(::read(silent->get(), &byte, 1), 0) << "the other end was closed";
  EXPECT_TRUE(offers_.empty());
}

TEST_F(ListenerSocketTest, S03_ARefusedListenerIsClosedSoThatItsCallsFail) {
  verdict_ = fail(Code::kPermissionDenied, "the nonce is wrong");
  {
    const RealListener real;
    const UniqueFd sender = send(kGood, {real.fd()});
    run(std::chrono::milliseconds(50));
  }
  EXPECT_EQ(offers_.size(), 1U) << "it was offered, then refused";
}

// It would wait for ever: its init waits for it, under a filter whose notifications nobody answers.
TEST_F(ListenerSocketTest, F18_WithoutADescriptorToSpareTheSenderIsToldNo) {
  const RealListener real;
  const UniqueFd sender = send(kGood, {real.fd()});
  const UniqueFd later = send(kGood, {real.fd()});
  {
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    const UniqueFd last(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const rlimit none{static_cast<rlim_t>(last.get()) + 1, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    std::vector<UniqueFd> all;
    for (UniqueFd next; (next = UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)));)
      all.push_back(std::move(next));
    run(std::chrono::milliseconds(50));
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  }
  ASSERT_EQ(refusals_.size(), 2U);
  EXPECT_EQ(refusals_[0].first, ::getpid());
  EXPECT_NE(refusals_[0].second.find("Too many open files"), std::string::npos)
      << refusals_[0].second;
  const UniqueFd good = send(kGood, {real.fd()});
  run(std::chrono::milliseconds(50));
  EXPECT_EQ(offers_.size(), 1U) << "and the next one is heard";
}

TEST_F(ListenerSocketTest, ManySilentSendersDoNotKeepTheGenuineOneOutForLong) {
  std::vector<UniqueFd> silent;
  for (int i = 0; i < 40; ++i) {
    if (auto socket = connect_unix(directory_ / "s")) silent.push_back(std::move(*socket));
    run(std::chrono::milliseconds(1));
  }
  run(std::chrono::milliseconds(2200));
  const RealListener real;
  const UniqueFd good = send(kGood, {real.fd()});
  run(std::chrono::milliseconds(50));
  EXPECT_EQ(offers_.size(), 1U);
}

TEST_F(ListenerSocketTest, TheDirectoryIsPrivateAndThoseOfDeadShimsAreRemoved) {
  struct stat status {};
  ASSERT_EQ(::stat(directory_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0700U);
  const pid_t dead = ::fork();
  if (dead == 0) ::_exit(0);
  ::waitpid(dead, nullptr, 0);
  const auto stale = directory_.parent_path() / (std::to_string(dead) + ".0");
  ASSERT_TRUE(std::filesystem::create_directory(stale));
  ASSERT_TRUE(make_private_directory(private_directory_name(run_)));
  EXPECT_FALSE(std::filesystem::exists(stale));
  EXPECT_TRUE(std::filesystem::exists(directory_ / "s"));
}

}  // namespace
}  // namespace ward::shim::supervisor
