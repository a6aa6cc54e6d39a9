// SPDX-License-Identifier: Apache-2.0
// Every verb of `ward`, as text and as JSON: what it answers, how it ends, and what it says without
// wardd.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "lib/base/file.h"
#include "tests/integration/guarded_test_base.h"

namespace ward::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using Arguments = std::vector<std::string>;

enum class Form { kText, kJson };
enum class Needs { kNothing, kWardd };

struct Verb {
  Needs needs;
  Arguments arguments;
  int status = 0;
};

// In an order in which each finds what it needs. {...} is replaced, see Cli::filled().
const std::vector<Verb>& verbs() {
  static const std::vector<Verb> all = {
      {Needs::kWardd, {"status"}},
      {Needs::kWardd, {"ps"}},
      {Needs::kWardd, {"events"}},
      {Needs::kWardd, {"events", "-n", "1", "-c", "{container}"}},
      {Needs::kWardd, {"incident", "list"}},
      {Needs::kWardd, {"incident", "show", "{incident}"}},
      {Needs::kWardd, {"incident", "report", "{incident}", "-o", "{out}"}},
      {Needs::kWardd, {"why", "{incident}"}},
      {Needs::kWardd, {"why", "{container}", "socket", "AF_NETLINK", "_"}},
      {Needs::kWardd, {"applied", "{container}"}},
      {Needs::kWardd, {"view", "--out", "{out}"}},
      {Needs::kNothing, {"evidence", "list"}},
      {Needs::kWardd, {"learn", "list"}},
      {Needs::kWardd, {"learn", "show", "{workload}"}},
      {Needs::kNothing, {"profile", "lint", "{box}", "{policy}"}},
      {Needs::kWardd, {"profile", "generate", "{workload}", "-o", "{out}"}},
      {Needs::kWardd, {"profile", "generate", "{workload}"}},
      {Needs::kWardd, {"profile", "simulate", "{box}", "--workload", "{workload}"}},
      {Needs::kWardd, {"profile", "apply", "--dry-run", "{wider}"}},
      {Needs::kWardd, {"profile", "apply", "{box}"}},
      {Needs::kWardd, {"profile", "show", "box"}},
      {Needs::kWardd, {"profile", "list"}},
      {Needs::kWardd, {"amend", "list"}},
      {Needs::kWardd, {"amend", "list", "box"}},
      {Needs::kNothing, {"node", "status", "--socket", "{socket}"}, 6},  // nothing is installed
      {Needs::kNothing, {"node", "uninstall", "--dry-run"}},
      {Needs::kNothing, {"profile", "diff", "{box}", "{box}"}},
      {Needs::kNothing, {"profile", "diff", "{box}", "{wider}"}, 5},
      {Needs::kNothing, {"profile", "explain", "{box}", "kill", "mkdir", "socket"}},
      {Needs::kNothing, {"profile", "compile", "{box}"}},
      {Needs::kNothing, {"profile", "compile", "{box}", "--format", "supervised", "-o", "{out}"}},
      {Needs::kNothing, {"profile", "compile", "{box}", "--format", "ward", "-o", "{out}"}},
      {Needs::kWardd, {"quarantine", "list"}},
      {Needs::kWardd, {"quarantine", "release", "{container}", "--reason", "seen"}},
      {Needs::kWardd, {"quarantine", "add", "{container}", "--reason", "seen again"}},
      {Needs::kWardd, {"mode", "{container}", "enforce"}},
      {Needs::kWardd, {"quarantine", "kill", "{victim}"}},
      {Needs::kWardd, {"learn", "forget", "{workload}"}}};
  return all;
}

struct Refused {
  Arguments arguments;
  int status;
  std::string says;
};

class Cli : public GuardedTest {
 protected:
  static void SetUpTestSuite() {
    GuardedTest::SetUpTestSuite();
    write("box.yaml", box_profile());
    std::string wider = box_profile();
    write("wider.yaml",
          wider.replace(wider.find("      - write"), 13, "      - mkdir\n      - write"));
    write("policy.yaml", kPolicy);
    write("bad.yaml",
          "apiVersion: ward.dev/v1alpha1\nkind: Profile\nmetadata: {name: bad}\nspec:\n  sycalls: "
          "{}\n");
  }
  static void write(const std::string& name, const std::string& text) {
    std::ofstream(node().directory() / name) << text;
  }

