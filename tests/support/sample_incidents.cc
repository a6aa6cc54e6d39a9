// SPDX-License-Identifier: Apache-2.0
#include "tests/support/sample_incidents.h"

#include "lib/json/json.h"

#include "cli/incident/incident.h"
#include "lib/base/utf8.h"
#include "profiles/yaml/read_yaml.h"

namespace ward::test {
namespace {

using Json = nlohmann::ordered_json;

ward::v1::Event everyday_event() {
  ward::v1::Event event;
  event.set_id("a7e928162e5b788debe5-1");
  event.set_sequence(7);
  event.set_wall_ns(1'790'000'000'000'000'042);
  event.set_kind("violation");
  event.set_containerd_namespace("k8s.io");
  event.set_container("4f2c0e6d9a1b");
  event.set_kubernetes_namespace("shop");
  event.set_pod("cart-7d9c5b-x2x");
  event.set_container_name("app");
  event.set_origin("workload");
  event.set_phase("serving");
  event.set_mode("enforce");
  event.set_profile("web");
  event.set_profile_digest("c6a58a0a86890123456789abcdef");
  event.set_action("quarantine");
  event.set_outcome("quarantined");
  event.set_arch("x86_64");
  event.set_syscall("unshare");
  event.set_syscall_nr(272);
  event.add_args(0x10020000);
  event.add_args_text("CLONE_NEWUSER|CLONE_NEWNS");
  event.set_pid(4242);
  event.set_tid(4242);
  event.set_comm("sh");
  event.set_exe("/bin/dash");
  event.set_answered_us(618);
  event.set_contained_us(5020);
  event.set_evidence("/var/lib/ward/evidence/a7e928162e5b788debe5-1");
  event.set_reason("unshare is not in profile web");
  return event;
}

Json process(int pid, int parent, const std::string& comm, const std::string& exe) {
  return {{"pid", pid},
          {"parent", parent},
          {"state", "S"},
          {"comm", comm},
          {"exe", exe},
          {"uid", 0},
          {"capabilities_effective", "00000000000004ff"},
          {"arguments", {exe, "-c", "<redacted, 12 bytes>"}}};
}

Json evidence_document() {
  Json out;
  out["violation"] = {{"image", "registry.example/shop/cart:1.4"},
                      {"syscall", "unshare"},
                      {"answered_ns", 618'000},
                      {"contained_ns", 5'020'400}};
  out["cgroup"] = "/kubepods/pod1/4f2c";
  out["values_redacted"] = true;
  out["took_ns"] = 2'400'000;
  out["offender_and_ancestors"] = {process(4242, 4100, "sh", "/bin/dash"),
                                   process(4100, 4000, "httpd", "/usr/sbin/httpd")};
  out["processes"] = {process(4100, 4000, "httpd", "/usr/sbin/httpd"),
                      process(4101, 4100, "httpd", "/usr/sbin/httpd"),
                      process(4242, 4100, "sh", "/bin/dash")};
  out["processes_in_all"] = 3;
  out["offender_environment"] = {"PATH=/usr/bin", "DB_PASSWORD=<redacted>"};
  out["offender_descriptors"] = {{{"fd", "0"}, {"target", "pipe:[12]"}},
                                 {{"fd", "3"}, {"target", "socket:[99]"}}};
  out["call"] = {{"syscall", "unshare"},
                 {"args", {{{"raw", "0x10020000"}, {"text", "CLONE_NEWUSER|CLONE_NEWNS"}}}},
                 {"pc", "0x7f00"},
                 {"sp", "0x7ffd"}};
  out["stack"] = {{{"module", "/lib/libc.so.6"}, {"offset", "0x10a2c7"}, {"symbol", "unshare"}},
                  {{"module", "/bin/dash"}, {"offset", "0x8e21"}}};
  out["changed_files"] = {{{"path", "/tmp/x"},
                           {"change", "added"},
                           {"bytes", 8192},
                           {"sha256", std::string(64, 'a')},
                           {"copied_as", "files/1"}}};
  out["changed_files_in_all"] = 1;
  return out;
}

void judge(cli::Incident& incident) {
  const std::string file = "/etc/ward/profiles/web.yaml";
  cli::Judgement out;
  out.profile = profiles::read_profile(kSampleProfile, file).value();
  out.file = file;
  out.ruling = profiles::rule_on(out.profile, profiles::profile_places(kSampleProfile), file,
                                 cli::asked_call(incident.event));
  incident.judgement = std::move(out);
}

void take(cli::Incident& incident, const Json& evidence) {
  incident.bundle.found = incident.bundle.complete = true;
  incident.bundle.json = evidence.dump(2);
  incident.bundle.evidence = cli::parse_evidence(incident.bundle.json).value();
}

}  // namespace

std::string everyday_evidence() { return evidence_document().dump(2); }

const std::vector<std::string>& hostile_texts() {
  static const std::vector<std::string> texts = {
      "<script>window.ran=1;alert(1)</script>",
      "\"><img src=x onerror=\"window.ran=1\">",
      "' onmouseover='window.ran=1' x='",
      "</pre></title></style></svg><script>window.ran=1</script>",
      "<svg onload=window.ran=1><iframe srcdoc='<script>parent.ran=1</script>'>",
      "javascript:window.ran=1",
      "<meta http-equiv=refresh content=\"0;url=http://127.0.0.1:9/\">",
      "<link rel=stylesheet href=//127.0.0.1:9/x><base href=//127.0.0.1:9/>",
      "<style>@import '//127.0.0.1:9/y'</style>",
      "&lt;script&gt;&#60;b&#62;",
      "\x1b[2J\x1b]0;title\x07\n\r\nSet-Cookie: a=b",
      "\xe2\x80\xae\xe2\x80\x8f right to left \xe2\x81\xa6",
      "\xff\xfe\xc3( no UTF-8 \xed\xa0\x80",
      "-->]]><!-- {{7*7}} ${7*7} %s%n \\x41 '; rm -rf / #",
      std::string(3000, 'A')};
  return texts;
}

cli::Incident everyday_incident() {
  cli::Incident out;
  out.event = everyday_event();
  out.node = "node-3";
  out.made_wall_ns = out.event.wall_ns() + 60'000'000'000;
  out.container.emplace();
  out.container->set_id(out.event.container());
  out.container->set_containerd_namespace(out.event.containerd_namespace());
  out.container->set_state("QUARANTINED");
  out.container->set_image("registry.example/shop/cart:1.4");
  take(out, evidence_document());
  out.bundle.mounts =
      "29 1 0:26 / / rw - overlay overlay rw\n30 29 0:27 / /proc rw - proc proc rw\n";
  out.bundle.sockets = "# tcp\n  sl  local_address rem_address   st\n";
  judge(out);
  ward::v1::Event earlier = out.event;
  earlier.set_id("a7e928162e5b788debe5-0");
  earlier.set_wall_ns(out.event.wall_ns() - 3'600'000'000'000);
  earlier.set_repeats(41);
  earlier.set_container("other");
  out.related = cli::group_related({earlier, out.event}, out.event);
  return out;
}

cli::Incident hostile_incident() {
  cli::Incident out = everyday_incident();
  std::string all;
  for (const std::string& text : hostile_texts()) all += text;
  // Wherever an event of the API has text of others it is UTF-8; evidence has it escaped, and a
  // damaged bundle may have it raw.
  const std::string valid = to_utf8(all);
  ward::v1::Event& event = out.event;
  event.set_comm(valid);
  event.set_exe(valid);
  event.set_pod(valid);
  event.set_kubernetes_namespace(valid);
  event.set_container_name(valid);
  event.set_container("c'; touch /tmp/pwned; '");
  event.set_outcome("quarantined; " + valid);
  event.set_reason(valid);
  event.set_exec_id(valid);
  event.set_newer_program(valid);
  event.set_args_text(0, valid);
  event.set_profile(valid);
  event.set_evidence("/var/lib/ward/evidence/$(touch pwned)");
  out.node = all;
  out.container->set_image(valid);
  Json evidence = evidence_document();
  for (const std::string& text : hostile_texts()) {
    const std::string utf8 = to_utf8(text);
    Json bad = process(5000 + static_cast<int>(evidence["processes"].size()), 4100, utf8, utf8);
    bad["arguments"] = {utf8, utf8};
    evidence["processes"].push_back(bad);
    evidence["offender_descriptors"].push_back({{"fd", utf8}, {"target", utf8}});
    evidence["stack"].push_back({{"module", utf8}, {"offset", utf8}, {"symbol", utf8}});
    evidence["call"]["args"].push_back({{"raw", utf8}, {"text", utf8}, {"string", utf8}});
    evidence["changed_files"].push_back({{"path", utf8}, {"change", utf8}, {"sha256", utf8}});
    evidence["timeline"].push_back({{"at_ns", -1}, {"what", utf8}});
  }
  take(out, evidence);
  out.bundle.mounts = out.bundle.sockets = all + "\n" + all;
  out.bundle.notes.push_back(all);
  out.related.front().syscall = out.related.front().profile = valid;
  out.related.front().containers.push_back(valid);
  out.judgement->ruling.verdict = out.judgement->ruling.rule.place = all;
  out.judgement->profile.provenance["workload"] = all;
  return out;
}

cli::Incident largest_incident() {
  cli::Incident out = everyday_incident();
  // Each byte is one that takes the most room when it is escaped.
  const std::string longest(1024, '"');
  Json evidence = evidence_document();
  for (int i = 0; i < 300; ++i) {
    evidence["processes"].push_back(process(10'000 + i, 4100, longest, longest));
    evidence["offender_descriptors"].push_back({{"fd", std::to_string(i)}, {"target", longest}});
    evidence["stack"].push_back({{"module", longest}, {"offset", "0x1"}, {"symbol", longest}});
    evidence["changed_files"].push_back({{"path", longest}, {"change", "added"}, {"bytes", i}});
    evidence["timeline"].push_back({{"at_ns", i * 1000}, {"what", longest}});
  }
  take(out, evidence);
  out.bundle.mounts = out.bundle.sockets = std::string(2U << 20U, '"');
  const std::string long_text(20'000, '"');
  out.event.set_reason(long_text);
  out.event.set_comm(long_text);
  out.event.set_exe(long_text);
  out.event.set_pod(long_text);
  out.event.set_outcome(long_text);
  cli::RelatedGroup group = out.related.front();
  group.syscall = group.profile = longest;
  group.containers.assign(5, longest);
  out.related.assign(600, group);
  out.bundle.notes.assign(3, longest);
  return out;
}

cli::Overview overview_of(std::vector<cli::Incident> incidents) {
  cli::Overview out;
  out.node = incidents.front().node;
  out.made_wall_ns = incidents.front().made_wall_ns;
  out.incidents_in_all = incidents.size() + 12;
  out.status.set_version("0.1.0");
  out.status.set_recorder("ebpf");
  out.status.set_containers(12);
  out.status.set_quarantined(1);
  out.status.set_recording(2);
  for (const cli::Incident& incident : incidents) {
    ward::v1::RecordingSummary recording;
    recording.set_workload(incident.event.kubernetes_namespace());
    recording.set_runs(3);
    recording.set_syscalls(93);
    recording.set_last_wall_ns(incident.event.wall_ns());
    out.recordings.push_back(recording);
    out.status.add_problems(incident.event.reason());
  }
  out.incidents = std::move(incidents);
  return out;
}

}  // namespace ward::test
