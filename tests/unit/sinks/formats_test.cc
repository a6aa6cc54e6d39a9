// SPDX-License-Identifier: Apache-2.0
#include "enforcer/sinks/formats.h"
#include "lib/json/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace ward::enforcer::sinks {
namespace {

using nlohmann::json;
using testing::Contains;
using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::Not;

constexpr const char* kHostile = "a\"]\\|=\n\x1b[31m\xe2\x80\xae%s";

JournalRecord record(const std::string& comm = "memcached") {
  JournalRecord out{7, {EventKind::kViolation, {}}};
  node::v1::Violation& body = out.entry.body;
  body.set_event_id("a1b2-17");
  body.set_wall_ns(1'763'922'581'123'456'789);
  auto& identity = *body.mutable_identity();
  identity.set_containerd_namespace("k8s.io");
  identity.set_container_id("c1");
  identity.set_kubernetes_namespace("shop");
  identity.set_pod("cart-1");
  identity.set_container_name("app");
  identity.set_image("reg:5000/shop/cart:7@sha256:" + std::string(64, 'a'));
  body.set_origin(node::v1::ORIGIN_WORKLOAD);
  body.set_phase(node::v1::PHASE_SERVING);
  body.set_profile_name("cart");
  body.set_profile_digest(std::string(64, '5'));
  body.set_mode(node::v1::MODE_ENFORCE);
  body.set_action(node::v1::ACTION_QUARANTINE);
  body.set_syscall("unshare");
  body.add_args(0x10000000);
  body.add_args_text("CLONE_NEWUSER");
  body.set_pid(4711);
  body.set_comm(comm);
  body.set_exe("/usr/bin/" + comm);
  body.set_outcome("quarantined; frozen");
  body.set_reason("unshare is not in profile cart");
  body.set_evidence("/var/lib/ward/evidence/a1b2-17");
  return out;
}

Event event(const std::string& comm = "memcached") {
  return make_event(record(comm), {"node7", "shop", "cart"});
}

bool is_line(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < 0x7f; });
}

TEST(SinkEvent, HasWhatARecordSaysAndWhatIsBesideIt) {
  const json said = parse_json_or_throw<json>(event_json(event()));
  EXPECT_EQ(said["schema"], "ward.dev/event/v1");
  EXPECT_EQ(said["id"], "a1b2-17");
  EXPECT_EQ(said["time"], "2025-11-23T18:29:41.123456789Z");
  EXPECT_EQ(said["severity"], "critical");
  EXPECT_EQ(said["policy"], "shop");
  EXPECT_EQ(said["workload"], "cart");
  EXPECT_EQ(said["image_digest"], "sha256:" + std::string(64, 'a'));
  EXPECT_EQ(said["evidence"], "a1b2-17");
  EXPECT_EQ(said["args"], json::array({"CLONE_NEWUSER"}));
  EXPECT_THAT(
      said["references"],
      Contains(json({{"framework", "attack"}, {"id", "T1611"}, {"name", "Escape to Host"}})));
}

TEST(SinkEvent, ASeverityForEveryKindAndAViolationsBeingByWhatWasDone) {
  for (const EventKind kind : event_kinds())
    EXPECT_FALSE(severity_name(severity_of({kind, {}})).empty());
  const auto of = [](node::v1::Action action, const char* outcome) {
    JournalEntry entry{EventKind::kViolation, {}};
    entry.body.set_action(action);
    entry.body.set_outcome(outcome);
    return severity_of(entry);
  };
  EXPECT_EQ(of(node::v1::ACTION_KILL, "killed"), Severity::kCritical);
  EXPECT_EQ(of(node::v1::ACTION_KILL, "kill failed: no such process"), Severity::kCritical);
  EXPECT_EQ(of(node::v1::ACTION_DENY, "denied"), Severity::kHigh);
  EXPECT_EQ(of(node::v1::ACTION_QUARANTINE, "continued"), Severity::kMedium) << "mode supervise";
  EXPECT_EQ(of(node::v1::ACTION_LOG, "continued"), Severity::kMedium);
}

TEST(SinkEvent, IsBoundedAndCutWhereACharacterBegins) {
  JournalRecord long_one = record();
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "\xc3\xa9";
  long_one.entry.body.set_reason(text);
  for (int i = 0; i < 50; ++i) long_one.entry.body.add_args_text(text);
  const Event made = make_event(long_one, {});
  EXPECT_LE(made.reason.size(), kMaxText);
  EXPECT_LE(made.args.size(), 6U);
  EXPECT_THAT(event_json(made), Not(HasSubstr("ufffd"))) << "no half of a character";
  EXPECT_EQ(digest_in("a@sha256:abc"), "") << "half of a digest is none";
}