  Arguments filled(Arguments arguments, Form form) {
    const std::string other = form == Form::kText ? "0" : "1";
    for (std::string& argument : arguments) {
      if (argument == "{container}")
        argument = quarantined_.empty() ? "nobody" : quarantined_[form == Form::kJson];
      if (argument == "{victim}")
        argument = quarantined_.empty() ? "nobody" : quarantined_[2 + (form == Form::kJson)];
      if (argument == "{incident}")
        argument = quarantined_.empty() ? "nothing" : newest_incident(quarantined_.front());
      if (argument == "{socket}") argument = node().containerd_socket().string();
      if (argument == "{workload}") argument = form == Form::kText ? "learned" : "nginx";
      if (argument == "{out}") {
        argument = (node().directory() / ("out" + other)).string();
        std::filesystem::remove_all(argument);  // of an earlier case
      }
      if (argument.front() == '{') {
        argument =
            (node().directory() / (argument.substr(1, argument.size() - 2) + ".yaml")).string();
      }
    }
    if (form == Form::kJson) arguments.insert(arguments.begin(), {"--output", "json"});
    return arguments;
  }
  static std::string newest_incident(const std::string& id) {
    return await_violation(id)["id"].get<std::string>();
  }
  static std::string line_of(const Arguments& arguments) {
    std::string line = "ward";
    for (const std::string& argument : arguments) line += " " + argument;
    return line;
  }

  // One recording and two quarantined containers for each form of output: one is released, and then
  // no kill's any more.
  void prepare() {
    for (const char* prefix : {"learn", "nginx"}) {
      EXPECT_EQ(run_box(node().unique(prefix), {"/box", "echo", "x"}).status, 0);
    }
    ASSERT_TRUE(await([] { return ward_json({"learn", "list"})["recordings"].size() == 2; }));
    for (int i = 0; i < 4; ++i) {
      quarantined_.push_back(start_watched("quarantine"));
      node().poke(quarantined_.back(), "unshare");
      ASSERT_TRUE(await([&] { return row(quarantined_.back())["state"] == "QUARANTINED"; }));
    }
  }

  static Output on_terminal(const Arguments& arguments, const std::string& variable) {
    Child::Options options = node().environment(true);
    options.environment.insert(options.environment.end(), {"TERM=xterm", variable});
    Arguments command{ward_binary().string()};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return run(command, options);
  }

  std::vector<std::string> quarantined_;
};

bool is_json(const std::string& text) { return nlohmann::json::accept(text); }

bool is_json_lines(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!is_json(line)) return false;
  }
  return !text.empty() && text.back() == '\n';
}

// F30: docs/json.md says what each document has. `compile` without -o prints OCI's filter, and
// `lint` a list.
std::string why_not_documented(const Arguments& arguments, const std::string& text) {
  static const JsonPage kPage;
  if (arguments[0] == "events") {
    if (!is_json_lines(text)) return "no JSON lines";
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      if (const auto why = kPage.why_not(parse_json_or_throw<nlohmann::json>(line)); !why.empty())
        return why;
    }
    return "";
  }
  const auto document = parse_json<nlohmann::json>(text);
  if (document.is_discarded()) return "no JSON";
  if (arguments[0] == "profile" && arguments[1] == "compile" &&
      text.find("defaultAction") != std::string::npos)
    return "";
  for (const auto& part : document.is_array() ? document : nlohmann::json::array({document})) {
    if (const auto why = kPage.why_not(part); !why.empty()) return why;
  }
  return "";
}

TEST_F(Cli, F30_EveryVerbAnswersAsTextAndAsTheJsonThatIsDocumentedWithoutColours) {
  if (ward_json({"status"})["recorder"].get<std::string>().rfind("none", 0) == 0) {
    GTEST_SKIP() << "this machine cannot record, and half of the verbs are about recordings";
  }
  ASSERT_NO_FATAL_FAILURE(prepare());
  // Before that `profile compile` warns that it knows nothing of this node's runtime.
  ASSERT_TRUE(await([] { return !ward_json({"status"})["runtimes"].empty(); }));
  for (const Verb& verb : verbs()) {
    for (const Form form : {Form::kText, Form::kJson}) {
      const Arguments arguments = filled(verb.arguments, form);
      SCOPED_TRACE(line_of(arguments));
      const Output output = node().ward(arguments);
      EXPECT_EQ(output.status, verb.status) << output.err;
      EXPECT_THAT(output.out + output.err, Not(HasSubstr("\x1b")));
      if (form == Form::kText) {
        EXPECT_FALSE((output.out + output.err).empty());
      } else {
        EXPECT_EQ(output.err, "");
        EXPECT_EQ(why_not_documented(verb.arguments, output.out), "") << output.out;
      }
    }
  }
  for (const std::string& id : quarantined_) node().remove(id);
}

