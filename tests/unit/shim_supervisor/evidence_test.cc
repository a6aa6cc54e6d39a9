// SPDX-License-Identifier: Apache-2.0
#include "shim/supervisor/evidence.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <set>

#include "lib/base/clock.h"
#include "lib/base/digest.h"
#include "lib/base/file.h"
#include "lib/json/json.h"
#include "shim/supervisor/record.h"

namespace ward::shim::supervisor {
namespace {

class EvidenceTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ =
        std::filesystem::temp_directory_path() / ("ward-evidence-" + random_hex(4)) / "evidence";
    std::filesystem::create_directories(root_.parent_path());
    int ready[2];
    int hold[2];
    ASSERT_EQ(::pipe2(ready, O_CLOEXEC), 0);
    ASSERT_EQ(::pipe2(hold, O_CLOEXEC), 0);
    hold_.reset(hold[1]);
    // A process with everything hostile about it: name, arguments, environment.
    child_ = ::fork();
    if (child_ == 0) {
      ::dup2(ready[1], 9);
      ::dup2(hold[0], 0);
      const char* const argv[] = {
          "/bin/sh", "-c",        "echo x >&9; exec 9>&-; read line", "--token=s3cret",
          "hunter2", "-phunter2", "PGPASSWORD=x DB=hunter2",          "\x1b[31m\"\n', {",
          nullptr};
      const char* const envp[] = {"DB_PASSWORD=s3cret", "\x1b]0;x=1", "A=\"}\n", nullptr};
      ::execve(argv[0], const_cast<char* const*>(argv), const_cast<char* const*>(envp));
      ::_exit(1);
    }
    ::close(ready[1]);
    ::close(hold[0]);
    char byte = 0;
    ASSERT_EQ(::read(ready[0], &byte, 1), 1);
    ::close(ready[0]);
    request_.violation.set_event_id(next_event_id());
    request_.violation.set_pid(child_);
    request_.violation.set_tid(child_);
    request_.violation.set_reason("unshare is not in profile \x1bx");
    request_.violation.mutable_identity()->set_container_id("c1");
    request_.processes = {child_, 1 << 22};
    request_.directory = make_evidence_directory(root_, request_.violation.event_id()).value();
  }
  void TearDown() override {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
    std::filesystem::remove_all(root_.parent_path());
  }

  Result<void> collect(std::chrono::nanoseconds deadline) {
    asio::io_context loop;
    Result<void> result = fail(Code::kInternal, "never called back");
    collect_evidence(loop, request_, deadline,
                     [&](Result<void> done) { result = std::move(done); });
    loop.run();
    return result;
  }

  [[nodiscard]] nlohmann::json read_document() const {
    return parse_json_or_throw<nlohmann::json>(
        read_file(request_.directory / "evidence.json").value());
  }

  std::filesystem::path root_;
  EvidenceRequest request_;
  pid_t child_ = -1;
  UniqueFd hold_;  // the child waits for its end
};

bool is_printable(const std::string& text) {
  for (const char c : text) {
    if (c != '\n' && (c < ' ' || c > '~')) return false;
  }
  return true;
}

TEST_F(EvidenceTest, I7_HostileStringsAreDataAndSecretsAreLeftOut) {
  const auto collected = collect(kEvidenceDeadline);
  ASSERT_TRUE(collected) << collected.error().message;
  const std::string text = read_file(request_.directory / "evidence.json").value();
  EXPECT_TRUE(is_printable(text));
  EXPECT_EQ(text.find("s3cret"), std::string::npos);
  EXPECT_EQ(text.find("hunter2"), std::string::npos);
  const auto document = parse_json_or_throw<nlohmann::json>(text);
  const auto& offender = document["offender_and_ancestors"][0];
  EXPECT_EQ(offender["arguments"][0], "sh");
  EXPECT_EQ(offender["arguments"][3], "--token=<redacted>");
  EXPECT_EQ(offender["arguments"][4], "<redacted, 7 bytes>");
  EXPECT_EQ(document["offender_environment"][0], "DB_PASSWORD=<redacted>");
  EXPECT_EQ(document["processes_in_all"], 2);
  EXPECT_EQ(document["processes"][1]["gone"], true);
  EXPECT_EQ(document["violation"]["reason"], "unshare is not in profile \\x1bx");
}

TEST_F(EvidenceTest, ValuesAreKeptOnlyWhenTheNodeSaysSo) {
  request_.limits.full = true;
  ASSERT_TRUE(collect(kEvidenceDeadline));
  const std::string text = read_file(request_.directory / "evidence.json").value();
  EXPECT_NE(text.find("DB_PASSWORD=s3cret"), std::string::npos);
  EXPECT_TRUE(is_printable(text));
}

