// SPDX-License-Identifier: Apache-2.0
// `ward node` where containerd's configuration is made by a distribution of Kubernetes at each
// start. Imitated: a containerd in the same places, and a command that makes the file as the
// distribution's documentation says.
#include "tests/integration/node_install_base.h"

namespace ward::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

struct Distribution {
  const char* name;
  const char* config;
  const char* written;  // for containerd 1; what Ward writes
  bool template_there;  // before Ward comes
};

class NodeInstallLayouts : public NodeInstallTest,
                           public testing::WithParamInterface<Distribution> {
 protected:
  void imitate() {
    config_ = directory_ / GetParam().config;
    written_ = directory_ / GetParam().written;
    if (major() >= 2 && written_.filename() == "config.toml.tmpl")
      written_.replace_filename("config-v3.toml.tmpl");
    write(directory_ / "base.toml", plain_config());
    fs::create_directories(config_.parent_path());
    if (GetParam().template_there) write(written_, plain_config());
    // base, then what is in the template behind its first line; a whole template; base and a
    // drop-in without its version.
    const std::string base = (directory_ / "base.toml").string(), from = written_.string();
    write(
        directory_ / "make",
        "#!/bin/sh\nif [ ! -e " + from + " ]; then cat " + base + "; elif " +
            (GetParam().template_there ? "cat " + from : "cat " + base + " && tail -n +2 " + from) +
            "; then :; fi >" + config_.string() + "\n");
    fs::permissions(directory_ / "make", fs::perms::owner_all);
    ASSERT_EQ(run({(directory_ / "make").string()}).status, 0);
    start_as({"-c", config_.string()});
  }
  Output by_distribution(const std::string& verb, const std::string& fault = {}) const {
    return node(verb,
                {"--restart-command", (directory_ / "make").string() + "; " + restart_command()},
                fault);
  }
  fs::path written_;
};

TEST_P(NodeInstallLayouts, TheHandlerGoesWhereTheDistributionTakesItFrom) {
  imitate();
  const std::string before = read(written_);
  const Output installed = by_distribution("install");
  ASSERT_EQ(installed.status, 0) << installed.err;
  EXPECT_THAT(installed.out, AllOf(HasSubstr(GetParam().name), HasSubstr("was not tried with it")));
  EXPECT_THAT(read(written_), HasSubstr("# ward: begin"));
  EXPECT_TRUE(handler_is_live("ward"));
  EXPECT_TRUE(handler_is_live("runc"));
  // The distribution makes its file anew, whenever it likes.
  const pid_t daemon_before = daemon();
  ASSERT_EQ(run({(directory_ / "make").string()}).status, 0);
  const Output again = by_distribution("install");
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(daemon(), daemon_before) << again.out;
  ASSERT_EQ(by_distribution("uninstall").status, 0);
  EXPECT_FALSE(handler_is_live("ward"));
  EXPECT_EQ(read(written_), before);
  EXPECT_EQ(fs::exists(written_), GetParam().template_there);
  EXPECT_EQ(read(config_), plain_config());
  EXPECT_TRUE(nothing_is_left());
}

INSTANTIATE_TEST_SUITE_P(
    Distributions, NodeInstallLayouts,
    testing::Values(Distribution{"k3s", "k3s/agent/etc/containerd/config.toml",
                                 "k3s/agent/etc/containerd/config.toml.tmpl", false},
                    Distribution{"rke2", "rke2/agent/etc/containerd/config.toml",
                                 "rke2/agent/etc/containerd/config.toml.tmpl", false},
                    Distribution{"k0s", "k0s/containerd.toml", "k0s/containerd.d/ward.toml", false},
                    Distribution{"microk8s", "microk8s/args/containerd.toml",
                                 "microk8s/args/containerd-template.toml", true}),
    [](const auto& distribution) { return std::string(distribution.param.name); });

class NodeInstallImports : public NodeInstallTest {};

TEST_F(NodeInstallImports, AFolderThatContainerd2ImportsGetsAFileOfItsOwn) {
  if (major() < 2) GTEST_SKIP() << "containerd 1 lets an imported file replace the CRI section";
  const fs::path folder = directory_ / "conf.d";
  write(folder / "other.toml",
        version_line() + "[" + cri_table() + "]\n  max_container_log_line_size = 4096\n");
  std::string text = plain_config();
  text.insert(version_line().size(), "imports = [\"" + folder.string() + "/*.toml\"]\n");
  start(text);
  const Output installed = node("install");
  ASSERT_EQ(installed.status, 0) << installed.err;
  EXPECT_EQ(read(config_), text);
  EXPECT_THAT(read(folder / "ward.toml"), HasSubstr(version_line()));
  EXPECT_TRUE(handler_is_live("ward"));
  EXPECT_THAT(node("install").out, HasSubstr("nothing is to be done"));
  ASSERT_EQ(node("uninstall").status, 0);
  EXPECT_FALSE(fs::exists(folder / "ward.toml"));
  EXPECT_FALSE(handler_is_live("ward"));
}

// nvidia-container-toolkit 982: of two containerds the other one was edited.
TEST_F(NodeInstallImports, ContainerdIsFoundByItsSocketAndNoOtherFileIsTouched) {
  const fs::path other = directory_ / "etc/other.toml";
  write(other, plain_config());
  start(plain_config());
  ASSERT_EQ(node("install").status, 0);
  EXPECT_EQ(read(other), plain_config());
  const Output refused = node("install", {"--socket", (directory_ / "second.sock").string()});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.err, HasSubstr("ward node uninstall"));
  EXPECT_EQ(node("uninstall").status, 0);
}

// A handler that is there already, and not by us; a block that somebody cut.
TEST_F(NodeInstallImports, WhatOthersWroteIsNotTakenForOurs) {
  const std::string text =
      plain_config() + "[" + cri_table() +
      ".containerd.runtimes.ward]\n  runtime_type = \"io.containerd.runc.v2\"\n";
  start(text);
  const Output refused = node("install");
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("not by `ward node`"), HasSubstr("--handler")));
  EXPECT_EQ(read(config_), text);
  write(config_, plain_config() + "# ward: begin\n");
  EXPECT_THAT(node("install").err, HasSubstr("has no end"));
}

// containerd 1 alone reads it, and forgets its runtimes as it does with version 2.
TEST_F(NodeInstallImports, AConfigurationOfVersion1GetsItsHandlerInVersion1) {
  if (major() >= 2) GTEST_SKIP() << "containerd 2 reads no version 1";
  const std::string text = places() + rest();
  start(text);
  const Output installed = node("install");
  ASSERT_EQ(installed.status, 0) << installed.err;
  EXPECT_THAT(read(config_), HasSubstr("[plugins.cri.containerd.runtimes.ward]"));
  EXPECT_TRUE(handler_is_live("runc"));
  EXPECT_EQ(finding("containerd-config-version")["level"], "warning");
  ASSERT_EQ(node("uninstall").status, 0);
  EXPECT_EQ(read(config_), text);
}

}  // namespace
}  // namespace ward::test