TEST_F(Cli, AWrittenFilterIsNamedWithItsFormatAndTheProfilesDigest) {
  const std::string out = (node().directory() / "filter.json").string();
  const Json said = ward_json(filled({"profile", "compile", "{box}", "-o", out}, Form::kText));
  EXPECT_EQ(said["file"], out);
  EXPECT_EQ(said["format"], "oci");
  EXPECT_EQ(said["digest"], ward_json({"profile", "show", "box"})["summary"]["digest"]);
  std::ifstream file(out);
  EXPECT_TRUE(is_json({std::istreambuf_iterator<char>(file), {}}));
}

TEST_F(Cli, ARefusalSaysWhyAndItsExitCodeIsTheDocumentedOne) {
  const std::string missing = (node().directory() / "missing").string();
  const std::vector<Refused> refusals = {
      {{"learn", "show", "nowhere"}, 1, "ward learn list"},
      {{"learn", "forget", "nowhere"}, 1, "nowhere"},
      {{"profile", "show", "nowhere"}, 1, "ward profile list"},
      {{"profile", "generate", "nowhere"}, 1, "nowhere"},
      {{"amend", "list", "nowhere"}, 1, "ward profile list"},
      {{"node", "install", "--socket", missing}, 1, "no containerd answers"},
      {{"node", "upgrade", "--socket", missing}, 1, "no containerd answers"},
      {{"node", "install", "--wait", "0"}, 2, "--wait"},
      {{"amend", "drop", "nowhere"}, 1, "ward amend list"},
      {{"amend", "drop", "box", "mkdir"}, 1, "ward amend list"},
      {{"profile", "apply", missing}, 1, "missing"},
      {{"profile", "compile", missing}, 1, "missing"},
      {{"profile", "compile", "{box}", "-o", "/dev/full"}, 1, "No space left"},
      {{"quarantine", "release", "nobody"}, 1, "nobody"},
      {{"incident", "show", "nothing"}, 1, "ward incident list"},
      {{"incident", "report", "nothing"}, 1, "nothing"},
      {{"why", "nothing"}, 1, "nothing"},
      {{"why", "nobody", "mount"}, 1, "nobody"},
      {{"applied", "nobody"}, 1, "ward ps"},
      {{"view"}, 2, "--serve"},
      {{"quarantine", "kill", "nobody"}, 1, "nobody"},
      {{"statsu"}, 2, "statsu"},
      {{"learn"}, 2, "subcommand"},
      {{"profile", "show"}, 2, "name is required"},
      {{"events", "-n", "many"}, 2, "many"},
      {{"ps", "--unknown"}, 2, "--unknown"},
      {{"profile", "compile", "{box}", "--format", "ward"}, 2, "-o"},
      {{"profile", "apply", "{bad}"}, 4, "bad.yaml:5:3"},
      {{"profile", "compile", "{bad}"}, 4, "bad.yaml:5:3"},
      {{"profile", "diff", "{box}", "{bad}"}, 4, "bad.yaml:5:3"}};
  for (const Refused& refused : refusals) {
    for (const Form form : {Form::kText, Form::kJson}) {
      const Arguments arguments = filled(refused.arguments, form);
      SCOPED_TRACE(line_of(arguments));
      const Output output = node().ward(arguments);
      EXPECT_EQ(output.status, refused.status);
      EXPECT_EQ(output.out, "");
      if (form == Form::kText) {
        EXPECT_THAT(output.err, HasSubstr(refused.says));
        continue;
      }
      const Json error = Json::parse(output.err, nullptr, false);
      ASSERT_TRUE(error.is_object()) << output.err;
      EXPECT_THAT(error["error"].get<std::string>(), HasSubstr(refused.says));
      EXPECT_EQ(error["exit_code"], refused.status);
      EXPECT_EQ(JsonPage().why_not(error), "");
    }
  }
}

