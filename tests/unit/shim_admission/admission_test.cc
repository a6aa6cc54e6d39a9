// SPDX-License-Identifier: Apache-2.0
#include "shim/admission/admission.h"

#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/oci/bundle.h"
#include "profiles/filter/governed.h"
#include "profiles/filter/treatment.h"
#include "shim/admission/index.h"
#include "tests/unit/shim_admission/compiled_node.h"

namespace ward::shim::admission {
namespace {

using node::v1::Identity;

constexpr const char* kConfig =
    R"({"process":{"args":["x"],"capabilities":{"bounding":["CAP_KILL","CAP_CHOWN"],"effective":["CAP_CHOWN"],)"
    R"("inheritable":["CAP_CHOWN"],"ambient":["CAP_KILL"]}},"annotations":{"run.oci.seccomp_bpf_data":"x","a":"b"},"linux":{}})";

std::map<std::string, std::string> ask(const std::string& key, const std::string& value) {
  return {{key, value}};
}

TEST(Admission, WithoutAnIndexNothingIsTouched) {
  const CompiledNode node;
  node.put_config(kConfig);
  const auto admitted = node.admit_container();
  ASSERT_TRUE(admitted);
  EXPECT_EQ(admitted->mode, node::v1::MODE_OFF);
  EXPECT_EQ(node.config(), kConfig);
}

TEST(Admission, WhatWasJudgedIsWhatIsWrittenAlsoWhereTheFileHasChangedSince) {
  const CompiledNode node;
  node.put_config(kConfig);
  node.put_index(index_of(node::v1::MODE_ENFORCE, node.put_profile(everything_but_unshare())));
  auto judged = oci::Config::read(node.bundle());
  ASSERT_TRUE(judged);
  node.put_config(R"({"process":{"args":["another"]},"linux":{}})");
  NodeIndex index = open_index(node.places());
  const auto admitted = admit(node.places(), node.request(), index, *judged);
  ASSERT_TRUE(admitted) << admitted.error().message;
  EXPECT_EQ(node.config(), judged->dump());
  EXPECT_NE(node.config().find(admitted->nonce), std::string::npos);
  EXPECT_EQ(admitted->no_new_privileges, judged->no_new_privileges());
}

TEST(Admission, OneCreateIsDecidedByOneIndex) {
  const CompiledNode node;
  node.put_config(kConfig);
  auto first = index_of(node::v1::MODE_ENFORCE, node.put_profile(everything_but_unshare()));
  first.mutable_settings()->set_runtime_binary("/usr/sbin/runc");
  node.put_index(first);
  NodeIndex index = open_index(node.places());
  node.put_index(index_of(node::v1::MODE_OFF, ""));
  EXPECT_EQ(read_node_runtime(node.places(), index, {}), "/usr/sbin/runc");
  auto config = oci::Config::read(node.bundle());
  const auto admitted = admit(node.places(), node.request(), index, *config);
  ASSERT_TRUE(admitted) << admitted.error().message;
  EXPECT_EQ(admitted->mode, node::v1::MODE_ENFORCE);
}

TEST(Admission, OffAndALearningContainerWithItsOwnFilterKeepTheirBundle) {
  const CompiledNode node;
  const std::string config =
      R"({"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[]}},"x":1.50})";
  node.put_config(config);
  for (const auto mode : {node::v1::MODE_OFF, node::v1::MODE_LEARN}) {
    node.put_index(index_of(mode, ""));
    ASSERT_TRUE(node.admit_container());
    EXPECT_EQ(node.config(), config);
  }
}

