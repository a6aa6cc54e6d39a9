// SPDX-License-Identifier: Apache-2.0
// Text of others through the whole chain (container, shim, journal, wardd, ward): names of
// programs, containers, files and what a person types. It is escaped once, where it is shown, and
// JSON has it as it was.
#include <filesystem>
#include <fstream>

#include "lib/base/escape.h"
#include "lib/base/utf8.h"
#include "tests/integration/guarded_test_base.h"

namespace ward::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// Clears a screen, ends a line, turns the reading direction, is markup, is escaped already; no
// slash, no comma (ctr takes lists).
constexpr const char* kHostile = "\x1b[2J\n\u202e<b>&\"'\\x41%s";

class HostileText : public GuardedTest {
 protected:
  // What a terminal may get: a newline, and what is printable in ASCII.
  static void expect_harmless(const std::string& text) {
    for (const char c : text) {
      if (c == '\n' || (c >= ' ' && c < 0x7f)) continue;
      ADD_FAILURE() << "byte " << static_cast<int>(static_cast<unsigned char>(c)) << " in:\n"
                    << escape(text, 4096);
      return;
    }
  }
  // Each verb that shows something of a node, as text and as JSON; gives the text.
  static std::string shown_everywhere(const std::string& workload) {
    std::string all;
    for (std::vector<std::string> verb :
         std::vector<std::vector<std::string>>{{"ps"},
                                               {"events"},
                                               {"status"},
                                               {"quarantine", "list"},
                                               {"incident", "list"},
                                               {"evidence", "list"},
                                               {"learn", "list"},
                                               {"learn", "show", workload},
                                               {"profile", "list"}}) {
      const Output text = node().ward(verb);
      SCOPED_TRACE(verb.front() + " " + verb.back());
      expect_harmless(text.out + text.err);
      all += text.out + text.err;
      verb.insert(verb.end(), {"-o", "json"});
      const Output json = node().ward(verb);
      expect_harmless(json.out + json.err);
      std::istringstream lines(json.out + json.err);
      if (verb.front() == "events") {
        for (std::string line; std::getline(lines, line);) EXPECT_TRUE(Json::accept(line)) << line;
      } else {
        EXPECT_TRUE(Json::accept(lines.str())) << lines.str();
      }
    }
    return all;
  }
};

