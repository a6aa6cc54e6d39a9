// SPDX-License-Identifier: Apache-2.0
// What a shim keeps of a container, and what wardd does with it. A first pass of wardd is over when
// it answers.
#include <algorithm>
#include <csignal>
#include <fstream>

#include "lib/base/digest.h"
#include "lib/base/file.h"
#include "tests/integration/guarded_test_base.h"

namespace ward::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Evidence : public GuardedTest {
 protected:
  void SetUp() override {
    GuardedTest::SetUp();
    node().stop_wardd(SIGTERM);
    fs::create_directories(old_);
    std::ofstream(old_ / "evidence.json") << "{}";
    fs::last_write_time(old_, fs::file_time_type::clock::now() - std::chrono::hours(200));
  }
  void TearDown() override { fs::remove(node().config() / "wardd.yaml"); }
  static void write_config(const std::string& evidence) {
    std::ofstream(node().config() / "wardd.yaml")
        << "apiVersion: ward.dev/v1alpha1\nkind: NodeConfig\nevidence: " << evidence << "\n";
  }

  fs::path old_ = node().state() / "evidence" / "0123456789abcdef0123-1";
};

TEST_F(Evidence, WhatIsOlderThanAWeekIsRemovedAndTheJournalSaysSo) {
  node().start_wardd();
  EXPECT_TRUE(await([&] { return !fs::exists(old_); }));
  std::vector<Json> told;
  ASSERT_TRUE(await([&] { return !(told = events("", "evidence-removed")).empty(); }));
  EXPECT_THAT(told.front()["reason"].get<std::string>(), HasSubstr("1 older than evidence.maxAge"));
}

TEST_F(Evidence, I9_NothingIsRemovedWhileNobodyKnowsWhatShouldBeKept) {
  write_config("{maxAge: forever}");
  node().start_wardd();
  EXPECT_THAT(ward_json({"status"})["problems"].dump(), HasSubstr("wardd.yaml:3:20: maxAge"));
  EXPECT_TRUE(fs::exists(old_));
  write_config("{maxAge: 8000h}");
  EXPECT_TRUE(await([] {
    return ward_json({"status"})["problems"].dump().find("wardd.yaml") == std::string::npos;
  }));
  EXPECT_TRUE(fs::exists(old_));
  write_config("{maxAge: 72h}");
  EXPECT_TRUE(await([&] { return !fs::exists(old_); }));
}

class Kept : public GuardedTest {
 protected:
  // The directory, once it is complete.
  static fs::path bundle_of(const std::string& id) {
    const Json event = await_violation(id);
    const fs::path named = event.value("evidence", "");
    const fs::path bundle = node().state() / "evidence" / named.filename();
    EXPECT_TRUE(await([&] { return fs::exists(bundle / "SHA256SUMS"); }))
        << "incomplete: " << event.dump(1) << read_file(bundle / "incomplete.txt").value_or("");
    return bundle;
  }
  static Json document_of(const fs::path& bundle) {
    return Json::parse(read_file(bundle / "evidence.json").value_or(""), nullptr, false);
  }
  // However slow the build and the machine: it is read before the kill.
  static fs::path killed() {
    const std::string id = node().unique("kill");
    std::ofstream(node().directory() / "faults") << "kill.hold=error(EIO)";
    Child child(node().ctr_command(run_arguments(
                    id, {"--rm"}, {"/box", "entry", "/trigger", "/box", "crowd", "20"})),
                node().environment());
    EXPECT_TRUE(child.await_output("ready")) << child.err();
    node().poke(id, "unshare");
    EXPECT_EQ(child.wait(std::chrono::seconds(10)), 137);
    return bundle_of(id);
  }
  static void expect_kept(const Json& document) {
    EXPECT_EQ(document["format"], 2);
    EXPECT_EQ(document["call"]["syscall"], "unshare");
    EXPECT_TRUE(document["call"].contains("pc")) << document["call"];
    ASSERT_FALSE(document["offender_and_ancestors"].empty());
    EXPECT_FALSE(document["offender_and_ancestors"][0].contains("gone"));
    EXPECT_FALSE(document["offender_and_ancestors"][0]["arguments"].empty());
    EXPECT_FALSE(document["offender_descriptors"].empty());
    EXPECT_FALSE(document["stack"].empty());
    EXPECT_EQ(document["profile"]["name"], "box");
    EXPECT_FALSE(document["cgroup_counters"].empty());
    EXPECT_GT(document["clocks"]["boottime_ns"], 0);
    std::string digest;
    for (const auto& one : document["maps"]) {
      if (one["path"] == "/box" && one["executable"] == true) digest = one.value("sha256", "");
    }
    EXPECT_EQ(digest.size(), 64U) << document["maps"].dump(1);
  }
  static std::int64_t moment(const Json& document, const std::string& what) {
    for (const auto& one : document["timeline"])
      if (one["what"] == what) return one["at_ns"].get<std::int64_t>();
    ADD_FAILURE() << "no '" << what << "' in " << document["timeline"].dump(1);
    return 0;
  }
  static bool is_sealed(const fs::path& bundle) { return fs::exists(bundle / "manifest.json"); }
};

TEST_F(Kept, AKilledContainerLeavesWhatItWas) {
  const fs::path bundle = killed();
  const Json document = document_of(bundle);
  expect_kept(document);
  EXPECT_GE(document["processes"].size(), 20U);
  for (const auto& process : document["processes"]) EXPECT_FALSE(process.contains("gone"));
  EXPECT_EQ(document["violation"]["outcome"], "killed");
  EXPECT_LT(moment(document, "frozen"), moment(document, "captured"));
  EXPECT_LT(moment(document, "captured"), moment(document, "kill requested"));
  EXPECT_TRUE(fs::exists(bundle / "spec-original.json"));
  EXPECT_NE(read_file(bundle / "spec-effective.json").value_or("").find("SCMP_ACT_NOTIFY"),
            std::string::npos);
}