TEST(Admission, I2_EnforcingCutsEverythingAndLoosensNothing) {
  const CompiledNode node;
  node.put_config(kConfig);
  node.put_index(index_of(node::v1::MODE_ENFORCE, node.put_profile(everything_but_unshare())));
  const auto admitted = node.admit_container();
  ASSERT_TRUE(admitted) << admitted.error().message;
  const auto config = oci::Config::read(node.bundle());
  const oci::Capabilities only_kill{{"CAP_KILL"}, {}, {}, {}, {"CAP_KILL"}};
  EXPECT_EQ(config->capabilities(), only_kill);
  EXPECT_TRUE(config->no_new_privileges());
  EXPECT_EQ(config->annotations(), ask("a", "b"));
  const auto seccomp = config->seccomp();
  ASSERT_TRUE(seccomp && seccomp->has_value());
  EXPECT_EQ((*seccomp)->listener_path, admitted->listener_path);
  EXPECT_EQ((*seccomp)->listener_metadata, admitted->nonce);
  EXPECT_EQ(admitted->nonce.size(), 32U);
  EXPECT_EQ(read_file(node.bundle() / "config.json.orig").value(), kConfig);
  EXPECT_TRUE(admitted->profile->danger.allows(SYS_unshare, {}, filter::kLayerRuntime));
  EXPECT_FALSE(admitted->profile->danger.allows(SYS_read, {}, filter::kLayerRuntime));
}

TEST(Admission, I3_TheDangerousArgumentsOfTheCompiledProfileReachTheVerdict) {
  const CompiledNode node;
  auto compiled = everything_but_unshare();
  auto* rule = compiled.add_danger_values();
  rule->set_nr(SYS_prctl);
  auto* condition = rule->add_alternatives()->add_conditions();
  condition->set_op(node::v1::ArgCondition::MASKED_EQ);
  condition->set_value(0xFFFFFFFF);
  condition->set_value_two(PR_SET_SECCOMP);
  const auto profile = read_profile_in_force(node.places(), node.put_profile(compiled));
  ASSERT_TRUE(profile);
  EXPECT_TRUE(profile->danger.allows(SYS_prctl, {PR_SET_SECCOMP}, filter::kLayerRuntime));
  EXPECT_TRUE(
      profile->danger.allows(SYS_prctl, {(1ULL << 32U) | PR_SET_SECCOMP}, filter::kLayerRuntime));
  EXPECT_FALSE(profile->danger.allows(SYS_prctl, {PR_SET_NAME}, filter::kLayerRuntime));
}

TEST(Admission, F01_WhatTheProfileKnowsToBeRefusedReachesVerdictAndFilter) {
  const CompiledNode node;
  auto compiled = everything_but_unshare();
  compiled.add_refused()->set_nr(SYS_unshare);
  node.put_config(
      R"({"process":{"args":["x"]},"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","syscalls":)"
      R"([{"names":["unshare"],"action":"SCMP_ACT_ERRNO","errnoRet":19}]}}})");
  node.put_index(index_of(node::v1::MODE_ENFORCE, node.put_profile(compiled)));
  const auto admitted = node.admit_container();
  ASSERT_TRUE(admitted) << admitted.error().message;
  EXPECT_TRUE(admitted->profile->refused.allows(SYS_unshare, {}, filter::kLayerRuntime));
  EXPECT_EQ(admitted->actions.refused(), node::v1::REFUSED_LOG)
      << "where neither policy nor profile says anything";
  const auto seccomp = oci::Config::read(node.bundle())->seccomp();
  ASSERT_TRUE(seccomp && seccomp->has_value());
  const auto& rules = (*seccomp)->rules;
  EXPECT_TRUE(std::any_of(rules.begin(), rules.end(), [](const oci::SeccompRule& rule) {
    return rule.action == oci::SeccompAction::kErrno && rule.errno_ret == 19U &&
           rule.names == std::vector<std::string>{"unshare"};
  })) << "answered within the kernel";
}

TEST(Admission, I2_AnExecObeysTheSame) {
  const CompiledNode node;
  node.put_config(kConfig);
  node.put_index(index_of(node::v1::MODE_ENFORCE, node.put_profile(everything_but_unshare())));
  const auto admitted = node.admit_container();
  ASSERT_TRUE(admitted);
  EXPECT_EQ(admitted->cut_capabilities, oci::CapabilitySet{"CAP_CHOWN"});
  EXPECT_TRUE(admitted->uncut_capabilities.empty());
  EXPECT_EQ(
      admit_exec(*admitted, node::v1::MODE_ENFORCE,
                 R"({"args":["sh"],"capabilities":{"bounding":["CAP_SYS_ADMIN"]}})")
          .value(),
      R"({"args":["sh"],"capabilities":{"bounding":[],"effective":[],"inheritable":[],"permitted":[],"ambient":[]},)"
      R"("noNewPrivileges":true})");
  EXPECT_FALSE(admit_exec(*admitted, node::v1::MODE_ENFORCE,
                          R"({"Capabilities":{"bounding":["CAP_SYS_ADMIN"]}})"));
  EXPECT_EQ(admit_exec(Admitted{}, node::v1::MODE_OFF, "not even read").value(), "not even read");
}

