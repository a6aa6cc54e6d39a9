// SPDX-License-Identifier: Apache-2.0
// Ward's part of containerd's configuration: in, out, and the gate before it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/node/config_text.h"
#include "cli/node/find.h"
#include "cli/node/gate.h"
#include "cli/node/handler_block.h"
#include "cli/node/layout.h"
#include "cli/node/version.h"

namespace ward::cli::node {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Settings settings(const std::string& text) {
  const auto read = parse_settings(text, "test.toml");
  EXPECT_TRUE(read) << read.error().message;
  return read.value_or(Settings());
}

TEST(ConfigText, ABlockThatIsTakenOutLeavesEveryByteAsItWas) {
  for (const std::string text : {"", "a = 1\n", "a = 1", "a = 1\n\n\n", "# x\r\n[t]\r\n"}) {
    const std::string with = with_block(text, "[ward]\n");
    const auto split = split_block(with, "c");
    ASSERT_TRUE(split) << split.error().message;
    EXPECT_EQ(split->rest, text);
    EXPECT_EQ(split->block, "[ward]\n");
    EXPECT_EQ(with_block(split->rest, *split->block), with);
  }
  // What a person wrote behind it stays too.
  const auto split = split_block(with_block("a = 1\n", "[ward]\n") + "[b]\n", "c");
  ASSERT_TRUE(split);
  EXPECT_EQ(split->rest, "a = 1\n[b]\n");
}

// A line that was appended behind the block is not glued to the unfinished one before it.
TEST(ConfigText, AnUnfinishedLineGetsItsNewlineWhereLinesWereAppendedSince) {
  const auto split = split_block(with_block("a = 1", "[ward]\n") + "b = 2\n", "c");
  ASSERT_TRUE(split);
  EXPECT_EQ(split->rest, "a = 1\nb = 2\n");
}

TEST(ConfigText, AFenceInsideAStringIsNone) {
  for (const std::string& text :
       {std::string("a = \"\"\"x\n# ward: begin\nkeep \\\"\"\"\n# ward: end\n\"\"\"\n"),
        std::string("a = '''\n# ward: end\n'''\n"),
        std::string("a = \"#\" # \"\"\"\nb = '\"\"\"'\n")}) {
    const auto bare = split_block(text, "c");
    ASSERT_TRUE(bare) << text;
    EXPECT_EQ(bare->rest, text);
    EXPECT_FALSE(bare->block);
    const auto split = split_block(with_block(text, "[ward]\n"), "c");
    ASSERT_TRUE(split) << text;
    EXPECT_EQ(split->rest, text);
  }
}

TEST(ConfigText, ABlockWhoseFencesSomebodyTookIsKnownByItsWords) {
  const auto split = split_block("a = 1\n[ward]\nb = 2\n[c]\n", "c", "[ward]\nb = 2\n");
  ASSERT_TRUE(split);
  EXPECT_EQ(split->rest, "a = 1\n[c]\n");
  EXPECT_EQ(split->block, "[ward]\nb = 2\n");
  EXPECT_FALSE(split_block("a = 1\n", "c", "[ward]\n")->block);
}

TEST(ConfigText, AFenceWithoutItsPartnerIsRefusedWithWhatToTakeOut) {
  const std::string with = with_block("a = 1\n", "[ward]\n");
  for (const std::string& broken :
       {with + with, std::string("# ward: end\n"), with.substr(0, with.find("# ward: end"))}) {
    const auto split = split_block(broken, "c.toml");
    ASSERT_FALSE(split) << broken;
    EXPECT_THAT(split.error().message, HasSubstr("c.toml"));
    EXPECT_THAT(split.error().message, HasSubstr("take"));
  }
}

TEST(Settings, AnErrorNamesLineAndColumn) {
  const auto read = parse_settings("a = 1\nb = = 2\n", "c.toml");
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().message, HasSubstr("c.toml:2:"));
}

TEST(Settings, TablesThatAreWrittenReadAsTheSame) {
  const Settings before = settings(
      "version = 2\nlist = [\"a\", 'b']\n[p.\"io.x\".t]\n  k = \"q\\\"\\n\"\n  n = -3\n  f = 1.5\n"
      "  b = true\n[p.\"io.x\".t.empty]\n");
  EXPECT_EQ(settings(tables_text(before, {}, {})), before);
  EXPECT_EQ(text_at(before, {"p", "io.x", "t", "k"}), "q\"\n");
}

