// SPDX-License-Identifier: Apache-2.0
// Root file systems of every kind that a snapshotter makes, mounted by the shim and gone with the
// container.
#include <sys/stat.h>

#include <csignal>
#include <fstream>

#include "lib/linux/mount.h"
#include "tests/integration/task_api_base.h"

namespace ward::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;

class Rootfs : public TaskApiTest {
 protected:
  static void add(containerd::CreateTaskRequest& request, const std::string& type,
                  const std::string& source, const std::vector<std::string>& options,
                  const std::string& target = {}) {
    auto* mount = request.add_rootfs();
    mount->set_type(type);
    mount->set_source(source);
    mount->set_target(target);
    for (const auto& option : options) mount->add_options(option);
  }
  // The bundle's own root file system moved aside, as a layer.
  static fs::path take_layer(const Bundle& bundle) {
    const auto layer = bundle.path() / "layer";
    fs::rename(bundle.rootfs(), layer);
    fs::create_directory(bundle.rootfs());
    return layer;
  }
  void expect_runs_and_leaves_nothing(const Bundle& bundle,
                                      const containerd::CreateTaskRequest& request) {
    const auto created = create(request);
    ASSERT_TRUE(created.has_value()) << created.error().message;
    ASSERT_TRUE(tasks_->start(bundle.id()).has_value());
    EXPECT_EQ(tasks_->wait(bundle.id())->exit_status(), 0U);
    const auto deleted = tasks_->remove(bundle.id());
    EXPECT_TRUE(deleted.has_value());
    EXPECT_THAT(mounts_below(bundle.rootfs()), IsEmpty());
  }
  // Layers below a path so long that `count` of them need more than a page.
  static std::vector<std::string> overlay_options(const Bundle& bundle, const fs::path& layer,
                                                  int count) {
    const auto base = bundle.path() / std::string(40, 's') / "snapshots";
    std::string lower;
    for (int i = 0; i < count; ++i) {
      const auto directory = base / std::to_string(i) / "fs";
      fs::create_directories(directory);
      std::ofstream(directory / ("file-" + std::to_string(i))) << i;
      lower += directory.string() + ":";
    }
    fs::create_directories(base / "up/fs");
    fs::create_directories(base / "up/work");
    fs::rename(layer, base / "box");
    lower += (base / "box").string();
    return {"index=off", "workdir=" + (base / "up/work").string(),
            "upperdir=" + (base / "up/fs").string(), "lowerdir=" + lower};
  }
};

TEST_F(Rootfs, AnOverlayOfMoreLayersThanAPageOfOptionsHolds) {
  const Bundle& bundle = make_bundle("layers", {"/box", "true"});
  auto request = bundle.create_request();
  const auto options = overlay_options(bundle, take_layer(bundle), 120);
  ASSERT_GT(options.back().size(), 8192U);
  add(request, "overlay", "overlay", options);
  const auto created = create(request);
  ASSERT_TRUE(created.has_value()) << created.error().message;
  for (const char* name : {"file-0", "file-119", "box"})
    EXPECT_TRUE(fs::exists(bundle.rootfs() / name)) << name;
  EXPECT_EQ(fs::read_symlink("/proc/" + std::to_string(node().shim_pid(carrier_)) + "/cwd"), "/");
  ASSERT_TRUE(tasks_->start("layers").has_value());
  EXPECT_EQ(tasks_->wait("layers")->exit_status(), 0U);
  ASSERT_TRUE(tasks_->remove("layers").has_value());
  EXPECT_THAT(mounts_below(bundle.rootfs()), IsEmpty());
}

TEST_F(Rootfs, ABindThatIsReadOnlyIsReadOnly) {
  const Bundle& bundle = make_bundle("bind", {"/box", "wait"});
  auto request = bundle.create_request();
  const auto layer = take_layer(bundle);
  add(request, "bind", layer, {"rbind", "ro", "nosuid"});
  ASSERT_TRUE(create(request).has_value());
  std::ofstream file(bundle.rootfs() / "written");
  EXPECT_FALSE(file.is_open());
  ASSERT_TRUE(tasks_->start("bind").has_value());
  ASSERT_TRUE(tasks_->kill("bind", SIGKILL).has_value());
  ASSERT_TRUE(tasks_->wait("bind").has_value());
  ASSERT_TRUE(tasks_->remove("bind").has_value());
  EXPECT_THAT(mounts_below(bundle.rootfs()), IsEmpty());
}

TEST_F(Rootfs, AnRbindBringsWhatIsMountedBelow) {
  const Bundle& bundle = make_bundle("rbind", {"/box", "true"});
  const auto layer = take_layer(bundle);
  ASSERT_TRUE(mount_at("tmpfs", "tmpfs", layer / "tmp", {"size=64k"}).has_value());
  std::ofstream(layer / "tmp/below") << "x";
  auto request = bundle.create_request();
  add(request, "", layer, {"rbind", "rw"});
  const auto created = create(request);
  ASSERT_TRUE(created.has_value()) << created.error().message;
  EXPECT_TRUE(fs::exists(bundle.rootfs() / "tmp/below"));
  ASSERT_TRUE(tasks_->start("rbind").has_value());
  ASSERT_TRUE(tasks_->wait("rbind").has_value());
  ASSERT_TRUE(tasks_->remove("rbind").has_value());
  EXPECT_THAT(mounts_below(bundle.rootfs()), IsEmpty());
  EXPECT_TRUE(fs::exists(layer / "tmp/below")) << "only our view of it is gone";
  EXPECT_TRUE(unmount_tree(layer).has_value());
}