ProfileInForce version_that_allows(std::uint32_t nr, std::uint32_t knows_up_to) {
  ProfileInForce profile;
  profile.calls = filter::CallTable({{nr, filter::kLayerServing, {}}}, {});
  profile.knows_up_to = knows_up_to;
  return profile;
}

TEST(Admission, AWidenedContainerMayDoWhatEitherVersionAllowsAndIsMetNoStricter) {
  ProfileInForce began = version_that_allows(SYS_mkdir, 450);
  began.capabilities = {"CAP_KILL"};
  ProfileInForce next = version_that_allows(SYS_mount, 460);
  next.capabilities = {"CAP_CHOWN"};
  next.rehearsal = true;
  next.version = 7;
  const ProfileInForce both = widened(began, next);
  EXPECT_TRUE(both.calls.allows(SYS_mkdir, {}, filter::kLayerServing));
  EXPECT_TRUE(both.calls.allows(SYS_mount, {}, filter::kLayerServing));
  EXPECT_FALSE(both.calls.allows(SYS_chroot, {}, filter::kLayerServing));
  EXPECT_EQ(both.version, 7U);
  EXPECT_EQ(both.capabilities, began.capabilities);
  EXPECT_FALSE(both.rehearsal);
  EXPECT_EQ(both.knows_up_to, 450U) << "what one did not know it did not leave out on purpose";
  EXPECT_EQ(widened(version_that_allows(1, 0), next).knows_up_to, 460U);
  EXPECT_EQ(widened(began, version_that_allows(1, 0)).knows_up_to, 450U);
}

TEST(Admission, F08_SuperviseTakesNothingAndKnowsWhatEnforceWould) {
  const CompiledNode node;
  node.put_config(kConfig);
  node.put_index(index_of(node::v1::MODE_SUPERVISE, node.put_profile(everything_but_unshare())));
  const auto admitted = node.admit_container();
  ASSERT_TRUE(admitted) << admitted.error().message;
  const auto config = oci::Config::read(node.bundle());
  const oci::Capabilities as_asked{
      {"CAP_CHOWN", "CAP_KILL"}, {"CAP_CHOWN"}, {"CAP_CHOWN"}, {}, {"CAP_KILL"}};
  EXPECT_EQ(config->capabilities(), as_asked);
  EXPECT_FALSE(config->no_new_privileges());
  EXPECT_EQ(admitted->uncut_capabilities, oci::CapabilitySet{"CAP_CHOWN"});
  EXPECT_TRUE(admitted->cut_capabilities.empty());
  EXPECT_TRUE(admitted->uncut_privileges);
  EXPECT_TRUE(admitted->supervised);
  const std::string session = R"({"args":["sh"],"capabilities":{"bounding":["CAP_CHOWN"]}})";
  EXPECT_EQ(admit_exec(*admitted, node::v1::MODE_SUPERVISE, session).value(), session);
  EXPECT_NE(admit_exec(*admitted, node::v1::MODE_ENFORCE, session).value(), session)
      << "a start after the switch";
}

TEST(Admission, F08_AContainerThatHasNothingTooMuchHasNothingUncut) {
  const CompiledNode node;
  node.put_config(
      R"({"process":{"args":["x"],"noNewPrivileges":true,"capabilities":{"bounding":["CAP_KILL"]}}})");
  node.put_index(index_of(node::v1::MODE_SUPERVISE, node.put_profile(everything_but_unshare())));
  const auto admitted = node.admit_container();
  ASSERT_TRUE(admitted) << admitted.error().message;
  EXPECT_TRUE(admitted->uncut_capabilities.empty());
  EXPECT_FALSE(admitted->uncut_privileges);
}

