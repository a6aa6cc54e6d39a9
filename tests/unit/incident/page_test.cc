// SPDX-License-Identifier: Apache-2.0
#include "cli/incident/page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "cli/incident/incident_text.h"
#include "lib/base/escape.h"
#include "tests/support/sample_incidents.h"

namespace ward::cli {
namespace {

using test::everyday_incident;
using test::hostile_incident;
using test::largest_incident;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

const Style kPlain{-1};

// Every name of an element in a page, and what its tags have beside it.
std::vector<std::string> tags_of(const std::string& page) {
  std::vector<std::string> tags;
  static const std::regex kTag("<([^>]*)>");
  for (auto it = std::sregex_iterator(page.begin(), page.end(), kTag); it != std::sregex_iterator();
       ++it)
    tags.push_back((*it)[1]);
  return tags;
}

bool is_ascii_line_by_line(const std::string& text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c == '\n' || (c >= ' ' && c < 0x7f); });
}

TEST(IncidentPage, BeginsWithOneSentenceThatSaysWhatWhereWhatWardDidAndHowItStands) {
  const std::string page = incident_page(everyday_incident());
  EXPECT_THAT(page,
              HasSubstr("<h1 class=\"calm\">sh (pid 4242) in shop/cart-7d9c5b-x2x/app called "
                        "unshare(CLONE_NEWUSER|CLONE_NEWNS), which profile web does not allow; "
                        "Ward refused the call, cut the container&#39;s network and froze it "
                        "within 5.0 ms. It is contained: frozen, without network, and waits for "
                        "you.</h1>"));
}

TEST(IncidentPage, ItsPartsStandInTheOrderInWhichSomebodyAsks) {
  const std::string page = incident_page(everyday_incident());
  std::size_t last = 0;
  for (const char* id : {"timeline", "processes", "call", "rule", "container", "mounts", "sockets",
                         "capabilities", "files", "related", "technique", "next", "raw"}) {
    const std::size_t at = page.find("<section id=\"" + std::string(id) + "\">");
    ASSERT_NE(at, std::string::npos) << id;
    EXPECT_GT(at, last) << id;
    last = at;
  }
}

TEST(IncidentPage, SaysWhoDidItWhyItWasStoppedAndWhatToDo) {
  const std::string page = incident_page(everyday_incident());
  for (const char* part :
       {"<span class=\"bad\">sh 4242 - made the call</span>", "+5020 us", "T1611", "Escape to Host",
        "unshare is not allowed while the workload serves: no rule lists it, it is in the danger "
        "set",
        "onViolation.workload: quarantine, written in the profile, "
        "/etc/ward/profiles/web.yaml:18:",
        "the profile was learned from 14 runs of shop/web, recorder ebpf, by ward 0.1.0",
        "ward quarantine release k8s.io/4f2c0e6d9a1b --reason &#39;looked at it&#39;",
        "ward quarantine kill k8s.io/4f2c0e6d9a1b", "ward profile propose web -o web-next.yaml",
        "ward why a7e928162e5b788debe5-1", "registry.example/shop/cart:1.4", "CAP_CHOWN, ",
        "/tmp/x", "<td>43</td>", "&quot;processes_in_all&quot;: 3"})
    EXPECT_THAT(page, HasSubstr(part));
}

TEST(IncidentPage, WithoutEvidenceAndProfileItSaysSoAndHasAllItsParts) {
  Incident incident = everyday_incident();
  incident.bundle = {};
  incident.bundle.notes.emplace_back("its evidence cannot be read: gone");
  incident.judgement.reset();
  incident.why_no_judgement = "there is no profile 'web'";
  incident.container.reset();
  const std::string page = incident_page(incident);
  for (const char* part : {"its evidence cannot be read: gone", "there is no profile &#39;web&#39;",
                           "The container is gone.", "<section id=\"files\">", "+618 us"})
    EXPECT_THAT(page, HasSubstr(part));
  EXPECT_THAT(page, Not(HasSubstr("ward quarantine")));
}

