// SPDX-License-Identifier: Apache-2.0
// The walks of README.md and docs/, run from their own text on a fresh node: every block that says
// walk=NAME, page after page, is one script of one shell, as somebody would paste it. What a
// `console` block shows is compared with what its commands say (tests/support/page_blocks.h).
#include <sys/mount.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <regex>
#include <set>
#include <sstream>

#include "lib/base/digest.h"
#include "tests/integration/node_test_base.h"
#include "tests/support/page_blocks.h"

namespace ward::test {
namespace {

namespace fs = std::filesystem;
constexpr std::chrono::minutes kPatienceForAWalk{3};

// A directory of the system whose changes are nobody else's, and are gone afterwards.
class OwnCopy {
 public:
  OwnCopy(fs::path directory, const fs::path& scratch) : directory_(std::move(directory)) {
    const fs::path upper = scratch / "upper" / directory_.filename(),
                   work = scratch / "work" / directory_.filename();
    fs::create_directories(upper);
    fs::create_directories(work);
    const std::string options = "lowerdir=" + directory_.string() + ",upperdir=" + upper.string() +
                                ",workdir=" + work.string();
    EXPECT_EQ(::mount("overlay", directory_.c_str(), "overlay", 0, options.c_str()), 0)
        << directory_ << ": " << std::strerror(errno);
  }
  ~OwnCopy() { ::umount2(directory_.c_str(), MNT_DETACH); }
  OwnCopy(const OwnCopy&) = delete;
  OwnCopy& operator=(const OwnCopy&) = delete;

 private:
  fs::path directory_;
};

// A node where the pages have theirs: /etc/ward and /var/lib/ward, empty.
class FreshNode {
 public:
  FreshNode() : scratch_(fs::temp_directory_path() / ("ward-walk-" + random_hex(4))) {
    fs::create_directories(scratch_);
    EXPECT_EQ(::mount("tmpfs", scratch_.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=700"), 0);
    etc_ = std::make_unique<OwnCopy>("/etc", scratch_);
    lib_ = std::make_unique<OwnCopy>("/var/lib", scratch_);
    fs::create_directories("/etc/ward");
    fs::create_directories("/var/lib/ward");
    node_ = std::make_unique<Node>();
    node_->use_usual_places();
    node_->start_containerd();
    for (const auto& [name, program] :
         {std::pair{"ward", ward_binary()}, std::pair{"wardd", wardd_binary()}})
      fs::create_symlink(program, node_->directory() / "bin" / name);
    fs::create_directories(node_->directory() / "walk");
    fs::create_symlink(fs::current_path() / "scripts", node_->directory() / "walk/scripts");
  }
  ~FreshNode() {
    node_.reset();
    lib_.reset();
    etc_.reset();
    ::umount2(scratch_.c_str(), MNT_DETACH);
    std::error_code ignored;
    fs::remove(scratch_, ignored);
  }
  FreshNode(const FreshNode&) = delete;
  FreshNode& operator=(const FreshNode&) = delete;
  [[nodiscard]] Node& node() const { return *node_; }

  [[nodiscard]] Output run_script(const fs::path& script) const {
    Child::Options options = node_->environment();
    options.environment.push_back("CONTAINERD_ADDRESS=" + node_->containerd_socket().string());
    options.environment.push_back("CONTAINERD_NAMESPACE=" + node_->containerd_namespace());
    return run({"bash", script.string()}, options, "", kPatienceForAWalk);
  }

 private:
  fs::path scratch_;
  std::unique_ptr<OwnCopy> etc_, lib_;
  std::unique_ptr<Node> node_;
};

std::vector<Command> read_walk(const std::string& name) {
  std::vector<Command> commands;
  for (const Block& block : blocks_of_all_pages()) {
    const auto mark = block.marks.find("walk");
    if (mark == block.marks.end() || mark->second != name) continue;
    const auto more = commands_of(block);
    commands.insert(commands.end(), more.begin(), more.end());
  }
  return commands;
}

// Of commands that show nothing any failure ends the walk; of the others what they say is compared.
std::string script_of(const std::vector<Command>& commands, const fs::path& directory) {
  std::string script = "cd '" + directory.string() + "'\n";
  for (std::size_t i = 0; i < commands.size(); ++i) {
    script += "exec >'" + std::to_string(i) + ".out' 2>&1\nset " +
              (commands[i].is_shown ? "+e" : "-e") + "\n" + commands[i].text;
  }
  return script;
}

class Walks : public testing::Test {
 protected:
  void SetUp() override {
    const char* cgroups = std::getenv("WARD_TEST_CGROUPS");
    if (cgroups != nullptr && std::string(cgroups) == "v2")
      GTEST_SKIP() << "the pages' ctr sets cpu shares, and the unified hierarchy of a hybrid host "
                      "has no cpu controller";
  }

  static void walk(const std::string& name) {
    const auto commands = read_walk(name);
    ASSERT_FALSE(commands.empty());
    const FreshNode fresh;
    const fs::path directory = fresh.node().directory() / "walk";
    std::ofstream(directory / "walk.sh") << script_of(commands, directory);
    const Output output = fresh.run_script(directory / "walk.sh");
    std::vector<std::string> said;
    std::string all;
    for (std::size_t i = 0; i < commands.size(); ++i) {
      std::ifstream file(directory / (std::to_string(i) + ".out"));
      std::stringstream text;
      text << file.rdbuf();
      said.push_back(std::regex_replace(text.str(), std::regex(fresh.node().containerd_namespace()),
                                        "default"));
      all += commands[i].where + "\n" + commands[i].text + said.back() + "\n";
    }
    if (std::getenv("WARD_TEST_SHOW") != nullptr) std::puts(all.c_str());
    ASSERT_EQ(output.status, 0) << output.err << all;
    for (std::size_t i = 0; i < commands.size(); ++i) {
      if (!commands[i].is_shown) continue;
      EXPECT_EQ(first_difference(commands[i].shown, said[i]), "")
          << commands[i].where << " `" << commands[i].text << "` says\n"
          << said[i];
    }
    EXPECT_EQ(fresh.node().ctr({"container", "ls", "-q"}).out, "")
        << "the walk does not clear away what it made";
  }
};

TEST_F(Walks, F31_MemcachedLearnedSignedForEnforcedAndBroken) { walk("memcached"); }
TEST_F(Walks, F31_AWebServerFromNothingToEnforced) { walk("web"); }
TEST_F(Walks, F31_TheHarmClassesAreShown) { walk("syscalls"); }

TEST_F(Walks, F31_EveryWalkOfThePagesIsOneOfThese) {
  // The last two by tests/package/node_test.py, on nodes with systemd.
  const std::set<std::string> run = {"memcached", "web", "syscalls", "package", "tarball"};
  for (const Block& block : blocks_of_all_pages()) {
    const auto mark = block.marks.find("walk");
    if (mark == block.marks.end()) continue;
    EXPECT_EQ(run.count(mark->second), 1U)
        << block.where() << ": no test runs the walk '" << mark->second << "'";
  }
}

}  // namespace
}  // namespace ward::test