TEST(Admission, I9_ADamagedOrMissingFileRefusesWithTheBundleUntouched) {
  const CompiledNode node;
  node.put_config(kConfig);
  const std::string sha256 = node.put_profile(everything_but_unshare());
  node.put_index(index_of(node::v1::MODE_ENFORCE, sha256));
  const auto file = node.places().compiled() / (sha256 + ".profile");
  const std::string good = read_file(file).value();
  CompiledNode::put(file, good + "x");
  EXPECT_NE(node.admit_container().error().message.find("damaged"), std::string::npos);
  std::filesystem::remove(file);
  EXPECT_EQ(node.admit_container().error().code, Code::kNotFound);
  CompiledNode::put(node.places().compiled_index(), std::string(100, 'x'));
  EXPECT_FALSE(node.admit_container());
  auto index = index_of(node::v1::MODE_ENFORCE, "../../etc/passwd");
  node.put_index(index);
  EXPECT_EQ(node.admit_container().error().code, Code::kInvalidArgument);
  EXPECT_EQ(node.config(), kConfig);
}

// --- N02: an index that is gone on a node that was governed

void mark(const CompiledNode& node, filter::Governed how) {
  ASSERT_TRUE(filter::write_mark(node.places(), {.how = how}));
}

TEST(Admission, N02_WhereTheNodeWasGovernedAnIndexThatIsGoneRefuses) {
  const CompiledNode node;
  node.put_config(kConfig);
  EXPECT_TRUE(node.admit_container()) << "nobody ever governed this node";
  mark(node, filter::Governed::kRefuse);
  const auto refused = node.admit_container();
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("is gone"), std::string::npos) << refused.error().message;
  std::filesystem::remove_all(node.places().compiled());
  EXPECT_FALSE(node.admit_container()) << "the directory as well";
  std::filesystem::remove_all(node.places().state);
  EXPECT_FALSE(node.admit_container()) << "all of the state: the mark in the run directory is left";
  EXPECT_EQ(node.config(), kConfig);
}

TEST(Admission, N02_EachMarkIsEnoughAndADamagedOneIsStrict) {
  for (const char* lost : {"state", "run"}) {
    const CompiledNode node;
    node.put_config(kConfig);
    mark(node, filter::Governed::kRefuse);
    const auto& places = node.places();
    std::filesystem::remove((std::string(lost) == "state" ? places.state : places.run) /
                            "governed");
    EXPECT_FALSE(node.admit_container()) << lost;
  }
  const CompiledNode node;
  node.put_config(kConfig);
  CompiledNode::put(node.places().run / "governed", "");
  EXPECT_FALSE(node.admit_container());
}

TEST(Admission, N02_AShimThatLivesOnKnowsItWithoutAnyMark) {
  const CompiledNode node;
  node.put_config(kConfig);
  node.put_index(index_of(node::v1::MODE_OFF, ""));
  const auto admitted = node.admit_container();
  ASSERT_TRUE(admitted);
  EXPECT_TRUE(admitted->governed_node);
  std::filesystem::remove_all(node.places().state);
  EXPECT_FALSE(node.admit_container(admitted->settings));
  auto open = admitted->settings;
  open.set_open_when_ungoverned(true);
  EXPECT_TRUE(node.admit_container(open));
}

TEST(Admission, N02_TheNodeMayChooseToStayOpenAndTheContainerSaysSo) {
  const CompiledNode node;
  node.put_config(kConfig);
  mark(node, filter::Governed::kOpen);
  const auto admitted = node.admit_container();
  ASSERT_TRUE(admitted) << admitted.error().message;
  EXPECT_EQ(admitted->mode, node::v1::MODE_OFF);
  ASSERT_EQ(admitted->notes.size(), 1U);
  EXPECT_EQ(admitted->notes[0].rfind("ungoverned: ", 0), 0U);
  CompiledNode::put(node.places().compiled_index(), "rubbish");
  EXPECT_FALSE(node.admit_container()) << "what is there and damaged is not gone";
}

