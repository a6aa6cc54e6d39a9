// SPDX-License-Identifier: Apache-2.0
#include "lib/linux/newer_program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace ward {
namespace {

constexpr std::int64_t kForEver = std::int64_t{1} << 62;

std::int64_t changed_ns(const std::filesystem::path& path) {
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return std::int64_t{status.st_ctim.tv_sec} * 1'000'000'000 + status.st_ctim.tv_nsec;
}

class NewerProgram : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = std::filesystem::temp_directory_path() / "ward-newer-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  ~NewerProgram() override { std::filesystem::remove_all(directory_); }

  [[nodiscard]] std::string find(const std::string& name, std::int64_t since_wall_ns,
                                 const std::string& search_path = {}) const {
    const UniqueFd descriptors(::open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC));
    return find_newer_program({name, search_path, directory_.string()}, since_wall_ns, descriptors);
  }
  std::string put(const std::string& name, const std::string& content) const {
    const auto path = directory_ / name;
    std::ofstream(path) << content;
    ::chmod(path.c_str(), 0755);
    return path.string();
  }

  std::filesystem::path directory_;
};

TEST_F(NewerProgram, AFileIsAsNewAsItsLastChangeOfAnyKind) {
  const std::string path = put("probe", "content");
  EXPECT_EQ(find(path, changed_ns(path)), path);
  EXPECT_EQ(find(path, changed_ns(path) + 1), "");
  const timespec long_ago[2] = {{1, 0}, {1, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), long_ago, 0), 0);
  EXPECT_EQ(find(path, changed_ns(path)), path) << "setting mtime back is a change";
}

TEST_F(NewerProgram, ANameIsLookedUpAsTheRuntimeDoes) {
  const std::string path = put("probe", "content");
  EXPECT_EQ(find("probe", 0, "/nowhere:" + directory_.string() + ":/bin"), path);
  EXPECT_EQ(find("probe", 0, "/nowhere"), "");
  EXPECT_EQ(find("probe", 0, ""), directory_.string() + "/./probe") << "no path is this directory";
  EXPECT_EQ(find("./probe", 0), directory_.string() + "/./probe");
  ::chmod(path.c_str(), 0644);
  EXPECT_EQ(find("probe", 0, directory_.string()), "") << "nobody may execute it";
}

TEST_F(NewerProgram, InterpretersAreLookedAtToo) {
  const std::string inner = put("inner", "#!/proc/self/exe\n");
  const std::string outer = put("outer", "#! " + inner + " -x\necho\n");
  // Every file but the one that is asked for is older.
  ASSERT_EQ(::chmod(outer.c_str(), 0755), 0);
  const std::int64_t outer_ns = changed_ns(outer);
  std::int64_t inner_ns = 0;
  while ((inner_ns = changed_ns(inner)) <= outer_ns) ASSERT_EQ(::chmod(inner.c_str(), 0755), 0);
  EXPECT_EQ(find(outer, outer_ns + 1), inner);
  EXPECT_EQ(find(outer, inner_ns + 1), "");
  const std::string loaded = find("/proc/self/exe", 0);
  EXPECT_EQ(loaded, "") << "a magic link leads to what is no file of the container";
}

TEST_F(NewerProgram, TheLoaderOfAProgramIsOneOfThem) {
  std::ostringstream program;
  program << std::ifstream("/bin/sh", std::ios::binary).rdbuf();
  std::string bytes = program.str();
  const std::string usual = "/lib64/ld-linux-x86-64.so.2";
  std::string loader = directory_ / "l";
  const std::size_t at = bytes.find(usual);
  if (at == std::string::npos || loader.size() > usual.size())
    GTEST_SKIP() << "/bin/sh has another loader, or '" << loader << "' is too long a name";
  std::string padded = loader;
  padded.resize(usual.size());
  const std::string copy = put("copy", bytes.replace(at, usual.size(), padded));
  const std::int64_t copy_ns = changed_ns(copy);
  put("l", "a loader");
  while (changed_ns(loader) <= copy_ns) ASSERT_EQ(::chmod(loader.c_str(), 0755), 0);
  EXPECT_EQ(find(copy, copy_ns + 1), loader);
  EXPECT_EQ(find(copy, changed_ns(loader) + 1), "");
}

TEST_F(NewerProgram, NothingButARegularFileIsOpened) {
  const std::string fifo = directory_ / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0755), 0);
  EXPECT_EQ(find(fifo, 0), "") << "and does not wait for a writer";
  EXPECT_EQ(find("/dev/null", 0), "");
  EXPECT_EQ(find(directory_.string(), 0), "");
  EXPECT_EQ(find("", 0), "");
  EXPECT_EQ(find(std::string(100'000, 'x'), 0), "");
  const std::string script = put("script", "#!" + fifo + "\n");
  EXPECT_EQ(find(script, changed_ns(script) + 1), "");
  put("loop", "#!" + (directory_ / "loop").string() + "\n");
  EXPECT_EQ(find("./loop", kForEver), "") << "ends";
  put("cut", std::string("\x7f"
                         "ELF\x02",
                         5));
  EXPECT_EQ(find("./cut", kForEver), "");
}

}  // namespace
}  // namespace ward