TEST_F(HostileText, AProgramsNameIsDataInJsonAndEscapedOnceInText) {
  const std::string name = kHostile, root = rootfs_with(name), id = node().unique("deny");
  const std::string argument(70'000, 'a');
  const Output output = run_in(root, id, {"/" + name, "attack", "unshare", argument, "\x1b[31m"});
  EXPECT_THAT(output.out, HasSubstr("unshare -1 1")) << output.err;
  const Json event = await_violation(id);
  EXPECT_EQ(event["exe"], "/" + name);
  EXPECT_EQ(event["comm"], to_utf8(name.substr(0, 15)));
  const std::string shown = node().ward({"events", "-c", id}).out;
  EXPECT_THAT(shown, HasSubstr("/" + escape(name))) << "once";
  EXPECT_THAT(shown, Not(HasSubstr(escape(escape("\x1b")))));
  shown_everywhere("nobody");
}

TEST_F(HostileText, ANameThatIsCutWithinACharacterStaysText) {
  const std::string name = "fourteen-bytes\u00e9\u00e9", root = rootfs_with(name),
                    id = node().unique("deny");
  EXPECT_THAT(run_in(root, id, {"/" + name, "attack", "unshare"}).out, HasSubstr("unshare -1 1"));
  const Json event = await_violation(id);
  EXPECT_EQ(event["comm"], "fourteen-bytes?");
  EXPECT_EQ(event["exe"], "/" + name);
  expect_harmless(node().ward({"events", "-c", id}).out);
}

TEST_F(HostileText, WhatTheKernelTellsOfAProcessIsEscapedOnceAsWell) {
  if (const std::string why = why_not_watched(); !why.empty()) GTEST_SKIP() << why;
  const std::string name = kHostile, root = rootfs_with(name), id = node().unique("supervise");
  EXPECT_THAT(run_in(root, id, {"/" + name, "attack", "raw"}).out, HasSubstr("raw 3 0"));
  std::vector<Json> found;
  ASSERT_TRUE(await([&] {
    found = events(id);
    std::erase_if(found, [](const Json& event) { return event["capability"] == ""; });
    return !found.empty();
  }));
  EXPECT_EQ(found.front()["comm"], to_utf8(name.substr(0, 15)));
  expect_harmless(node().ward({"events", "-c", id}).out);
}

TEST_F(HostileText, NamesOfContainersPodsAndImagesAreDataInJsonAndEscapedOnceInText) {
  const std::string name = std::string("deny-") + kHostile, id = node().unique("pod");
  std::vector<std::string> flags{"-d"};
  for (const char* key : {"container-name", "sandbox-name", "sandbox-namespace", "image-name"}) {
    flags.insert(flags.end(),
                 {"--annotation", std::string("io.kubernetes.cri.") + key + "=" + name});
  }
  const Output started =
      node().ctr(run_arguments(id, flags, {"/box", "entry", "/trigger", "/box", "wait"}));
  ASSERT_EQ(started.status, 0) << started.err;
  node().poke(id, "unshare");
  const Json event = await_violation(id);
  EXPECT_EQ(event["container_name"], name);
  EXPECT_EQ(event["pod"], name);
  EXPECT_EQ(event["kubernetes_namespace"], name);
  EXPECT_EQ(row(id)["image"], name);
  const std::string shown = shown_everywhere("nobody");
  EXPECT_THAT(shown, HasSubstr("deny-\\x1b[2J\\x0a"));
  EXPECT_THAT(shown, Not(HasSubstr(escape(escape("\x1b")))));
  // Whatever it is called, it can be named.
  const Output applied = node().ward({"applied", name});
  EXPECT_EQ(applied.status, 0) << applied.err;
  EXPECT_THAT(applied.out, AllOf(HasSubstr("deny-\\x1b[2J\\x0a"), HasSubstr("they agree")));
  expect_harmless(applied.out + applied.err);
  const Output refused = node().ward({"quarantine", "kill", name});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.err, AllOf(HasSubstr(id), HasSubstr("is not quarantined")));
  expect_harmless(refused.err);
  EXPECT_EQ(refused.err.find('\n'), refused.err.size() - 1) << "a name makes no line of its own";
  node().remove(id);
}