TEST(Admission, N02_I10_WhatNoPolicyReachesStartsAlsoWithoutAnIndexAndSaysSo) {
  const CompiledNode node;
  mark(node, filter::Governed::kRefuse);
  for (const char* annotation : {R"("io.kubernetes.cri.container-type":"sandbox")",
                                 R"("io.kubernetes.cri.sandbox-namespace":"kube-system")"}) {
    node.put_config(R"({"annotations":{)" + std::string(annotation) +
                    R"(},"process":{"args":["x"]},"linux":{}})");
    const auto admitted = node.admit_container();
    ASSERT_TRUE(admitted) << admitted.error().message;
    ASSERT_EQ(admitted->notes.size(), 1U);
    EXPECT_EQ(admitted->notes[0].rfind("ungoverned: ", 0), 0U) << admitted->notes[0];
  }
}

// From now on this process reads no file from behind its first blocks: a disk with a bad sector.
bool spoil_the_disk(std::uint32_t from) {
  const std::array<sock_filter, 6> code{
      {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
       BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pread64, 0, 2),
       BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[3])),
       BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, from, 1, 0),
       BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
       BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EIO)}};
  const sock_fprog program{code.size(), const_cast<sock_filter*>(code.data())};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

TEST(Admission, N02_I10_AnIndexWithABadSectorRefusesButNotWhatNoPolicyReaches) {
  const CompiledNode node;
  auto index = index_of(node::v1::MODE_OFF, "");
  for (int i = 0; i < 2000; ++i) {
    *index.add_rules() = index.rules(0);
    index.mutable_rules(i)->mutable_selector()->add_containers("*-" + std::to_string(i));
  }
  node.put_index(index);
  const auto is_admitted = [&](const char* annotation) {
    node.put_config(R"({"annotations":{)" + std::string(annotation) +
                    R"(},"process":{"args":["x"]},"linux":{}})");
    const pid_t child = ::fork();
    if (child == 0) {
      if (!spoil_the_disk(40'000)) ::_exit(2);
      const auto admitted = node.admit_container();
      const bool ungoverned = admitted && admitted->notes.size() == 1 &&
                              admitted->notes[0].rfind("ungoverned: ", 0) == 0;
      const bool refused =
          !admitted && admitted.error().message.find("no policy can be read") != std::string::npos;
      if (!ungoverned && !refused)
        std::fputs(admitted ? "?\n" : admitted.error().message.c_str(), stderr);
      ::_exit(ungoverned ? 0 : refused ? 1 : 3);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  };
  EXPECT_EQ(is_admitted(R"("io.kubernetes.cri.container-type":"sandbox")"), 0);
  EXPECT_EQ(is_admitted(R"("io.kubernetes.cri.sandbox-namespace":"kube-system")"), 0);
  EXPECT_EQ(is_admitted(R"("a":"b")"), 1);
}

TEST(Admission, N03_AnIndexOfAnOlderWarddAloneRefusesUntilTheNewerHasTakenItOver) {
  const CompiledNode node;
  node.put_config(kConfig);
  auto before = index_of(node::v1::MODE_OFF, "");
  CompiledNode::put(node.places().compiled_index_of_before(),
                    CompiledNode::sealed(before, "ward-index-1"));
  const auto refused = node.admit_container();
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("no policy can be read"), std::string::npos)
      << refused.error().message;
  node.put_index(before);
  EXPECT_TRUE(node.admit_container());
  std::filesystem::remove(node.places().compiled_index());
  before.clear_rules();
  CompiledNode::put(node.places().compiled_index_of_before(),
                    CompiledNode::sealed(before, "ward-index-1"));
  EXPECT_TRUE(node.admit_container()) << "nobody governed this node";
}

// --- D10: a client must not bring its own runtime

TEST(Admission, N02_D10_TheRuntimeThatTheNodeChoseHoldsAlsoWhileTheIndexCannotBeRead) {
  for (const char* runtime : {"/usr/sbin/runc", "/opt/a b\nruntime c", ""}) {
    const CompiledNode node;
    EXPECT_EQ(node.node_runtime(), "");
    auto index = index_of(node::v1::MODE_OFF, "");
    index.mutable_settings()->set_runtime_binary(runtime);
    node.put_index(index);
    EXPECT_EQ(node.node_runtime(), runtime);
    for (const auto how :
         {filter::Governed::kRefuse, filter::Governed::kOpen, filter::Governed::kNever}) {
      const filter::GovernedMark said{how, how == filter::Governed::kOpen, runtime};
      ASSERT_TRUE(filter::write_mark(node.places(), said));
      EXPECT_EQ(filter::read_mark(node.places()), said);
      EXPECT_EQ(filter::read_governed(node.places()), how);
    }
    CompiledNode::put(node.places().compiled_index(), "rubbish");
    EXPECT_EQ(node.node_runtime(), runtime) << "damaged";
    std::filesystem::remove_all(node.places().state);
    EXPECT_EQ(node.node_runtime(), runtime) << "gone, and one of the marks with it";
    node::v1::NodeSettings seen;
    seen.set_runtime_binary("/usr/bin/crun");
    EXPECT_EQ(node.node_runtime(seen), "/usr/bin/crun") << "this process has read an index";
  }
}

TEST(Admission, N02_AnIndexWithoutRulesIsSomebodysWillAndNotALoss) {
  const CompiledNode node;
  node.put_config(kConfig);
  mark(node, filter::Governed::kRefuse);
  node::v1::CompiledIndex empty;
  empty.set_format(1);
  node.put_index(empty);
  const auto admitted = node.admit_container();
  ASSERT_TRUE(admitted) << admitted.error().message;
  EXPECT_FALSE(admitted->governed_node);
}

std::string own_filter_config(const std::string& members) {
  return R"({"linux":{"seccomp":{)" + members + "}}}";
}

std::string why_refused(const CompiledNode& node, const std::string& members) {
  node.put_config(own_filter_config(members));
  const auto admitted = node.admit_container();
  return admitted ? "" : admitted.error().message;
}

TEST(Admission, F05_AForeignListenerIsRefusedWhereARuleAsksForOne) {
  const CompiledNode node;
  node.put_index(index_of(node::v1::MODE_ENFORCE, node.put_profile(everything_but_unshare())));
  const std::string allows =
      R"("defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["no_such"],"action":)";
  EXPECT_NE(
      why_refused(node, allows + R"("SCMP_ACT_NOTIFY"}],"listenerPath":"/run/x")").find("only one"),
      std::string::npos);
  EXPECT_NE(why_refused(node, allows + R"("SCMP_ACT_NOTIFY"}])").find("listenerPath is not set"),
            std::string::npos)
      << "the runtime's words";
  EXPECT_EQ(why_refused(node, allows + R"("SCMP_ACT_ERRNO"}],"listenerPath":"/run/x")"), "")
      << "nobody listens there, and nobody asks";
}

TEST(Admission, F05_WhatSaysNothingIsNoFilter) {
  for (const char* nothing :
       {"", R"("syscalls":[])", R"("defaultAction":"","architectures":["SCMP_ARCH_NONE"])",
        R"("defaultAction":null,"syscalls":null,"flags":["x"])"}) {
    const CompiledNode node;
    node.put_index(index_of(node::v1::MODE_ENFORCE, node.put_profile(everything_but_unshare())));
    node.put_config(own_filter_config(nothing));
    const auto admitted = node.admit_container();
    ASSERT_TRUE(admitted) << nothing << ": " << admitted.error().message;
    EXPECT_FALSE(admitted->own.present()) << nothing;
    node.put_index(index_of(node::v1::MODE_LEARN, ""));
    node.put_config(own_filter_config(nothing));
    ASSERT_TRUE(node.admit_container());
    EXPECT_NE(node.config().find("SCMP_ACT_ALLOW"), std::string::npos)
        << "so that it is recorded: " << nothing;
  }
}

TEST(Admission, F05_RulesWithoutADefaultActionAreRefused) {
  const CompiledNode node;
  node.put_index(index_of(node::v1::MODE_ENFORCE, node.put_profile(everything_but_unshare())));
  EXPECT_NE(why_refused(node, R"("syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}])")
                .find("defaultAction"),
            std::string::npos);
}