TEST_F(EvidenceTest, EveryFileIsPrivateAndInTheManifest) {
  ASSERT_TRUE(collect(kEvidenceDeadline));
  const std::string manifest = read_file(request_.directory / "SHA256SUMS").value();
  struct stat status {};
  ASSERT_EQ(::stat(request_.directory.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0700U);
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(request_.directory)) {
    ASSERT_EQ(::stat(entry.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U) << entry.path();
    const std::string name = entry.path().filename().string();
    if (name == "SHA256SUMS") continue;
    ++files;
    EXPECT_NE(manifest.find(sha256_hex(read_file(entry.path()).value()) + "  " + name + "\n"),
              std::string::npos)
        << name;
  }
  EXPECT_EQ(files, 4);
}

TEST_F(EvidenceTest, E02_WhereAReaderHangsTheBundleIsCompleteAndSaysWhatIsMissing) {
  // A FIFO where the stat file should be: opening it for reading waits for a writer that never
  // comes.
  request_.proc = root_ / "proc";
  const auto task = request_.proc / std::to_string(child_);
  std::filesystem::create_directories(task);
  ASSERT_EQ(::mkfifo((task / "stat").c_str(), 0600), 0);
  const std::int64_t began_ns = monotonic_ns();
  const auto collected = collect(std::chrono::seconds(3));
  ASSERT_TRUE(collected) << collected.error().message;
  EXPECT_LT(monotonic_ns() - began_ns, 4'000'000'000);
  EXPECT_TRUE(std::filesystem::exists(request_.directory / "SHA256SUMS"));
  EXPECT_FALSE(std::filesystem::exists(request_.directory / "incomplete.txt"));
  const auto document = read_document();
  EXPECT_EQ(document["violation"]["pid"], child_);
  EXPECT_TRUE(document.contains("clocks")) << "what came before is kept";
  EXPECT_NE(document["left_out"].dump().find("processes"), std::string::npos)
      << document["left_out"];
  EXPECT_NE(document["left_out"].dump().find("did not answer in time"), std::string::npos);
}

TEST_F(EvidenceTest, NothingIsWrittenBeforeTheWordAndNothingWithoutIt) {
  asio::io_context loop;
  std::filesystem::remove_all(request_.directory);
  int captured = 0;
  {
    auto begun = Collection::begin(loop, request_, kEvidenceDeadline, [&captured] { ++captured; });
    ASSERT_TRUE(begun) << begun.error().message;
    while (captured == 0) loop.run_one();
    EXPECT_FALSE(std::filesystem::exists(request_.directory));
  }
  loop.restart();
  loop.run();
  EXPECT_EQ(captured, 1);
  EXPECT_FALSE(std::filesystem::exists(request_.directory)) << "it was never told to";
}

TEST_F(EvidenceTest, WhatWasReadBeforeAKillIsInTheBundle) {
  asio::io_context loop;
  bool captured = false;
  auto begun = Collection::begin(loop, request_, kEvidenceDeadline, [&] { captured = true; });
  ASSERT_TRUE(begun) << begun.error().message;
  while (!captured) loop.run_one();
  ::kill(child_, SIGKILL);
  ASSERT_EQ(::waitpid(child_, nullptr, 0), child_);
  request_.violation.set_outcome("killed");
  Result<void> result = fail(Code::kInternal, "never called back");
  (*begun)->write(request_.violation, {{1, "received"}, {2, "every process dead"}},
                  [&](Result<void> done) { result = std::move(done); });
  begun->reset();
  loop.run();
  ASSERT_TRUE(result) << result.error().message;
  const auto document = read_document();
  EXPECT_EQ(document["format"], 2);
  EXPECT_EQ(document["violation"]["outcome"], "killed");
  EXPECT_EQ(document["offender_and_ancestors"][0]["arguments"][0], "sh");
  EXPECT_EQ(document["timeline"][1]["what"], "every process dead");
  EXPECT_FALSE(document["offender_descriptors"].empty());
  bool hashed = false;
  for (const auto& one : document["maps"]) {
    if (one["executable"] == true && one.contains("sha256")) hashed = true;
  }
  EXPECT_TRUE(hashed) << "opened while it lived: " << document["maps"].dump(1);
}

TEST_F(EvidenceTest, I7_StringsBehindPointersAreEscapedAndMarked) {
  const std::string text = "/etc/\x1b[31mshadow";
  request_.violation.set_pid(::getpid());
  request_.violation.set_tid(::getpid());
  request_.violation.set_syscall("mount");
  for (const std::uint64_t address :
       {reinterpret_cast<std::uint64_t>(text.c_str()), std::uint64_t{0}, std::uint64_t{16}})
    request_.violation.add_args(address);
  ASSERT_TRUE(collect(kEvidenceDeadline));
  const auto call = read_document()["call"];
  EXPECT_EQ(call["syscall"], "mount");
  EXPECT_EQ(call["args"][0]["string"], "/etc/\\x1b[31mshadow");
  EXPECT_EQ(call["args"][0]["string_truncated"], false);
  EXPECT_FALSE(call["args"][1].contains("string"));
  EXPECT_FALSE(call["args"][2].contains("string")) << "not mapped";
  EXPECT_TRUE(call.contains("strings_are"));
}

TEST_F(EvidenceTest, AnExecutableWithoutAFileIsHashed) {
  const std::string code(4096, '\xc3');
  const UniqueFd fd(::memfd_create("hidden", MFD_CLOEXEC));
  ASSERT_EQ(::write(fd.get(), code.data(), code.size()), 4096);
  void* const at = ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd.get(), 0);
  ASSERT_NE(at, MAP_FAILED);
  request_.violation.set_pid(::getpid());
  request_.violation.set_tid(::getpid());
  ASSERT_TRUE(collect(kEvidenceDeadline));
  ::munmap(at, 4096);
  const auto document = read_document();
  nlohmann::json found;
  for (const auto& one : document["maps"]) {
    if (one["path"].get<std::string>().rfind("/memfd:hidden", 0) == 0) found = one;
  }
  EXPECT_EQ(found["sha256"], sha256_hex(code)) << found;
}

// A file system of its own that holds almost nothing; where none can be mounted, there is nothing
// to see.
class FullDisk {
 public:
  explicit FullDisk(std::filesystem::path at) : at_(std::move(at)) {
    std::filesystem::create_directories(at_);
    mounted = ::mount("tmpfs", at_.c_str(), "tmpfs", 0, "size=256k") == 0;
  }
  ~FullDisk() {
    if (mounted) ::umount2(at_.c_str(), MNT_DETACH);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;
  // Until not a page is left.
  void fill() const {
    const UniqueFd fd(::open((at_ / "filler").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    const std::string page(4096, 'x');
    while (::write(fd.get(), page.data(), page.size()) > 0) {
    }
  }
  bool mounted = false;

 private:
  std::filesystem::path at_;
};

TEST_F(EvidenceTest, AFullDiskIsAnErrorBeforeTheRecordNamesADirectory) {
  const FullDisk disk(root_ / "disk");
  if (!disk.mounted) GTEST_SKIP() << "needs root to mount a tmpfs";
  std::filesystem::create_directory(root_ / "disk/evidence");
  disk.fill();
  const auto made = make_evidence_directory(root_ / "disk/evidence", "e1");
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().sys_errno, ENOSPC) << made.error().message;
  EXPECT_TRUE(std::filesystem::is_empty(root_ / "disk/evidence"))
      << "no directory that looks like evidence";
}

TEST_F(EvidenceTest, ADiskThatFillsUpMeanwhileIsToldWithItsErrno) {
  const FullDisk disk(root_ / "disk");
  if (!disk.mounted) GTEST_SKIP() << "needs root to mount a tmpfs";
  request_.directory = make_evidence_directory(root_ / "disk/evidence", "e1").value();
  disk.fill();
  const auto collected = collect(kEvidenceDeadline);
  ASSERT_FALSE(collected);
  EXPECT_EQ(collected.error().sys_errno, ENOSPC) << collected.error().message;
  EXPECT_NE(collected.error().message.find("incomplete.txt"), std::string::npos)
      << collected.error().message;
  const std::string why = read_file(request_.directory / "incomplete.txt").value();
  EXPECT_NE(why.find("No space left"), std::string::npos) << why;
  EXPECT_FALSE(std::filesystem::exists(request_.directory / "SHA256SUMS"));
}

TEST_F(EvidenceTest, TheCollectorIsInvisibleToTheReaper) {
  asio::io_context loop;
  bool called = false;
  ::kill(child_, SIGKILL);
  ASSERT_EQ(::waitpid(child_, nullptr, 0), child_);
  collect_evidence(loop, request_, kEvidenceDeadline, [&](const Result<void>&) { called = true; });
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "no child that wait4(-1) would meet";
  loop.run();
  EXPECT_TRUE(called);
}

// A container can make much of it large. What happened, and what was left out, always has a place.
TEST_F(EvidenceTest, LimitsHoldAndWhatHappenedIsToldAllTheSame) {
  request_.limits.max_bytes = 4096;  // the least that wardd.yaml takes
  ASSERT_TRUE(collect(kEvidenceDeadline));
  std::set<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(request_.directory))
    files.insert(entry.path().filename());
  EXPECT_EQ(files, (std::set<std::string>{"SHA256SUMS", "evidence.json"}));
  EXPECT_LT(std::filesystem::file_size(request_.directory / "evidence.json"), 8192U);
  const auto document = read_document();
  EXPECT_EQ(document["violation"]["pid"], child_);
  EXPECT_FALSE(document.contains("processes"));
  EXPECT_NE(document["left_out"].dump().find("beyond evidence.maxBytes"), std::string::npos);
}

}  // namespace
}  // namespace ward::shim::supervisor
