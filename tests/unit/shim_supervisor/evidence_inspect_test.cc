// SPDX-License-Identifier: Apache-2.0
// Mapped files, their symbols and their packages, of a process that does what it can against them.
#include "shim/supervisor/evidence_inspect.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "lib/base/clock.h"
#include "lib/base/digest.h"
#include "lib/base/escape.h"
#include "profiles/filter/constants.h"

extern "C" void ward_evidence_test_landmark() { ::getpid(); }

namespace ward::shim::supervisor {
namespace {

namespace fs = std::filesystem;

// This process is the offender, and its own program what is mapped.
class InspectTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::temp_directory_path() / ("ward-inspect-" + random_hex(4));
    fs::create_directories(info_ = root_ / "bundle/rootfs/var/lib/dpkg/info");
    fs::create_directories(root_ / "upper/var/lib/dpkg/info");
    request_.bundle = root_ / "bundle";
    request_.violation.set_pid(::getpid());
    program_ = fs::read_symlink("/proc/self/exe");
    maps_ = parse_maps(read_prefix("/proc/self/maps", 8U << 20U));
  }
  void TearDown() override { fs::remove_all(root_); }

  void write_database(const fs::path& directory) const {
    std::ofstream(directory / "own.md5sums")
        << "00000000000000000000000000000000  " << program_.string().substr(1) << "\n";
  }
  [[nodiscard]] Mapping own_code() const {
    const auto found = std::find_if(maps_.begin(), maps_.end(), [&](const Mapping& one) {
      return one.path == program_ && one.permissions == "r-xp";
    });
    return found == maps_.end() ? Mapping{} : *found;
  }
  // What is said of this program's file.
  Json packaged(const std::vector<Mapping>& maps, const UniqueFd& upper) {
    std::string why;
    const UniqueFd root = open_image_root(request_, why);
    const MappedFiles mapped(request_, maps);
    Json list = mapped.list();
    add_packages(mapped, root, upper, monotonic_ns() + 20'000'000'000, list, left_out_);
    for (const Json& one : list)
      if (one["path"] == program_.string() && one["executable"] == true) return one;
    return {};
  }
  [[nodiscard]] UniqueFd open_upper() const {
    return UniqueFd(::open((root_ / "upper").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }

  fs::path root_, info_, program_;
  EvidenceRequest request_;
  std::vector<Mapping> maps_;
  LeftOut left_out_;
};

TEST_F(InspectTest, APackageIsNamedAndWhetherItsDatabaseWasChanged) {
  write_database(info_);
  Json found = packaged(maps_, open_upper());
  EXPECT_EQ(found["package"], "own") << found << left_out_.list();
  EXPECT_EQ(found["package_changed"], false);
  write_database(root_ / "upper/var/lib/dpkg/info");
  EXPECT_EQ(packaged(maps_, open_upper())["package_changed"], true);
  found = packaged(maps_, UniqueFd());
  ASSERT_TRUE(found.contains("package_changed")) << found;
  EXPECT_TRUE(found["package_changed"].is_null()) << "not known";
}

TEST_F(InspectTest, T16_TheDatabaseIsTheImagesWhateverRootTheOffenderHas) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root for chroot(2)";
  const fs::path forged = root_ / "forged";
  fs::create_directories(forged / "var/lib/dpkg/info");
  write_database(forged / "var/lib/dpkg/info");
  int ready[2];
  ASSERT_EQ(::pipe2(ready, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::chroot(forged.c_str()) == 0) (void)!::write(ready[1], "r", 1);
    ::pause();
    ::_exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  ::close(ready[0]);
  ::close(ready[1]);
  request_.violation.set_pid(child);
  std::string why;
  const UniqueFd root = open_image_root(request_, why);
  struct stat opened {
  }, image{};
  EXPECT_EQ(::fstat(root.get(), &opened), 0) << why;
  EXPECT_EQ(::stat((root_ / "bundle/rootfs").c_str(), &image), 0);
  EXPECT_EQ(opened.st_ino, image.st_ino);
  const Json found = packaged(maps_, open_upper());
  EXPECT_FALSE(found.contains("package")) << found;
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  fs::rename(root_ / "bundle/rootfs", root_ / "moved");
  fs::create_directory_symlink(forged, root_ / "bundle/rootfs");
  EXPECT_FALSE(open_image_root(request_, why));
}

TEST_F(InspectTest, TooManyNamesInTheDatabaseAreToldAndCostNoSymbol) {
  for (int i = 0; i < 40'100; ++i)
    ASSERT_EQ(::symlink("nowhere", (info_ / std::to_string(i)).c_str()), 0);
  packaged(maps_, open_upper());
  EXPECT_NE(left_out_.list().dump().find("more names"), std::string::npos) << left_out_.list();
  const Mapping code = own_code();
  const auto address = reinterpret_cast<std::uint64_t>(&ward_evidence_test_landmark);
  Json stack = {{{"module", escape(program_.string(), kMaxPathBytes)},
                 {"offset", filter::format_hex(address - code.start + code.offset)}}};
  add_symbols(MappedFiles(request_, maps_), monotonic_ns() + 20'000'000'000, stack, left_out_);
  EXPECT_EQ(stack[0]["symbol"], "ward_evidence_test_landmark+0x0") << stack << left_out_.list();
}

TEST_F(InspectTest, PathsThatAreTooLongTogetherCostNoAnswerOfThoseBefore) {
  write_database(info_);
  std::vector<Mapping> maps = {own_code()};
  for (int i = 0; i < 60; ++i) {
    maps.push_back(own_code());
    maps.back().path = "/" + std::to_string(i) + std::string(4000, 'p');
  }
  EXPECT_EQ(packaged(maps, open_upper())["package"], "own") << left_out_.list();
  EXPECT_NE(left_out_.list().dump().find("paths too long"), std::string::npos) << left_out_.list();
}

TEST_F(InspectTest, ManyMappingsDoNotHideTheExecutableOne) {
  std::vector<Mapping> maps;
  for (int i = 0; i < 300; ++i)
    maps.push_back({.start = 4096U * static_cast<unsigned>(i),
                    .end = 4096U * static_cast<unsigned>(i + 1),
                    .offset = 0,
                    .permissions = "r--p",
                    .device = "00:01",
                    .inode = std::to_string(i + 1),
                    .path = "/harmless"});
  maps.push_back(own_code());
  const MappedFiles mapped(request_, maps);
  const Json list = mapped.list();
  ASSERT_EQ(list.size(), MappedFiles::kMaxFiles);
  EXPECT_EQ(list[0]["path"], program_.string());
  EXPECT_EQ(mapped.opened().size(), 1U);
  EXPECT_EQ(mapped.dropped(), 301 - MappedFiles::kMaxFiles);

  std::string text;
  for (int i = 0; i < 5000; ++i) text += "1000-2000 r--p 00000000 00:01 7 /harmless\n";
  const auto parsed = parse_maps(text + "3000-4000 r-xp 00000000 00:01 8 /code\n");
  EXPECT_EQ(parsed.back().path, "/code");
}

TEST_F(InspectTest, AFileUnderALeaseIsSaidToBe) {
  const fs::path path = root_ / "leased";
  std::ofstream(path) << std::string(4096, 'x');
  const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  void* const at = ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd.get(), 0);
  ASSERT_NE(at, MAP_FAILED);
  // Its holder is told of who opens it: by a signal that does nothing.
  if (::fcntl(fd.get(), F_SETSIG, SIGURG) != 0 || ::fcntl(fd.get(), F_SETLEASE, F_WRLCK) != 0)
    GTEST_SKIP() << "no leases on this file system";
  const MappedFiles mapped(request_, parse_maps(read_prefix("/proc/self/maps", 8U << 20U)));
  std::string why;
  for (const Json& one : mapped.list())
    if (one["path"] == path.string()) why = one.value("not_hashed", "");
  EXPECT_EQ(why, "a process holds a lease on it");
  ::munmap(at, 4096);
}

}  // namespace
}  // namespace ward::shim::supervisor