TEST(Admission, AnOwnFilterThatTheRuntimeCannotStartUnderIsNamed) {
  const CompiledNode node;
  node.put_index(index_of(node::v1::MODE_ENFORCE, node.put_profile(everything_but_unshare())));
  const auto reason = [&](const std::string& call, const std::string& rule) {
    node.put_config(
        own_filter_config(R"("defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":[")" + call +
                          R"("],)" + rule + "}]"));
    const auto admitted = node.admit_container();
    EXPECT_TRUE(admitted) << admitted.error().message;
    return admitted ? why_the_runtime_may_fail(*admitted, node.bundle()) : "";
  };
  EXPECT_NE(
      reason("execve", R"("action":"SCMP_ACT_ERRNO")").find("refuses execve, which the runtime"),
      std::string::npos);
  EXPECT_EQ(reason("getpid", R"("action":"SCMP_ACT_ERRNO")"), "") << "it can do without";
  EXPECT_NE(reason("getpid", R"("action":"SCMP_ACT_KILL")"), "");
  EXPECT_EQ(reason("capset", R"("action":"SCMP_ACT_ERRNO")"), "")
      << "called before the filter is in force";
  EXPECT_EQ(
      reason("openat",
             R"("action":"SCMP_ACT_ERRNO","args":[{"index":2,"value":1,"op":"SCMP_CMP_EQ"}])"),
      "")
      << "of some arguments nobody knows whether the runtime uses them";
}