TEST_F(Cli, LintNamesEveryFileAndEndsWith4WhereOneIsBad) {
  const Output text = node().ward(filled({"profile", "lint", "{box}", "{bad}"}, Form::kText));
  EXPECT_EQ(text.status, 4);
  EXPECT_THAT(text.out, HasSubstr("box.yaml: ok Profile"));
  EXPECT_THAT(text.err, HasSubstr("bad.yaml:5:3"));
  const Output json = node().ward(filled({"profile", "lint", "{box}", "{bad}"}, Form::kJson));
  EXPECT_EQ(json.status, 4);
  const Json verdicts = Json::parse(json.out, nullptr, false);
  ASSERT_EQ(verdicts.size(), 2U) << json.out;
  EXPECT_EQ(verdicts[0]["valid"], true);
  EXPECT_EQ(verdicts[1]["valid"], false);
  EXPECT_THAT(verdicts[1]["error"].get<std::string>(), HasSubstr("bad.yaml:5:3"));
}

TEST_F(Cli, WithoutWarddVerbsOnFilesWorkAndAllOthersEndWith3AndSayWhatToDo) {
  const std::string nowhere = (node().directory() / "nowhere").string();
  for (const Verb& verb : verbs()) {
    for (const Form form : {Form::kText, Form::kJson}) {
      Arguments arguments = filled(verb.arguments, form);
      arguments.insert(arguments.begin(), {"--run-dir", nowhere});
      SCOPED_TRACE(line_of(arguments));
      const Output output = node().ward(arguments);
      if (verb.needs == Needs::kNothing) {
        EXPECT_EQ(output.status, verb.status) << output.err;
        continue;
      }
      EXPECT_EQ(output.status, 3);
      EXPECT_EQ(output.out, "");
      EXPECT_THAT(output.err,
                  AllOf(HasSubstr(nowhere), HasSubstr("is it running?"), HasSubstr("--run-dir")));
      if (form == Form::kJson) {
        EXPECT_TRUE(is_json(output.err)) << output.err;
      }
    }
  }
}

TEST_F(Cli, HelpOfEveryVerbEndsWith0) {
  std::vector<Arguments> all{{},       {"amend"},   {"incident"},  {"learn"},
                             {"node"}, {"profile"}, {"quarantine"}};
  for (const Verb& verb : verbs()) {
    const bool nested = verb.arguments[0] == "amend" || verb.arguments[0] == "incident" ||
                        verb.arguments[0] == "learn" || verb.arguments[0] == "node" ||
                        verb.arguments[0] == "profile" || verb.arguments[0] == "quarantine";
    all.emplace_back(verb.arguments.begin(), verb.arguments.begin() + (nested ? 2 : 1));
  }
  for (Arguments arguments : all) {
    arguments.emplace_back("--help");
    SCOPED_TRACE(line_of(arguments));
    const Output output = node().ward(arguments);
    EXPECT_EQ(output.status, 0);
    EXPECT_THAT(output.out, HasSubstr("Usage: "));
    EXPECT_EQ(output.err, "");
  }
  EXPECT_THAT(node().ward({"--version"}).out, HasSubstr("ward "));
}

TEST_F(Cli, ColoursAreForTerminalsThatWantThemAndNeverInJson) {
  for (const char* verb : {"ps", "status"}) {
    EXPECT_THAT(on_terminal({verb}, "NO_COLOR=").out, HasSubstr("\x1b[")) << verb;
    EXPECT_THAT(on_terminal({verb}, "NO_COLOR=1").out, Not(HasSubstr("\x1b["))) << verb;
    EXPECT_THAT(on_terminal({verb}, "TERM=dumb").out, Not(HasSubstr("\x1b["))) << verb;
    EXPECT_THAT(on_terminal({"--output", "json", verb}, "NO_COLOR=").out, Not(HasSubstr("\x1b[")))
        << verb;
  }
  EXPECT_THAT(on_terminal({"profile", "show", "nowhere"}, "NO_COLOR=").out,
              HasSubstr("\x1b[31mward: "));
}

