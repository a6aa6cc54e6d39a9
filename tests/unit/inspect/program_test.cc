// SPDX-License-Identifier: Apache-2.0
// ward-inspect as the shim starts it: what it answers, what it may do, and what a file cannot make
// it do.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/digest.h"
#include "lib/json/json.h"
#include "lib/linux/child_process.h"
#include "lib/linux/process_info.h"

extern "C" void ward_inspect_test_landmark() { ::getpid(); }

namespace ward::inspect {
namespace {

using Json = nlohmann::json;
using testing::StartsWith;

UniqueFd memory(const std::string& text) {
  UniqueFd fd(::memfd_create("test", MFD_CLOEXEC));
  EXPECT_EQ(::pwrite(fd.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  return fd;
}

struct Ended {
  int status = 0;
  std::string said;
};

class Program {
 public:
  Program(const UniqueFd& request, const std::vector<int>& descriptors) {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    from_.reset(ends[0]);
    const UniqueFd to(ends[1]);
    ChildSpec spec{WARD_INSPECT, {"ward-inspect"}, {}, "/", {{request.get(), 0}, {to.get(), 1}}};
    int at = 3;
    for (const int fd : descriptors) spec.descriptors.emplace_back(fd, at++);
    child_ = start_child(spec).value();
  }
  [[nodiscard]] pid_t pid() const { return child_.pid; }
  Ended end() {
    Ended ended;
    char chunk[4096];
    for (ssize_t n = 0; (n = ::read(from_.get(), chunk, sizeof(chunk))) > 0;)
      ended.said.append(chunk, static_cast<std::size_t>(n));
    ::waitpid(child_.pid, &ended.status, 0);
    return ended;
  }

 private:
  UniqueFd from_;
  Child child_;
};

Json answer_of(const std::string& request, const std::vector<int>& descriptors) {
  Program program(memory(request), descriptors);
  const Ended ended = program.end();
  EXPECT_EQ(ended.status, 0) << ended.said;
  return parse_json<Json>(ended.said);
}

// Where in this program's file the landmark is, as a mapping says it.
std::uint64_t landmark_offset() {
  const auto address = reinterpret_cast<std::uint64_t>(&ward_inspect_test_landmark);
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    unsigned long start = 0, end = 0, offset = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx %*s %lx", &start, &end, &offset) == 3 &&
        start <= address && address < end)
      return address - start + offset;
  }
  return 0;
}

TEST(WardInspect, NamesAFunctionAndThePackageOfAFile) {
  const UniqueFd self(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  const std::string sums = "00000000000000000000000000000000  usr/bin/x\n";
  const UniqueFd database =
      memory("dpkg xpkg.md5sums " + std::to_string(sums.size()) + "\n" + sums);
  const Json answer = answer_of(
      "database 3\nfile 4 " + hex("/usr/bin/x") + " " + std::to_string(landmark_offset()) + "\n",
      {database.get(), self.get()});
  const Json& file = answer["files"][0];
  EXPECT_EQ(file["symbols"][0], "ward_inspect_test_landmark+0x0");
  EXPECT_EQ(file["package"], "xpkg");
}

TEST(WardInspect, SaysWhetherAFileIsThePackages) {
  // MD5 of "abc", RFC 1321.
  const std::string sums = "900150983cd24fb0d6963f7d28e17f72  usr/bin/x\n";
  const UniqueFd database =
      memory("dpkg xpkg.md5sums " + std::to_string(sums.size()) + "\n" + sums);
  const UniqueFd same = memory("abc"), other = memory("abd");
  const std::string path = hex("/usr/bin/x");
  const Json answer = answer_of("database 3\nfile 4 " + path + "\nfile 5 " + path + "\n",
                                {database.get(), same.get(), other.get()});
  EXPECT_EQ(answer["files"][0]["digest"], "md5");
  EXPECT_EQ(answer["files"][0]["same"], true);
  EXPECT_EQ(answer["files"][1]["same"], false);
}

TEST(WardInspect, AFifoADeviceASparseTerabyteAndNoDescriptorAreNoFiles) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd pipe(ends[0]), writer(ends[1]);
  const UniqueFd zero(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
  const UniqueFd sparse(::memfd_create("sparse", MFD_CLOEXEC));
  ASSERT_EQ(::ftruncate(sparse.get(), off_t{1} << 40U), 0);
  const std::string sums = "00000000000000000000000000000000  x\n";
  const UniqueFd database = memory("dpkg p.md5sums " + std::to_string(sums.size()) + "\n" + sums);
  std::string request = "database 3\n";
  for (const char* fd : {"4", "5", "6", "77", "-1"})
    request += std::string("file ") + fd + " " + hex("/x") + " 1 2 3\n";
  const Json answer = answer_of(request, {database.get(), pipe.get(), zero.get(), sparse.get()});
  ASSERT_EQ(answer["files"].size(), 5U);
  for (const Json& file : answer["files"]) {
    EXPECT_FALSE(file.contains("same")) << file;
    for (const Json& symbol : file["symbols"]) EXPECT_EQ(symbol, "");
  }
}

TEST(WardInspect, HasNoRightsWhenItReadsItsRequest) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd request(ends[0]);
  UniqueFd writer(ends[1]);
  // A full pipe has room again once somebody has read.
  ASSERT_EQ(::fcntl(writer.get(), F_SETPIPE_SZ, 4096), 4096);
  ASSERT_EQ(::write(writer.get(), std::string(4096, '\n').data(), 4096), 4096);
  Program program(request, {});
  pollfd room{.fd = writer.get(), .events = POLLOUT, .revents = 0};
  ASSERT_EQ(::poll(&room, 1, 20'000), 1);
  const TaskStatus status = read_status(program.pid()).value();
  EXPECT_EQ(status.seccomp, 2);
  EXPECT_EQ(status.no_new_privileges, 1);
  EXPECT_THAT(status.uid, StartsWith("65534\t65534\t65534\t65534"));
  EXPECT_THAT(status.gid, StartsWith("65534\t65534\t65534\t65534"));
  EXPECT_EQ(status.capabilities_effective.find_first_not_of('0'), std::string::npos);
  writer.reset();
  EXPECT_EQ(program.end().status, 0);
}

}  // namespace
}  // namespace ward::inspect