// A stand-in that says what a runc says of itself.
std::filesystem::path runtime_that_says(const CompiledNode& node, const std::string& text) {
  const auto path = node.bundle() / "runtime";
  CompiledNode::put(path, "#!/bin/sh\n[ \"$*\" = --version ] && printf '" + text + "'\n");
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  return path;
}

TEST(Admission, F02_TheStubOfTheVeryRuntimeIsWhatTheOwnFilterMeans) {
  const std::string unlisted =
      R"("defaultAction":"SCMP_ACT_KILL_PROCESS","syscalls":[{"names":["getpid"],"action":)"
      R"("SCMP_ACT_ALLOW"}])";
  CompiledNode node;
  node.put_index(index_of(node::v1::MODE_ENFORCE, node.put_profile(everything_but_unshare())));
  const auto answer = [&] {
    node.put_config(own_filter_config(unlisted));
    const auto admitted = node.admit_container();
    return admitted ? admitted->own.verdict(SYS_faccessat2, {}) : filter::Answer{};
  };
  node.runtime = runtime_that_says(node, "runc version 1.1.5+ds1\\ncommit: x\\n");
  EXPECT_EQ(answer().action, oci::SeccompAction::kKillProcess);
  node.runtime = runtime_that_says(node, "runc version 1.3.6\\n");
  EXPECT_EQ(answer().action, oci::SeccompAction::kErrno) << "another binary in its place";
  node.runtime = "/no/such";
  EXPECT_EQ(answer().action, oci::SeccompAction::kErrno);
}

TEST(Match, I10_WhatIsLeftAloneSaysWhyWhereAPolicyWouldGovernIt) {
  auto index = index_of(node::v1::MODE_ENFORCE, std::string(64, 'a'));
  Identity privileged;
  privileged.set_is_privileged(true);
  const auto treatment = decide_treatment(index, privileged, {});
  EXPECT_EQ(treatment->mode, node::v1::MODE_OFF);
  ASSERT_EQ(treatment->notes.size(), 1U);
  EXPECT_EQ(treatment->notes[0].rfind("left alone: privileged", 0), 0U) << treatment->notes[0];
  index.mutable_rules(0)->mutable_selector()->add_containers("another");
  EXPECT_TRUE(decide_treatment(index, privileged, {})->notes.empty()) << "no policy would";
  EXPECT_TRUE(decide_treatment(index, {}, {})->notes.empty());
}