TEST(SinkEvent, TechniquesAreThoseOfTheArgumentsAndOfExecSessions) {
  const auto ids = [](const char* origin, const char* call, std::vector<std::uint64_t> args) {
    std::vector<std::string> out;
    for (const Reference& reference : references_of("violation", origin, call, args))
      out.push_back(std::string(reference.framework) + " " + std::string(reference.id));
    return out;
  };
  EXPECT_THAT(ids("workload", "socket", {17, 3}), Contains("attack T1040"));
  EXPECT_THAT(ids("workload", "socket", {2, 1}), Contains("attack T1071"));
  EXPECT_THAT(ids("workload", "socket", {2, 1}), Not(Contains("attack T1040")));
  EXPECT_THAT(ids("exec", "read", {}),
              IsSupersetOf({"attack T1609", "cis-docker 5.23", "pci-dss 10.2.2"}));
  EXPECT_FALSE(frameworks().empty());
  for (const ReferenceRow& row : reference_rows())
    EXPECT_TRUE(
        std::any_of(frameworks().begin(), frameworks().end(),
                    [&row](const Framework& each) { return each.id == row.reference.framework; }))
        << row.reference.framework;
}

TEST(SinkFormats, I7_HostileTextIsDataInEachOfThem) {
  const Event hostile = event(kHostile);
  for (const std::string& text : {event_json(hostile), falco_json(hostile), ocsf_json(hostile),
                                  alertmanager_json({{hostile}}), otlp_json({{hostile}})}) {
    EXPECT_TRUE(is_line(text)) << text;
    EXPECT_TRUE(json::accept(text)) << text;
  }
  EXPECT_EQ(parse_json_or_throw<json>(event_json(hostile))["comm"], kHostile) << "data, as it was";
  EXPECT_TRUE(is_line(parse_json_or_throw<json>(falco_json(hostile))["output"].get<std::string>()));
  for (const bool cef : {false, true}) EXPECT_TRUE(is_line(syslog_message(hostile, cef)));
  for (const std::string& field : journald_fields(hostile)) EXPECT_TRUE(is_line(field)) << field;
}

TEST(SinkFormats, FalcoHasWhatFalcosidekickAsksFor) {
  Event bare = event();
  bare.kubernetes_namespace = bare.pod = "";
  for (const Event& each : {event(), bare}) {
    const json said = parse_json_or_throw<json>(falco_json(each));
    EXPECT_EQ(said["priority"], "Critical");
    EXPECT_EQ(said["rule"], "Ward violation");
    EXPECT_EQ(said["hostname"], "node7");
    EXPECT_TRUE(said["output_fields"]["k8s.ns.name"].is_string());
    EXPECT_TRUE(said["output_fields"]["k8s.pod.name"].is_string());
    EXPECT_EQ(said["output_fields"]["container.image.repository"], "reg:5000/shop/cart");
    EXPECT_EQ(said["output_fields"]["container.image.tag"], "7");
    EXPECT_THAT(said["tags"], IsSupersetOf({"ward", "T1611", "sp800-190:4.4.4"}));
  }
}

TEST(SinkFormats, AlertmanagerGetsNoEmptyLabelAndNeitherPidNorArguments) {
  const json said = parse_json_or_throw<json>(alertmanager_json({{event(), make_event({}, {})}}));
  ASSERT_EQ(said.size(), 2U);
  for (const json& alert : said) {
    for (const auto& [name, value] : alert["labels"].items()) {
      EXPECT_TRUE(value.is_string() && !value.get<std::string>().empty() && name != "pid") << name;
    }
  }
  EXPECT_EQ(said[0]["labels"].dump().find("CLONE"), std::string::npos);
  EXPECT_FALSE(said[0].contains("endsAt")) << "after an outage it would be over before it began";
  EXPECT_FALSE(said[0].contains("startsAt")) << "of a fast clock it is refused";
  EXPECT_EQ(said[0]["annotations"]["time"], "2025-11-23T18:29:41.123456789Z");
}