TEST_F(HostileText, ANameOf70kBIsRefusedInOneLineThatSaysSo) {
  const std::string id = node().unique("deny");
  const Output refused =
      run_box(id, {"/box", "true"},
              {"--annotation", "io.kubernetes.cri.container-name=" + std::string(70'000, 'n')});
  EXPECT_NE(refused.status, 0);
  EXPECT_THAT(refused.err, HasSubstr("has 70000 bytes"));
  EXPECT_LT(refused.err.size(), 2000U);
}

TEST_F(HostileText, ARecordingShowsItsProgramsAndItsProfileIsCleanYaml) {
  if (ward_json({"status"})["recorder"].get<std::string>().rfind("none", 0) == 0)
    GTEST_SKIP() << "nothing records here";
  const std::string name = kHostile, root = rootfs_with(name);
  EXPECT_EQ(run_in(root, node().unique("learn"), {"/" + name, "echo", "x"}).status, 0);
  Json recording;
  ASSERT_TRUE(await([&] {
    recording = parse_json(node().ward({"-o", "json", "learn", "show", "learned"}).out);
    return recording.is_object() && recording.contains("runs") &&
           recording["runs"][0]["ended_wall_ns"] != 0;
  }));
  const std::string programs = recording["runs"][0]["programs"].dump();
  EXPECT_THAT(programs, HasSubstr("\\u001b")) << "data";
  const std::string shown = shown_everywhere("learned");
  EXPECT_THAT(shown, AllOf(HasSubstr("\\x1b[2J"), Not(HasSubstr("\\\\x1b"))));
  const std::string file = (node().directory() / "learned.yaml").string();
  const Output generated =
      node().ward({"profile", "generate", "learned", "--allow-lossy", "-o", file, "--force"});
  EXPECT_EQ(generated.status, 0) << generated.err;
  expect_harmless(generated.out + generated.err);
  const Output linted = node().ward({"profile", "lint", file});
  EXPECT_EQ(linted.status, 0) << linted.err;
  expect_harmless(linted.out + linted.err);
}

TEST_F(HostileText, FilesOfTheNodeMayBeCalledAnything) {
  const fs::path bad = node().config() / "policies" / "\x1b[31m\xff\n.yaml";
  std::ofstream(bad) << "apiVersion: ward.dev/v1alpha1\nkind: Policy\nmetadata: {name: "
                        "\"\\e[31m\\u202e\"}\nspec: {rules: []}\n";
  Output status;
  ASSERT_TRUE(await([&] { return (status = node().ward({"status"})).status == 6; }))
      << status.out << status.err;
  EXPECT_THAT(status.out, HasSubstr("\\x1b[31m"));
  expect_harmless(status.out + status.err);
  const Output json = node().ward({"status", "-o", "json"});
  EXPECT_EQ(json.status, 6) << json.err;
  EXPECT_TRUE(Json::accept(json.out)) << json.out;
  for (const std::vector<std::string>& verb :
       {std::vector<std::string>{"profile", "lint", bad.string()},
        {"profile", "apply", bad.string()}}) {
    const Output output = node().ward(verb);
    EXPECT_EQ(output.status, 4);
    EXPECT_THAT(output.err, AllOf(HasSubstr("\\x1b[31m\\xff"), Not(HasSubstr("\\\\x1b"))));
    expect_harmless(output.out + output.err);
  }
  fs::remove(bad);
  EXPECT_TRUE(await([] { return node().ward({"status"}).status == 0; }));
}

TEST_F(HostileText, WhatAPersonTypesIsShownEscapedAndEndsNothing) {
  const pid_t wardd = node().wardd_pid();
  const std::string box = (node().config() / "profiles/box.yaml").string();
  for (const std::string& word :
       {std::string(kHostile), std::string("\xff\xfe"), std::string(70'000, 'x'),
        std::string("ns/\u00e9\n"), std::string("a/b/c/d"), std::string("\u202e"),
        std::string("ns/") + std::string(70'000, 'y')}) {
    for (std::vector<std::string> verb :
         std::vector<std::vector<std::string>>{{"learn", "show"},
                                               {"learn", "forget"},
                                               {"profile", "show"},
                                               {"profile", "generate"},
                                               {"quarantine", "add"},
                                               {"quarantine", "kill"},
                                               {"amend", "list"},
                                               {"amend", "drop"},
                                               {"quarantine", "release"},
                                               {"evidence", "show"},
                                               {"evidence", "verify"},
                                               {"evidence", "export"},
                                               {"events", "-c"},
                                               {"incident", "show"},
                                               {"incident", "report"},
                                               {"why"},
                                               {"node", "install", "--socket"},
                                               {"node", "install", "--from", ".", "--socket"},
                                               {"node", "status", "--socket"},
                                               {"node", "doctor", "--socket"},
                                               {"view", "--serve"},
                                               {"mode"},
                                               {"profile", "lint"},
                                               {"profile", "apply"},
                                               {"profile", "explain", box},
                                               {"syscalls"},
                                               {"help"},
                                               {"events", "--since"},
                                               {"ps"}}) {
      verb.push_back(word);
      if (verb.front() == "mode") verb.emplace_back("enforce");
      SCOPED_TRACE(verb[0] + " " + verb[1].substr(0, 20) + " " + escape(word, 20));
      for (const bool json : {false, true}) {
        if (json) verb.insert(verb.end(), {"-o", "json"});
        const Output output = node().ward(verb);
        if (verb[0] != "events") {
          EXPECT_NE(output.status, 0);
        }
        expect_harmless(output.out + output.err);
        if (json && !output.err.empty()) {
          EXPECT_TRUE(Json::accept(output.err)) << output.err.substr(0, 2000);
        }
      }
    }
  }
  EXPECT_EQ(node().wardd_pid(), wardd);
  EXPECT_EQ(node().ward({"status"}).status, 0);
}

}  // namespace
}  // namespace ward::test