TEST(IncidentPage, I7_NoTextOfAContainerBecomesMarkupOrAnAddress) {
  const std::string page = incident_page(hostile_incident());
  EXPECT_TRUE(is_ascii_line_by_line(page));
  for (const std::string& tag : tags_of(page)) {
    EXPECT_THAT(tag, Not(testing::ContainsRegex("^/?(script|img|iframe|link|base|form|object)")));
    EXPECT_THAT(tag, Not(testing::ContainsRegex("^svg.* onload|[ \"']on[a-z]+=[^ ]*ran")));
    if (tag.rfind("a ", 0) == 0) {
      EXPECT_THAT(tag, MatchesRegex("a href=\"#?[A-Za-z0-9_.-]*\""));
    }
  }
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  // A command that is offered to be copied does nothing but what it says.
  EXPECT_THAT(page, Not(HasSubstr("<pre class=\"copy\">cd ")));
  EXPECT_THAT(page, Not(HasSubstr("<pre class=\"copy\">ward quarantine")));
  EXPECT_THAT(page, Not(HasSubstr("<pre class=\"copy\">ward profile")));
}

TEST(IncidentPage, TheTagsOfAHostilePageAreThoseOfAnEverydayOne) {
  const auto kinds = [](const std::string& page) {
    std::set<std::string> names;
    for (const std::string& tag : tags_of(page)) names.insert(tag.substr(0, tag.find(' ')));
    return names;
  };
  EXPECT_EQ(kinds(incident_page(hostile_incident())), kinds(incident_page(everyday_incident())));
}

TEST(IncidentPage, WithoutTheRawJsonItHas300KBAtMostWhateverAContainerDid) {
  for (const Incident& incident : {everyday_incident(), hostile_incident(), largest_incident()}) {
    const std::string page = incident_page(incident);
    EXPECT_LE(page.find("<section id=\"raw\">"), kMaxPageBytes);
    EXPECT_LE(page.size(), kMaxPageBytes + 14 * kMaxRawBytes);
  }
}

TEST(IncidentPage, WhatIsLeftOutOfALongListIsCounted) {
  EXPECT_THAT(incident_page(largest_incident()), HasSubstr(" more are in the evidence"));
}

TEST(IncidentPage, ProcessesThatAreEachOthersParentsAreShownOnce) {
  Incident incident = everyday_incident();
  auto& processes = incident.bundle.evidence.processes;
  processes.clear();
  incident.bundle.evidence.chain.clear();
  for (const auto& [pid, parent] : {std::pair(1, 2), std::pair(2, 1), std::pair(3, 3)}) {
    SeenProcess process;
    process.pid = pid;
    process.parent = parent;
    process.comm = "round";
    processes.push_back(process);
  }
  const std::string page = incident_page(incident);
  for (const char* name : {"round 1", "round 2", "round 3"}) {
    const std::size_t at = page.find(name);
    ASSERT_NE(at, std::string::npos) << name;
    EXPECT_EQ(page.find(name, at + 1), std::string::npos) << name;
  }
}

TEST(IncidentPage, ATreeOfManyGenerationsIsCut) {
  Incident incident = everyday_incident();
  auto& processes = incident.bundle.evidence.processes;
  processes.clear();
  for (int pid = 10; pid < 500; ++pid) {
    SeenProcess process;
    process.pid = pid;
    process.parent = pid - 1;
    processes.push_back(process);
  }
  const std::string page = incident_page(incident);
  EXPECT_LE(page.find("<section id=\"raw\">"), kMaxPageBytes);
}

TEST(OverviewPage, ListsIncidentsThatLeadToTheirPagesAndWhatIsLearned) {
  const std::string page = overview_page(test::overview_of({everyday_incident()}));
  for (const char* part :
       {"1 of 12 containers in quarantine", "href=\"incident-a7e928162e5b788debe5-1.html\"",
        "unshare(CLONE_NEWUSER|CLONE_NEWNS)", "quarantined</span>", "12 older ones", ">93<"})
    EXPECT_THAT(page, HasSubstr(part));
  EXPECT_TRUE(is_ascii_line_by_line(overview_page(test::overview_of({hostile_incident()}))));
}

TEST(IncidentText, I7_IsWhatATerminalMayGetAndNamesEveryPart) {
  EXPECT_TRUE(is_ascii_line_by_line(incident_text(hostile_incident(), kPlain)));
  EXPECT_TRUE(is_ascii_line_by_line(incident_table({hostile_incident()}, kPlain)));
  const std::string text = incident_text(everyday_incident(), kPlain);
  for (const char* part : {"It is contained", "frozen", "decides   onViolation.workload", "T1611",
                           "ward quarantine release k8s.io/4f2c0e6d9a1b", "43 x unshare"})
    EXPECT_THAT(text, HasSubstr(part));
}

}  // namespace
}  // namespace ward::cli