TEST(Match, AnnotationsOnlyMakeStricter) {
  auto index = index_of(node::v1::MODE_SUPERVISE, std::string(64, 'a'));
  index.mutable_rules(0)->mutable_actions()->set_workload(node::v1::ACTION_DENY);
  EXPECT_EQ(decide_treatment(index, {}, ask("ward.dev/mode", "enforce"))->mode,
            node::v1::MODE_ENFORCE);
  for (const char* value : {"off", "learn", "ENFORCE", "", "\x1b[2J"}) {
    const auto treatment = decide_treatment(index, {}, ask("ward.dev/mode", value));
    EXPECT_EQ(treatment->mode, node::v1::MODE_SUPERVISE) << value;
    ASSERT_EQ(treatment->notes.size(), 1U);
    EXPECT_EQ(treatment->notes[0].find('\x1b'), std::string::npos);
  }
  EXPECT_EQ(decide_treatment(index, {}, ask("ward.dev/action", "kill"))->actions.workload(),
            node::v1::ACTION_KILL);
  EXPECT_EQ(decide_treatment(index, {}, ask("ward.dev/action", "log"))->actions.workload(),
            node::v1::ACTION_DENY);
  EXPECT_EQ(decide_treatment(index, {}, ask("ward.dev/profile", "x"))->compiled_sha256,
            std::string(64, 'a'));
}

TEST(Match, WhatSessionsMayDoIsThePolicysAndAnAnnotationOnlyMakesItStricter) {
  auto index = index_of(node::v1::MODE_ENFORCE, std::string(64, 'a'));
  EXPECT_EQ(decide_treatment(index, {}, {})->sessions, node::v1::SESSIONS_LAYER)
      << "of an index that says nothing about it";
  const auto refused = decide_treatment(index, {}, ask("ward.dev/exec", "refuse"));
  EXPECT_EQ(refused->sessions, node::v1::SESSIONS_REFUSE);
  EXPECT_EQ(refused->sessions_refused_by, "its annotation ward.dev/exec");
  auto& rule = *index.mutable_rules(0);
  rule.set_sessions(node::v1::SESSIONS_WORKLOAD);
  EXPECT_EQ(decide_treatment(index, {}, {})->sessions, node::v1::SESSIONS_WORKLOAD);
  EXPECT_EQ(decide_treatment(index, {}, {})->sessions_refused_by, "");
  const auto looser = decide_treatment(index, {}, ask("ward.dev/exec", "layer"));
  EXPECT_EQ(looser->sessions, node::v1::SESSIONS_WORKLOAD);
  EXPECT_EQ(looser->notes.size(), 1U);
  rule.set_sessions(node::v1::SESSIONS_REFUSE);
  rule.set_policy("node");
  rule.set_number(2);
  rule.set_file("/etc/ward/policies/node.yaml");
  rule.set_line(9);
  EXPECT_EQ(decide_treatment(index, {}, {})->sessions_refused_by,
            "rule 2 of policy 'node' (/etc/ward/policies/node.yaml:9)");
  rule.set_mode(node::v1::MODE_LEARN);
  EXPECT_EQ(decide_treatment(index, {}, ask("ward.dev/exec", "refuse"))->sessions_refused_by, "")
      << "learning restricts nothing";
}

TEST(Match, TemplatesCannotLeaveTheirPlace) {
  Identity identity;
  identity.set_container_name("../../Etc/x");
  identity.set_kubernetes_namespace("{container}");
  EXPECT_EQ(filter::expand("{container}", identity).find('/'), std::string::npos);
  EXPECT_NE(filter::expand("{container}", identity)[0], '.');
  EXPECT_EQ(filter::expand("n-{namespace}", identity).rfind("n--container-__", 0), 0U)
      << "what was inserted is not expanded again";
}

TEST(Match, AMissingProfileIsRefusedReplacedOrLearned) {
  auto index = index_of(node::v1::MODE_ENFORCE, "");
  EXPECT_EQ(decide_treatment(index, {}, {}).error().code, Code::kFailedPrecondition);
  index.mutable_rules(0)->set_missing(node::v1::MISSING_LEARN);
  EXPECT_EQ(decide_treatment(index, {}, {})->mode, node::v1::MODE_LEARN);
  index.mutable_rules(0)->set_missing(node::v1::MISSING_BASELINE);
  EXPECT_FALSE(decide_treatment(index, {}, {})) << "there is no baseline";
  index.mutable_baseline()->set_name("base");
  index.mutable_baseline()->set_compiled_sha256(std::string(64, 'b'));
  EXPECT_EQ(decide_treatment(index, {}, {})->compiled_sha256, std::string(64, 'b'));
}

}  // namespace
}  // namespace ward::shim::admission