TEST_F(Rootfs, SeveralMountsOneBelowTheOther) {
  const Bundle& bundle = make_bundle("stack", {"/box", "true"});
  const auto layer = take_layer(bundle);
  auto request = bundle.create_request();
  add(request, "bind", layer, {"rbind", "rw", "X-containerd.note=1"});
  add(request, "tmpfs", "tmpfs", {"size=64k", "mode=1777", "nodev", "X-containerd.mkdir.path=/x"},
      "/tmp");
  add(request, "tmpfs", "tmpfs", {"size=64k", "rprivate"}, "run");
  expect_runs_and_leaves_nothing(bundle, request);
}

TEST_F(Rootfs, AnImageFileOverALoopDevice) {
  const Bundle& bundle = make_bundle("loop", {"/box", "true"});
  const auto layer = take_layer(bundle);
  const auto image = bundle.path() / "image";
  const Output made =
      run({"mke2fs", "-q", "-t", "ext4", "-d", layer.string(), image.string(), "16m"});
  if (made.status != 0) GTEST_SKIP() << "cannot make an ext4 image: " << made.err;
  if (!fs::exists("/dev/loop-control")) GTEST_SKIP() << "no loop devices here";
  auto request = bundle.create_request();
  add(request, "ext4", image, {"loop", "ro"});
  const auto created = create(request);
  if (!created && created.error().message.find("loop") != std::string::npos)
    GTEST_SKIP() << created.error().message;
  ASSERT_TRUE(created.has_value()) << created.error().message;
  ASSERT_TRUE(tasks_->start("loop").has_value());
  EXPECT_EQ(tasks_->wait("loop")->exit_status(), 0U);
  ASSERT_TRUE(tasks_->remove("loop").has_value());
  EXPECT_THAT(run({"losetup", "-j", image.string()}).out, IsEmpty())
      << "the device goes with the mount";
}

TEST_F(Rootfs, LayersWithMappedOwnersAreMountedAndGone) {
  const Bundle& bundle = make_bundle("mapped", {"/box", "true"});
  auto options = overlay_options(bundle, take_layer(bundle), 3);
  options.insert(options.end(), {"uidmap=0:100000:65536", "gidmap=0:100000:65536"});
  auto request = bundle.create_request();
  add(request, "overlay", "overlay", options);
  const auto created = create(request);
  if (!created && created.error().message.find("cannot map ids") != std::string::npos) {
    GTEST_SKIP() << created.error().message;
  }
  ASSERT_TRUE(created.has_value()) << created.error().message;
  struct stat status = {};
  ASSERT_EQ(::stat((bundle.rootfs() / "box").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 100000U);
  const auto mounts = read_file("/proc/self/mountinfo").value_or("");
  EXPECT_EQ(find_mounts_below(mounts, bundle.rootfs().string()).size(), 1U)
      << "the layers' clones are gone";
  ASSERT_TRUE(tasks_->start("mapped").has_value());
  EXPECT_EQ(tasks_->wait("mapped")->exit_status(), 0U);
  ASSERT_TRUE(tasks_->remove("mapped").has_value());
  EXPECT_THAT(mounts_below(bundle.rootfs()), IsEmpty());
}

TEST_F(Rootfs, ALinkInAnImageDoesNotLeadAMountOutOfIt) {
  const Bundle& bundle = make_bundle("escape", {"/box", "true"});
  const auto layer = take_layer(bundle);
  const auto outside = bundle.path() / "outside";
  fs::create_directory(outside);
  fs::create_directory_symlink(outside, layer / "data");
  auto request = bundle.create_request();
  add(request, "bind", layer, {"rbind", "rw"});
  add(request, "tmpfs", "tmpfs", {"size=64k"}, "/data");
  const auto created = create(request);
  EXPECT_FALSE(created.has_value()) << "there is no such directory inside";
  EXPECT_THAT(mounts_below(outside), IsEmpty());
  EXPECT_THAT(mounts_below(bundle.rootfs()), IsEmpty())
      << "nothing of a failed create is left mounted";
}

TEST_F(Rootfs, AMountThatFailsLeavesNoneOfTheOthersAndNamesItself) {
  const Bundle& bundle = make_bundle("half", {"/box", "true"});
  const auto layer = take_layer(bundle);
  auto request = bundle.create_request();
  add(request, "bind", layer, {"rbind", "rw"});
  add(request, "no-such-fs", "source", {"option"}, "/tmp");
  const auto created = create(request);
  ASSERT_FALSE(created.has_value());
  EXPECT_THAT(created.error().message, HasSubstr("no-such-fs"));
  EXPECT_THAT(mounts_below(bundle.rootfs()), IsEmpty());
  EXPECT_EQ(code_of(tasks_->state("half")), Code::kNotFound);
}

}  // namespace
}  // namespace ward::test
