// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "enforcer/journal/event_kind.h"
#include "profiles/yaml/node_config.h"

namespace ward::profiles {
namespace {

using testing::HasSubstr;

std::string refusal(const std::string& sink) {
  const auto read = read_node_config(
      "apiVersion: ward.dev/v1alpha1\nkind: NodeConfig\nsinks:\n- " + sink + "\n", "w.yaml");
  return read ? "accepted" : read.error().message;
}

TEST(SinkSettings, EveryKeyIsRead) {
  const auto config = read_node_config(
      "apiVersion: ward.dev/v1alpha1\nkind: NodeConfig\nsinks:\n"
      "- {name: siem, type: webhook, url: 'https://siem:8443/in', hmacKeyFile: /k, tokenFile: /t,\n"
      "   tls: {caFile: /ca, certificateFile: /c, keyFile: /ck}, proxy: 'http://proxy:3128',\n"
      "   timeout: 5s, filter: {severity: high, kinds: [violation], namespaces: [shop]}}\n"
      "- {name: logs, type: syslog, url: 'tls://[::1]:6514', format: cef}\n"
      "- {name: lines, type: file, path: /var/log/ward.jsonl, maxBytes: 65536, keep: 2}\n",
      "w.yaml");
  ASSERT_TRUE(config) << config.error().message;
  ASSERT_EQ(config->sinks.size(), 3U);
  const SinkSettings& siem = config->sinks[0];
  EXPECT_EQ(siem.type, SinkType::kWebhook);
  EXPECT_EQ(siem.certificate_file + siem.key_file + siem.ca_file, "/c/ck/ca");
  EXPECT_EQ(siem.timeout, std::chrono::seconds(5));
  EXPECT_EQ(siem.filter.severity, Severity::kHigh);
  EXPECT_TRUE(config->sinks[1].cef);
  EXPECT_EQ(config->sinks[2].keep, 2U);
}

TEST(SinkSettings, I9_WhatIsWrongIsNamedWithItsPlaceAndWhatWouldBeRight) {
  EXPECT_EQ(refusal("{name: a, type: journald}"), "accepted");
  EXPECT_THAT(refusal("{type: journald}"), HasSubstr("w.yaml:4:3: "));
  EXPECT_THAT(refusal("{name: A/../b, type: journald}"), HasSubstr("name must be of a-z"));
  EXPECT_THAT(refusal("{name: '', type: journald}"), HasSubstr("name must be of a-z"));
  EXPECT_THAT(refusal("{name: a, type: webhok}"), HasSubstr("did you mean 'webhook'"));
  EXPECT_THAT(refusal("{name: a, type: webhook}"), HasSubstr("url"));
  EXPECT_THAT(refusal("{name: a, type: webhook, url: 'ftp://x'}"), HasSubstr("https://"));
  EXPECT_THAT(refusal("{name: a, type: webhook, url: 'https://u:p@x/'}"), HasSubstr("no secret"));
  EXPECT_THAT(refusal("{name: a, type: falco, url: 'http://x', tokenFile: /t}"),
              HasSubstr("https only"));
  EXPECT_THAT(refusal("{name: a, type: falco, url: 'http://x', path: /t}"),
              HasSubstr("a sink of type falco has no path"));
  EXPECT_THAT(refusal("{name: a, type: falco, url: 'http://x', tls: {caFile: /c}}"),
              HasSubstr("this url has no TLS"));
  EXPECT_THAT(refusal("{name: a, type: falco, url: 'https://x', tls: {keyFile: /c}}"),
              HasSubstr("go together"));
  EXPECT_THAT(refusal("{name: a, type: syslog, url: 'tcp://x'}"), HasSubstr("needs a port"));
  EXPECT_THAT(refusal("{name: a, type: syslog, url: 'tcp://x:99999'}"), HasSubstr("needs a port"));
  EXPECT_THAT(refusal("{name: a, type: file, path: log}"), HasSubstr("absolute path"));
  EXPECT_THAT(refusal("{name: a, type: file, path: /l, keep: 101}"), HasSubstr("at most 100"));
  EXPECT_THAT(refusal("{name: a, type: journald, filter: {kinds: [violatoin]}}"),
              HasSubstr("did you mean 'violation'"));
  EXPECT_THAT(refusal("{name: a, type: journald, filter: {kinds: []}}"), HasSubstr("is empty"));
  EXPECT_THAT(refusal("{name: a, type: journald, filter: {severity: bad}}"),
              HasSubstr("info, low, medium, high or critical"));
  EXPECT_THAT(refusal("{name: a, type: journald}\n- {name: a, type: journald}"),
              HasSubstr("another sink has the name 'a'"));
  EXPECT_THAT(refusal("{name: a, type: file, path: /l}\n- {name: b, type: file, path: //l}"),
              HasSubstr("another sink writes '//l'"));
  EXPECT_THAT(refusal("{name: a, type: file, path: /l}\n- {name: b, type: file, path: /l.4}"),
              HasSubstr("another sink writes '/l.4'"));
  EXPECT_EQ(refusal("{name: a, type: file, path: /l}\n- {name: b, type: file, path: /l.5}"),
            "accepted");
}

TEST(SinkSettings, TheKindsToFilterByAreThoseOfTheJournal) {
  std::set<std::string_view> kinds;
  for (const auto kind : enforcer::event_kinds()) kinds.insert(enforcer::event_kind_name(kind));
  EXPECT_EQ(std::set<std::string_view>(sink_event_kinds().begin(), sink_event_kinds().end()),
            kinds);
}

}  // namespace
}  // namespace ward::profiles