TEST(Settings, ImportsAreFoundWhereTheyStand) {
  const std::string text = "version = 2\nimports = [\n  \"/a/*.toml\",\n  'b.toml' ]\n[t]\n";
  const auto imports = find_imports(text, "c");
  ASSERT_TRUE(imports && *imports);
  EXPECT_THAT((*imports)->patterns, ElementsAre("/a/*.toml", "b.toml"));
  EXPECT_EQ(text.substr((*imports)->begin, (*imports)->end - (*imports)->begin),
            "[\n  \"/a/*.toml\",\n  'b.toml' ]");
  EXPECT_EQ(folder_of_pattern("/a/*.toml"), "/a");
  EXPECT_EQ(folder_of_pattern("/a*/*.toml"), "");
  EXPECT_EQ(folder_of_pattern("b.toml"), "");
}

constexpr const char* kDump =
    "version = 2\nimports = [\"c.toml\"]\n[plugins.\"io.containerd.grpc.v1.cri\".containerd]\n"
    "default_runtime_name = \"runc\"\n"
    "[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc]\n"
    "runtime_type = \"io.containerd.runc.v2\"\n"
    "[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc.options]\n"
    "SystemdCgroup = true\nBinaryName = \"\"\n";

TEST(Gate, IsOpenForOurTableAloneAndTellsEverythingElse) {
  const Settings before = settings(kDump);
  const KeyPath runtimes = runtimes_in_dump(before);
  const KeyPath ours = joined(runtimes, "ward");
  Settings after = before;
  after[joined(ours, "runtime_type")] = "\"io.containerd.ward.v1\"";
  after[{"imports"}] = "[\"other.toml\"]";
  EXPECT_TRUE(besides(differences(before, after), ours).empty());
  after[{"version"}] = "3";
  after.erase({"plugins", "io.containerd.grpc.v1.cri", "containerd", "default_runtime_name"});
  after[{"new"}] = "1";
  EXPECT_EQ(difference_text(besides(differences(before, after), ours)),
            "- plugins.\"io.containerd.grpc.v1.cri\".containerd.default_runtime_name = \"runc\"\n"
            "- version = 2\n+ version = 3\n+ new = 1\n");
}

TEST(Gate, ARuntimeThatWentIsCarriedAlongUnderTheFilesOwnKey) {
  const Settings before = settings(kDump);
  Settings after = before;
  const KeyPath runtimes = runtimes_in_dump(before);
  std::erase_if(after, [&](const auto& one) { return is_below(one.first, runtimes); });
  EXPECT_THAT(lost_runtimes(before, after), ElementsAre("runc"));
  for (const int version : {1, 2, 3}) {
    const Settings block = settings(block_text({"ward", "", ""}, version, before, {"runc"}));
    const KeyPath carried = joined(runtimes_in_file(version), "runc");
    EXPECT_EQ(text_at(block, joined(carried, "runtime_type")), "io.containerd.runc.v2");
    EXPECT_EQ(block.at(joined(joined(carried, "options"), "SystemdCgroup")), "true");
  }
}

// CRI does not start where its default runtime is not there, and `config dump` does not say so.
TEST(Gate, ADefaultThatNamesTheHandlerIsTold) {
  Settings dump = settings(kDump);
  EXPECT_THAT(defaults_to(dump, "ward"), ElementsAre());
  KeyPath above = runtimes_in_dump(dump);
  above.back() = "default_runtime_name";
  dump[above] = "\"ward\"";
  EXPECT_THAT(defaults_to(dump, "ward"), ElementsAre(key_text(above)));
  EXPECT_THAT(defaults_to(dump, "other"), ElementsAre());
  for (const char* table : {"default_runtime", "untrusted_workload_runtime"}) {
    above.back() = table;
    dump[joined(above, "runtime_type")] = "\"io.containerd.ward.v1\"";
  }
  EXPECT_THAT(defaults_by_type(dump), testing::SizeIs(2));
  EXPECT_FALSE(has_runtime(dump, "ward"));
  EXPECT_TRUE(has_runtime(dump, "runc"));
}

// What runc has to be told stays so where Ward is the default, in the reading or taken out of it.
TEST(HandlerBlock, TakesRuncsOptionsWhereTheDefaultIsWardItself) {
  Settings dump = settings(kDump);
  KeyPath name = runtimes_in_dump(dump);
  name.back() = "default_runtime_name";
  dump[name] = "\"ward\"";
  EXPECT_EQ(options_text(dump), "SystemdCgroup = true\n");
  dump[joined(joined(runtimes_in_dump(dump), "ward"), "runtime_type")] =
      "\"io.containerd.ward.v1\"";
  EXPECT_EQ(options_text(dump), "SystemdCgroup = true\n");
}