TEST_F(Cli, AFollowerSeesAViolationAsItHappensAndEndsCleanlyWhenAsked) {
  for (const auto& [form, number] :
       {std::pair(Form::kText, SIGTERM), std::pair(Form::kJson, SIGINT)}) {
    const std::string id = start_watched("deny");
    Arguments command = filled({"events", "-f", "--since", "1h", "-c", id}, form);
    command.insert(command.begin(), ward_binary().string());
    Child follower(command, node().environment());
    node().poke(id, "unshare");
    ASSERT_TRUE(follower.await_output("unshare")) << follower.err();
    node().poke(id, "keyctl");  // now it certainly follows
    ASSERT_TRUE(follower.await_output("keyctl")) << follower.out();
    follower.signal(number);
    EXPECT_EQ(follower.wait(), 0) << follower.err();
    EXPECT_EQ(follower.err(), "");
    EXPECT_THAT(follower.out(), EndsWith("\n"));
    if (form == Form::kJson) {
      EXPECT_TRUE(is_json_lines(follower.out())) << follower.out();
    }
    node().remove(id);
  }
}

TEST_F(Cli, AWarddThatStandsStillKeepsNobodyForEver) {
  signal_process(node().wardd_pid(), SIGSTOP);
  const Output asked = node().ward({"status"});
  signal_process(node().wardd_pid(), SIGCONT);
  EXPECT_EQ(asked.status, 3) << asked.err;
  EXPECT_THAT(asked.err, HasSubstr("did not answer in time"));
  EXPECT_TRUE(await([] { return node().ward({"status"}).status == 0; }));
}

std::size_t times(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST_F(Cli, F28_AFollowerShowsNewEventsAndGoesOnOverARestartOfWarddWithoutLossOrRepeat) {
  const std::string id = start_watched("deny");
  const std::string name = node().containerd_namespace() + "/" + id;
  node().poke(id, "mount");
  await_violation(id);
  Child all({ward_binary().string(), "events", "-f", "--since", "1h", "-c", name},
            node().environment());
  ASSERT_TRUE(all.await_output("mount(")) << all.err();
  Child follower({ward_binary().string(), "events", "-f", "-n", "0", "-c", name},
                 node().environment());
  ASSERT_TRUE(await([&] {  // until it certainly follows
    node().poke(id, "unshare");
    return follower.await_output("unshare(", 0, std::chrono::milliseconds(500));
  })) << follower.err();
  EXPECT_THAT(follower.out(), Not(HasSubstr("mount("))) << "that was before";
  node().stop_wardd(SIGTERM);
  node().poke(id, "keyctl");  // journalled while no follower is there
  node().start_wardd();
  ASSERT_TRUE(follower.await_output("keyctl(")) << follower.out() << follower.err();
  EXPECT_THAT(follower.err(), HasSubstr("goes on when it is back"));
  node().poke(id, "setns");
  ASSERT_TRUE(follower.await_output("setns(")) << follower.out();
  EXPECT_EQ(times(follower.out(), "keyctl("), 1U) << follower.out();
  ASSERT_TRUE(all.await_output("setns(")) << all.out();
  EXPECT_EQ(times(all.out(), "mount("), 1U) << all.out();
  for (Child* child : {&follower, &all}) {
    child->signal(SIGTERM);
    EXPECT_EQ(child->wait(), 0);
  }
  node().remove(id);
}

TEST_F(Cli, F28_LastAndSinceChooseWhatIsShownAndAMomentThatIsNoneIsRefused) {
  const std::string id = start_watched("deny");
  node().poke(id, "unshare");
  await_violation(id);
  EXPECT_EQ(node().ward({"events", "-n", "0"}).out, "");
  EXPECT_THAT(node().ward({"events", "--since", "1h", "-c", id}).out, HasSubstr("unshare("));
  EXPECT_EQ(node().ward({"events", "--since", "0s", "-c", id}).out, "");
  const Output refused = node().ward({"events", "--since", "yesterday"});
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.err, HasSubstr("10m"));
  node().remove(id);
}

TEST_F(Cli, F21_AHealthyContainerIsNotKilledByTheQuarantineVerbs) {
  const std::string id = start_watched("deny");
  for (const char* verb : {"kill", "release"}) {
    const Output refused =
        node().ward({"quarantine", verb, node().containerd_namespace() + "/" + id});
    EXPECT_EQ(refused.status, 1) << verb;
    EXPECT_THAT(refused.err, AllOf(HasSubstr(id), HasSubstr("is not quarantined")));
  }
  EXPECT_EQ(node().task_status(id), "RUNNING");
  node().remove(id);
}

