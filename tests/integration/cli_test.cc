// SPDX-License-Identifier: Apache-2.0
// Every verb of `ward`, as text and as JSON: what it answers, how it ends, and what it says without wardd.
#include <csignal>
#include <fstream>
#include <sstream>

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
      {Needs::kWardd, {"learn", "list"}},
      {Needs::kWardd, {"learn", "show", "{workload}"}},
      {Needs::kNothing, {"profile", "lint", "{box}", "{policy}"}},
      {Needs::kWardd, {"profile", "generate", "{workload}", "-o", "{out}"}},
      {Needs::kWardd, {"profile", "generate", "{workload}"}},
      {Needs::kWardd, {"profile", "apply", "--dry-run", "{wider}"}},
      {Needs::kWardd, {"profile", "apply", "{box}"}},
      {Needs::kWardd, {"profile", "show", "box"}},
      {Needs::kWardd, {"profile", "list"}},
      {Needs::kNothing, {"profile", "diff", "{box}", "{box}"}},
      {Needs::kNothing, {"profile", "diff", "{box}", "{wider}"}, 5},
      {Needs::kNothing, {"profile", "compile", "{box}"}},
      {Needs::kNothing, {"profile", "compile", "{box}", "--format", "supervised", "-o", "{out}"}},
      {Needs::kNothing, {"profile", "compile", "{box}", "--format", "ward", "-o", "{out}"}},
      {Needs::kWardd, {"quarantine", "list"}},
      {Needs::kWardd, {"quarantine", "release", "{container}", "--reason", "seen"}},
      {Needs::kWardd, {"quarantine", "kill", "{container}"}},
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
    write("wider.yaml", wider.replace(wider.find("      - write"), 13, "      - mkdir\n      - write"));
    write("policy.yaml", kPolicy);
    write("bad.yaml", "apiVersion: ward.dev/v1alpha1\nkind: Profile\nmetadata: {name: bad}\nspec:\n  sycalls: {}\n");
  }
  static void write(const std::string& name, const std::string& text) {
    std::ofstream(node().directory() / name) << text;
  }

  Arguments filled(Arguments arguments, Form form) {
    const std::string other = form == Form::kText ? "0" : "1";
    for (std::string& argument : arguments) {
      if (argument == "{container}") argument = quarantined_.empty() ? "nobody" : quarantined_[form == Form::kJson];
      if (argument == "{workload}") argument = form == Form::kText ? "learned" : "nginx";
      if (argument == "{out}") argument = (node().directory() / ("out" + other)).string();
      if (argument.front() == '{') {
        argument = (node().directory() / (argument.substr(1, argument.size() - 2) + ".yaml")).string();
      }
    }
    if (form == Form::kJson) arguments.insert(arguments.begin(), {"--output", "json"});
    return arguments;
  }
  static std::string line_of(const Arguments& arguments) {
    std::string line = "ward";
    for (const std::string& argument : arguments) line += " " + argument;
    return line;
  }

  // One recording and one quarantined container for each form of output.
  void prepare() {
    for (const char* prefix : {"learn", "nginx"}) {
      EXPECT_EQ(run_box(node().unique(prefix), {"/box", "echo", "x"}).status, 0);
    }
    ASSERT_TRUE(await([] { return ward_json({"learn", "list"})["recordings"].size() == 2; }));
    for (int i = 0; i < 2; ++i) {
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

TEST_F(Cli, EveryVerbAnswersAsTextAndAsJsonWithoutColours) {
  if (ward_json({"status"})["recorder"].get<std::string>().rfind("none", 0) == 0) {
    GTEST_SKIP() << "this machine cannot record, and half of the verbs are about recordings";
  }
  ASSERT_NO_FATAL_FAILURE(prepare());
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
        EXPECT_TRUE(verb.arguments[0] == "events" ? is_json_lines(output.out) : is_json(output.out)) << output.out;
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
  const std::vector<Refused> refusals = {{{"learn", "show", "nowhere"}, 1, "ward learn list"},
                                         {{"learn", "forget", "nowhere"}, 1, "nowhere"},
                                         {{"profile", "show", "nowhere"}, 1, "ward profile list"},
                                         {{"profile", "generate", "nowhere"}, 1, "nowhere"},
                                         {{"profile", "apply", missing}, 1, "missing"},
                                         {{"profile", "compile", missing}, 1, "missing"},
                                         {{"profile", "compile", "{box}", "-o", "/dev/full"}, 1, "No space left"},
                                         {{"quarantine", "release", "nobody"}, 1, "nobody"},
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
      EXPECT_THAT(output.err, AllOf(HasSubstr(nowhere), HasSubstr("is it running?"), HasSubstr("--run-dir")));
      if (form == Form::kJson) EXPECT_TRUE(is_json(output.err)) << output.err;
    }
  }
}

TEST_F(Cli, HelpOfEveryVerbEndsWith0) {
  std::vector<Arguments> all{{}, {"learn"}, {"profile"}, {"quarantine"}};
  for (const Verb& verb : verbs()) {
    const bool nested =
        verb.arguments[0] == "learn" || verb.arguments[0] == "profile" || verb.arguments[0] == "quarantine";
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
    EXPECT_THAT(on_terminal({"--output", "json", verb}, "NO_COLOR=").out, Not(HasSubstr("\x1b["))) << verb;
  }
  EXPECT_THAT(on_terminal({"profile", "show", "nowhere"}, "NO_COLOR=").out, HasSubstr("\x1b[31mward: "));
}

TEST_F(Cli, AFollowerSeesAViolationAsItHappensAndEndsCleanlyWhenAsked) {
  for (const auto& [form, number] : {std::pair(Form::kText, SIGTERM), std::pair(Form::kJson, SIGINT)}) {
    const std::string id = start_watched("deny");
    Arguments command = filled({"events", "-f", "-c", id}, form);
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
    if (form == Form::kJson) EXPECT_TRUE(is_json_lines(follower.out())) << follower.out();
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

TEST_F(Cli, AFollowerEndsWith3WhenWarddGoes) {
  const std::string id = start_watched("deny");
  Child follower({ward_binary().string(), "events", "-f", "-c", id}, node().environment());
  node().poke(id, "unshare");
  ASSERT_TRUE(follower.await_output("unshare")) << follower.err();
  node().stop_wardd(SIGTERM);
  EXPECT_EQ(follower.wait(), 3) << follower.err();
  EXPECT_THAT(follower.err(), HasSubstr("wardd does not answer"));
  node().remove(id);
}

}  // namespace
}  // namespace ward::test