TEST(HandlerBlock, SaysWhatTheShimHasToBeToldAndNothingElse) {
  EXPECT_EQ(block_text({"ward", "", ""}, 3, {}, {}),
            "[plugins.\"io.containerd.cri.v1.runtime\".containerd.runtimes.ward]\n"
            "  runtime_type = \"io.containerd.ward.v1\"\n");
  const Settings full = settings(block_text({"w-1", "/x/\"shim\"", "/etc/o"}, 2, {}, {}));
  const KeyPath ours = joined(runtimes_in_file(2), "w-1");
  EXPECT_EQ(text_at(full, joined(ours, "runtime_path")), "/x/\"shim\"");
  EXPECT_EQ(text_at(full, joined(joined(ours, "options"), "ConfigPath")), "/etc/o");
  EXPECT_EQ(options_text(settings(kDump)), "SystemdCgroup = true\n");
  for (const char* bad : {"", "a b", "../x", "\x1b[31m", "-a", "A"})
    EXPECT_FALSE(is_handler_name(bad));
}

TEST(Layout, TheDistributionsAreToldByThePathOfTheConfiguration) {
  EXPECT_EQ(layout_of("/etc/containerd/config.toml", 1).flavour, Flavour::kPlain);
  const Layout k3s = layout_of("/var/lib/rancher/k3s/agent/etc/containerd/config.toml", 2);
  EXPECT_EQ(k3s.written, "/var/lib/rancher/k3s/agent/etc/containerd/config-v3.toml.tmpl");
  EXPECT_TRUE(k3s.generated && k3s.imitated);
  EXPECT_EQ(layout_of("/var/lib/rancher/rke2/agent/etc/containerd/config.toml", 1).written,
            "/var/lib/rancher/rke2/agent/etc/containerd/config.toml.tmpl");
  EXPECT_EQ(layout_of("/etc/k0s/containerd.toml", 1).written, "/etc/k0s/containerd.d/ward.toml");
  EXPECT_EQ(layout_of("/var/snap/microk8s/1/args/containerd.toml", 1).written,
            "/var/snap/microk8s/1/args/containerd-template.toml");
}

TEST(Layout, TheCommandLineAndTheCgroupOfAContainerdSayWhatItReadsAndWhoStartsIt) {
  EXPECT_EQ(config_option({"containerd", "-c", "/x"}), "/x");
  EXPECT_EQ(config_option({"containerd", "--config=/x", "-l", "info"}), "/x");
  EXPECT_EQ(config_option({"containerd", "-l", "info"}), std::nullopt);
  EXPECT_EQ(config_option({"containerd", "-c", "/x", "--config", "/y"}), "/y");
  EXPECT_EQ(state_option({"containerd", "-c", "/x", "--state", "/s"}), "/s");
  EXPECT_EQ(state_option({"containerd", "-state=/s"}), "/s");
  EXPECT_EQ(state_option({"containerd", "--state-of-mind=/s"}), std::nullopt);
  EXPECT_EQ(unit_of("0::/system.slice/k3s.service\n"), "k3s.service");
  EXPECT_EQ(unit_of("1:name=systemd:/system.slice/containerd.service/inner\n"),
            "containerd.service");
  EXPECT_EQ(unit_of("0::/\n"), "");
}

// nvidia-container-toolkit 982: of two containerds the wrong one was edited.
TEST(Find, OfTwoContainerdsAPersonHasToNameOne) {
  Daemon one, other;
  one.pid = 1;
  one.socket = "/run/one.sock";
  other.pid = 2;
  other.socket = "/run/other.sock";
  const auto found = only_one({one, other});
  ASSERT_FALSE(found);
  EXPECT_THAT(found.error().message, HasSubstr("--socket"));
  EXPECT_THAT(found.error().message, HasSubstr("/run/other.sock"));
  other.pid = 1;
  EXPECT_TRUE(only_one({one, other}));
  EXPECT_FALSE(only_one({}));
}

TEST(Versions, AreReadAsProgramsSayThem) {
  const auto of = [](const char* text) { return find_version(text).value_or(Version()); };
  EXPECT_EQ(of("containerd github.com/containerd/containerd 1.6.20~ds1 1.6.20~ds1-1+deb12u3"),
            (Version{1, 6, 20, false}));
  EXPECT_EQ(of("containerd github.com/containerd/containerd/v2 2.1.9+unknown "),
            (Version{2, 1, 9, false}));
  EXPECT_EQ(of("runc version 1.2.0-rc.3"), (Version{1, 2, 0, true}));
  EXPECT_LT(of("1.2.0-rc.3"), of("1.2.0"));
  EXPECT_LT(of("1.6.20~ds1"), of("v1.6.21"));
  EXPECT_FALSE(find_version("no version here"));
}

}  // namespace
}  // namespace ward::cli::node