TEST(SinkFormats, OcsfIsADetectionFindingThatSaysWhatWasDone) {
  const json said = parse_json_or_throw<json>(ocsf_json(event()));
  EXPECT_EQ(said["class_uid"], 2004);
  EXPECT_EQ(said["type_uid"], 200401);
  EXPECT_EQ(said["severity_id"], 5);
  EXPECT_EQ(said["time"], 1'763'922'581'123);
  EXPECT_EQ(said["disposition_id"], 3) << "quarantined";
  EXPECT_EQ(said["finding_info"]["attacks"][0]["technique"]["uid"], "T1611");
  EXPECT_EQ(said["evidences"][0]["container"]["uid"], "c1");
  EXPECT_FALSE(said["evidences"][0]["container"].contains("pod_uuid")) << "it is a name";
  EXPECT_EQ(said["unmapped"]["pod"], "cart-1");
  EXPECT_EQ(said["evidences"][0]["process"]["file"],
            json({{"name", "memcached"}, {"type_id", 1}, {"path", "/usr/bin/memcached"}}));
  const auto disposition = [](const char* outcome) {
    Event made = event();
    made.outcome = outcome;
    return parse_json_or_throw<json>(ocsf_json(made))["disposition"];
  };
  for (const char* outcome : {"denied", "killed: it did not freeze", "process killed", "refused"})
    EXPECT_EQ(disposition(outcome), "Blocked") << outcome;
  for (const char* outcome : {"quarantined: No such file or directory", "kill failed: why"})
    EXPECT_EQ(disposition(outcome), "Uncorrected") << outcome;
  EXPECT_EQ(disposition("quarantined; no evidence: why"), "Quarantined");
  EXPECT_EQ(disposition("continued"), "Logged");
}

TEST(SinkFormats, OtlpHasNumbersOf64BitsAsText) {
  const json said = parse_json_or_throw<json>(otlp_json({{event(), event()}}));
  const json& records = said["resourceLogs"][0]["scopeLogs"][0]["logRecords"];
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0]["timeUnixNano"], "1763922581123456789");
  EXPECT_EQ(records[0]["severityNumber"], 21);
}

TEST(SinkFormats, SyslogIsRfc5424AndCefEscapesItsOwnCharacters) {
  const std::string line = syslog_message(event("a\"]\\"), false);
  EXPECT_THAT(line, testing::StartsWith("<82>1 2025-11-23T18:29:41.123456Z node7 wardd - violation "
                                        "[ward@32473 schema=\"ward.dev/event/v1\" id=\"a1b2-17\""));
  // escape() doubles the backslash, the format guards each of the two.
  EXPECT_THAT(line, HasSubstr("comm=\"a\\\"\\]\\\\\\\\\""));
  const std::string cef = cef_text(event("a=b|c"));
  EXPECT_THAT(cef, testing::StartsWith("CEF:0|Ward|ward|"));
  EXPECT_THAT(cef, HasSubstr("|violation|Ward violation unshare|10|rt=1763922581123 dvchost=node7 "
                             "externalId=a1b2-17 cn1Label=sequence cn1=7 act=quarantine "
                             "flexString1Label=evidence flexString1=a1b2-17 "
                             "outcome=quarantined; frozen spid=4711 sproc=a\\=b|c "));
  Event long_one = event();
  long_one.exe = long_one.outcome = long_one.reason = std::string(kMaxText, '\n');
  for (const bool in_cef : {false, true}) {
    const std::string message = syslog_message(long_one, in_cef);
    EXPECT_LT(message.size(), 8192U) << "what receivers take";
    EXPECT_LT(message.find("evidence"), message.find("\\x0a"));
  }
  Event odd = event();
  odd.node = "a b\n";
  odd.call = "x|y";
  EXPECT_THAT(syslog_message(odd, true), HasSubstr(" a?b? wardd - violation - CEF:0|"));
  EXPECT_THAT(cef_text(odd), HasSubstr("|Ward violation x\\|y|"));
}

TEST(SinkFormats, AFilterChoosesBySeverityKindAndNamespace) {
  const auto wanted = [](Severity severity, std::vector<std::string> kinds,
                         std::vector<std::string> namespaces) {
    return is_wanted(event(), {severity, std::move(kinds), std::move(namespaces)});
  };
  EXPECT_TRUE(wanted(Severity::kInfo, {}, {}));
  EXPECT_TRUE(wanted(Severity::kCritical, {"killed", "violation"}, {"shop"}));
  EXPECT_FALSE(wanted(Severity::kInfo, {"killed"}, {}));
  EXPECT_FALSE(wanted(Severity::kInfo, {}, {"k8s.io"})) << "the pod's, where there is one";
  Event mild = event();
  mild.severity = Severity::kLow;
  EXPECT_FALSE(is_wanted(mild, {Severity::kMedium, {}, {}}));
}

}  // namespace
}  // namespace ward::enforcer::sinks