TEST_F(Kept, AQuarantinedContainerIsKeptInTheSameWayWithTheFilesItChanged) {
  const std::string id = start_watched("quarantine");
  const fs::path root = "/proc/" + std::to_string(node().task_pid(id)) + "/root";
  std::ofstream(root / "left-behind") << "by whoever came in\n";
  node().poke(id, "unshare");
  const fs::path bundle = bundle_of(id);
  const Json document = document_of(bundle);
  expect_kept(document);
  bool found = false;
  for (const auto& change : document["changed_files"])
    if (change["path"] == "/left-behind") found = change["change"] == "added";
  EXPECT_TRUE(found) << document["changed_files"].dump(1) << document["left_out"].dump(1);
  node().remove(id);
}

// The image has neither symbols nor packages, so the test writes their database: into the writable
// layer, and that is what is said of it.
TEST_F(Kept, WhatIsMappedHasItsPackage) {
  const std::string id = start_watched("quarantine");
  const fs::path root = "/proc/" + std::to_string(node().task_pid(id)) + "/root";
  fs::create_directories(root / "var/lib/dpkg/info");
  std::ofstream(root / "var/lib/dpkg/info/boxpkg.md5sums")
      << "00000000000000000000000000000000  box\n";
  node().poke(id, "unshare");
  const Json document = document_of(bundle_of(id));
  Json box;
  for (const auto& one : document["maps"])
    if (one["path"] == "/box" && one["executable"] == true) box = one;
  EXPECT_EQ(box["package"], "boxpkg") << box << document["left_out"].dump(1);
  EXPECT_EQ(box["package_agrees"], false);
  EXPECT_EQ(box["package_changed"], true);
  node().remove(id);
}

TEST_F(Kept, WhatIsTouchedIsNamedPartByPart) {
  const fs::path bundle = killed();
  const std::string name = bundle.filename();
  ASSERT_TRUE(await([&] { return is_sealed(bundle); }));
  Output verified;
  EXPECT_TRUE(await([&] {
    return (verified = node().ward({"evidence", "verify", name})).status == 0;
  })) << verified.out
      << verified.err;
  EXPECT_THAT(verified.out, HasSubstr(name + ": ok"));
  const fs::path archive = node().directory() / "case.tar.zst";
  const Output exported = node().ward({"evidence", "export", name, "-o", archive.string()});
  EXPECT_EQ(exported.status, 0) << exported.err;
  std::ofstream(bundle / "evidence.json", std::ios::app) << " ";
  std::ofstream(bundle / "planted.txt") << "x";
  const Output touched = node().ward({"evidence", "verify", name});
  EXPECT_EQ(touched.status, 5) << touched.out;
  EXPECT_THAT(touched.out, HasSubstr("evidence.json: changed"));
  EXPECT_THAT(touched.out, HasSubstr("planted.txt: added"));
  fs::remove_all(bundle);
  const Output all = node().ward({"evidence", "verify"});
  EXPECT_EQ(all.status, 5);
  EXPECT_THAT(all.out, HasSubstr(name + ": vanished"));

  // Elsewhere, with the key alone.
  const fs::path elsewhere = node().directory() / "elsewhere";
  fs::create_directory(elsewhere);
  const Output unpacked = run({"tar", "--zstd", "-xf", archive.string(), "-C", elsewhere.string()});
  ASSERT_EQ(unpacked.status, 0) << unpacked.err;
  std::ofstream(elsewhere / "node.pub") << node().ward({"evidence", "key"}).out;
  const Output offline = node().ward({"evidence", "verify", (elsewhere / name).string(), "--key",
                                      (elsewhere / "node.pub").string()});
  EXPECT_EQ(offline.status, 0) << offline.out << offline.err;
  const Output openssl =
      run({"openssl", "pkeyutl", "-verify", "-pubin", "-inkey", (elsewhere / "node.pub").string(),
           "-rawin", "-in", (elsewhere / name / "manifest.json").string(), "-sigfile",
           (elsewhere / name / "manifest.sig").string()});
  EXPECT_EQ(openssl.status, 0) << openssl.out << openssl.err;
}

TEST_F(Kept, BundlesOfATimeWithoutWarddAreSealedInTheirOrder) {
  node().stop_wardd(SIGTERM);
  std::vector<fs::path> bundles;
  for (int i = 0; i < 2; ++i) {
    const std::string id = start_watched("quarantine");
    node().poke(id, "unshare");
    EXPECT_TRUE(await([&] { return node().task_status(id) == "PAUSED"; }));
    EXPECT_TRUE(await([&] {
      for (const auto& entry : fs::directory_iterator(node().state() / "evidence")) {
        if (fs::exists(entry.path() / "SHA256SUMS") && !is_sealed(entry.path()) &&
            std::find(bundles.begin(), bundles.end(), entry.path()) == bundles.end()) {
          bundles.push_back(entry.path());
          return true;
        }
      }
      return false;
    }));
    node().remove(id);
  }
  ASSERT_EQ(bundles.size(), 2U);
  node().start_wardd();
  ASSERT_TRUE(await([&] { return is_sealed(bundles[0]) && is_sealed(bundles[1]); }));
  const auto number = [](const fs::path& bundle) {
    return Json::parse(read_file(bundle / "manifest.json").value())["number"].get<int>();
  };
  EXPECT_LT(number(bundles[0]), number(bundles[1]));
  EXPECT_EQ(node().ward({"evidence", "verify", bundles[1].filename()}).status, 0);
}

}  // namespace
}  // namespace ward::test
