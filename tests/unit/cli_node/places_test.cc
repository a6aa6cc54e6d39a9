// SPDX-License-Identifier: Apache-2.0
// Where `ward node` looks, in a folder of the test's own: programs, bundles, imported files, its
// record.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "cli/node/binaries.h"
#include "cli/node/containerd.h"
#include "cli/node/record.h"
#include "cli/node/text_file.h"
#include "cli/node/trial.h"
#include "lib/base/digest.h"
#include "lib/base/file.h"

namespace ward::cli::node {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class NodePlaces : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(directory_); }
  void TearDown() override { fs::remove_all(directory_); }
  fs::path write(const fs::path& name, const std::string& text) const {
    fs::create_directories((directory_ / name).parent_path());
    std::ofstream(directory_ / name) << text;
    return directory_ / name;
  }
  fs::path directory_ = fs::temp_directory_path() / ("ward-places-" + random_hex(4));
};

// k3s: one program that is told by its name whether it is a containerd.
TEST_F(NodePlaces, AContainerdIsExecutedByThePathThatItWasStartedBy) {
  const fs::path real = write("data/k3s", "x"), other = write("other/containerd", "y");
  fs::create_directories(directory_ / "bin");
  const fs::path link = directory_ / "bin/containerd";
  fs::create_symlink(real, link);
  EXPECT_EQ(program_path(link, "/", {}, real), link);
  EXPECT_EQ(program_path("bin/containerd", directory_, {}, real), link);
  EXPECT_EQ(program_path("containerd", "/", {directory_ / "other", directory_ / "bin"}, real),
            link);
  EXPECT_EQ(program_path("containerd", "/", {directory_ / "other"}, real), real);
  EXPECT_EQ(program_path(other, "/", {}, real), real) << "a name that is not this program's";
}

TEST_F(NodePlaces, BundlesThatCannotBeReadMayNeedTheShim) {
  const fs::path shim = write("bin/containerd-shim-ward-v1", "x");
  EXPECT_FALSE(find_use(shim, directory_ / "none").any());
  const std::string tasks = "state/io.containerd.runtime.v2.task";
  write(tasks + "/k8s.io/web/shim-binary-path", shim.string());
  write(tasks + "/k8s.io/other/shim-binary-path", "/usr/bin/containerd-shim-runc-v2");
  const ShimUse use = find_use(shim, directory_ / "state");
  EXPECT_THAT(use.bundles, ElementsAre("k8s.io/web"));
  EXPECT_EQ(use.unknown, "");
  write("broken/io.containerd.runtime.v2.task", "no folder");
  const ShimUse unknown = find_use(shim, directory_ / "broken");
  EXPECT_TRUE(unknown.any());
  EXPECT_THAT(unknown.unknown, HasSubstr("io.containerd.runtime.v2.task"));
}

TEST_F(NodePlaces, TheStateIsWhereTheCommandLineSaysBeforeTheConfiguration) {
  Daemon daemon;
  const Settings dump = {{{"state"}, "\"/of/the/file\""}};
  EXPECT_EQ(state_of(daemon, std::nullopt), "/run/containerd");
  EXPECT_EQ(state_of(daemon, dump), "/of/the/file");
  daemon.state = "/of/the/flag";
  EXPECT_EQ(state_of(daemon, dump), "/of/the/flag");
}

// containerd takes the files of a folder by name: the one that is tried stands where it will be.
TEST_F(NodePlaces, AnImportIsTriedInItsPlaceAmongTheOthers) {
  for (const char* name : {"z.toml", "a.toml", "ward.toml", "note.txt"})
    write(fs::path("conf.d") / name, "");
  const std::string folder = (directory_ / "conf.d").string();
  const std::string text = "imports = [\"/x.toml\", \"" + folder + "/*.toml\"]\nversion = 3\n";
  const auto imports = find_imports(text, "c");
  ASSERT_TRUE(imports && *imports);
  EXPECT_EQ(with_imports(text, **imports, folder + "/ward.toml", folder + "/staged"),
            "imports = [\"/x.toml\", \"" + folder + "/a.toml\", \"" + folder + "/staged\", \"" +
                folder + "/z.toml\"]\nversion = 3\n");
  EXPECT_EQ(with_imports(text, **imports, folder + "/ward.toml", ""),
            "imports = [\"/x.toml\", \"" + folder + "/a.toml\", \"" + folder +
                "/z.toml\"]\nversion = 3\n");
}

TEST_F(NodePlaces, AFileThatDoesNotBeginAsItWasMadeIsSomebodysElse) {
  const fs::path made = write("made", "# head\nx\n"), own = write("own", "x\n# head\n");
  ASSERT_TRUE(remove_made_file(made, "# head\n"));
  ASSERT_TRUE(remove_made_file(own, "# head\n"));
  EXPECT_TRUE(remove_made_file(directory_ / "none", "# head\n"));
  EXPECT_FALSE(fs::exists(made));
  EXPECT_TRUE(fs::exists(own));
}

TEST_F(NodePlaces, ARecordIsReadAsItWasWrittenAndAnOlderOneIsUnderstood) {
  Places places;
  places.state = directory_ / "var";
  Record record;
  record.daemon.state = "/s";
  record.daemon.called = "containerd";
  record.made = {"ward"};
  record.kept = {"containerd-shim-ward-v1"};
  ASSERT_TRUE(write_record(places, record));
  const auto read = read_record(places);
  ASSERT_TRUE(read && *read);
  EXPECT_EQ((*read)->daemon.state, "/s");
  EXPECT_EQ((*read)->daemon.called, "containerd");
  EXPECT_EQ((*read)->made, record.made);
  EXPECT_EQ((*read)->kept, record.kept);
  std::string text = read_file(record_path(places)).value_or("");
  for (const char* line : {"  \"called\": \"containerd\",\n", "  \"state\": \"/s\",\n"}) {
    ASSERT_NE(text.find(line), std::string::npos);
    text.erase(text.find(line), std::string(line).size());
  }
  ASSERT_TRUE(write_file_atomically(record_path(places), text));
  const auto older = read_record(places);
  ASSERT_TRUE(older && *older);
  EXPECT_EQ((*older)->daemon.state, "");
}

}  // namespace
}  // namespace ward::cli::node