TEST_F(Cli, F22_AnAnswerThatAFullDiskCutsShortEndsWith1) {
  const std::string ward = ward_binary().string();
  for (const std::string arguments :
       {"status", "status -o json", "ps", "events", "events -o json", "profile list",
        "profile show box", "profile show box -o json", "profile lint $BOX", "profile compile $BOX",
        "--help", "help", "profile --help", "version", "--version", "quarantine list",
        "completion bash", "complete profile ''"}) {
    Child::Options options = node().environment();
    options.environment.push_back("BOX=" + (node().directory() / "box.yaml").string());
    const Output output = run({"sh", "-c", ward + " " + arguments + " > /dev/full"}, options);
    EXPECT_EQ(output.status, 1) << arguments;
    EXPECT_THAT(output.err, HasSubstr("No space left on device")) << arguments;
  }
}

TEST_F(Cli, F23_WithoutStandardStreamsNothingElseTakesTheirPlace) {
  const std::string ward = ward_binary().string();
  EXPECT_EQ(run({"sh", "-c", ward + " ps >&- 2>&- <&-"}, node().environment()).status, 0);
  EXPECT_THAT(
      run({"sh", "-c", "exec " + ward + " profile show nowhere <&- >&-"}, node().environment()).err,
      HasSubstr("nowhere"));
  node().stop_wardd(SIGTERM);
  node().start_wardd({"sh", "-c", "exec \"$0\" \"$@\" <&- >&- 2>&-"});
  for (const char* number : {"0", "1", "2"}) {
    EXPECT_EQ(std::filesystem::read_symlink("/proc/" + std::to_string(node().wardd_pid()) + "/fd/" +
                                            number),
              "/dev/null");
  }
  node().stop_wardd(SIGTERM);
  node().start_wardd();
}

TEST_F(Cli, F29_AFileThatIsThereIsNotOverwrittenByGenerate) {
  write("mine.yaml", "# signed\n");
  const std::string mine = (node().directory() / "mine.yaml").string();
  const Output refused = node().ward({"profile", "generate", "nobody", "-o", mine});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.err, HasSubstr("--force"));
  EXPECT_EQ(*read_file(mine), "# signed\n");
  // Then it is wardd's to say that there is no such recording.
  EXPECT_THAT(node().ward({"profile", "generate", "nobody", "--force", "-o", mine}).err,
              Not(HasSubstr("is there")));
  const std::string box = (node().directory() / "box.yaml").string();
  const std::string text = *read_file(box);
  EXPECT_EQ(node().ward({"profile", "compile", box, "-o", box}).status, 2);
  EXPECT_EQ(*read_file(box), text);
}

TEST_F(Cli, HelpAndVersionAreVerbsAndTheFormMayStandBehindAnyVerb) {
  EXPECT_THAT(node().ward({"help", "profile", "generate"}).out,
              HasSubstr("Usage: ward profile generate"));
  EXPECT_EQ(node().ward({"help"}).out, node().ward({"--help"}).out);
  EXPECT_EQ(node().ward({"help", "nothing"}).status, 2);
  EXPECT_EQ(node().ward({"version"}).out, node().ward({"--version"}).out);
  for (const Arguments& verb :
       {Arguments{"ps"}, {"quarantine", "list"}, {"learn", "list"}, {"version"}}) {
    Arguments before{"--output", "json"};
    before.insert(before.end(), verb.begin(), verb.end());
    Arguments behind = verb;
    behind.insert(behind.end(), {"-o", "json"});
    EXPECT_TRUE(is_json(node().ward(behind).out)) << line_of(behind);
    EXPECT_EQ(node().ward(behind).out.substr(0, 40), node().ward(before).out.substr(0, 40));
  }
  EXPECT_TRUE(is_json(node().ward({"profile", "generate", "nobody", "-o", "json"}).err));
}

TEST_F(Cli, AMissingFileIsOneExitCodeEverywhere) {
  for (const Arguments& verb : {Arguments{"profile", "lint"},
                                {"profile", "apply"},
                                {"profile", "compile"},
                                {"profile", "diff", "/no/such.yaml"}}) {
    Arguments arguments = verb;
    arguments.emplace_back("/no/such.yaml");
    const Output output = node().ward(arguments);
    EXPECT_EQ(output.status, 1) << line_of(arguments);
    EXPECT_THAT(output.err, HasSubstr("/no/such.yaml")) << line_of(arguments);
  }
}

}  // namespace
}  // namespace ward::test
