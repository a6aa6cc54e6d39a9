// SPDX-License-Identifier: Apache-2.0
// Any bytes as the texts of an event and as its evidence: the page, the text and the JSON stay
// ASCII of lines, the page has no tag but its own, and none of them is longer than it may be.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "cli/incident/incident_json.h"
#include "cli/incident/incident_text.h"
#include "cli/incident/page.h"
#include "cli/present/json_text.h"
#include "lib/base/utf8.h"
#include "tests/support/sample_incidents.h"

namespace {

void expect(bool holds) {
  if (!holds) std::abort();
}

bool is_ascii(const std::string& text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c == '\n' || (c >= ' ' && c < 0x7f); });
}

// Markup is ours alone: each tag begins with one of these.
bool has_only_our_tags(const std::string& page) {
  static const char* const kOurs[] = {
      "!DOCTYPE", "html", "head",  "meta", "title",   "style",   "body",  "main",
      "header",   "h1",   "h2",    "h3",   "p",       "nav",     "a",     "b",
      "section",  "svg",  "text",  "rect", "table",   "caption", "thead", "tr",
      "th",       "td",   "tbody", "div",  "ul",      "li",      "span",  "code",
      "dl",       "dt",   "dd",    "pre",  "details", "summary"};
  for (std::size_t at = page.find('<'); at != std::string::npos; at = page.find('<', at + 1)) {
    const std::size_t begin = page[at + 1] == '/' ? at + 2 : at + 1;
    const std::string name = page.substr(begin, page.find_first_of(" >", begin) - begin);
    if (std::find(std::begin(kOurs), std::end(kOurs), name) == std::end(kOurs)) return false;
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ward::cli;
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  static const Incident kEveryday = ward::test::everyday_incident();
  Incident incident = kEveryday;
  const std::string text = ward::to_utf8(bytes);
  auto& event = incident.event;
  event.set_comm(text);
  event.set_exe(text);
  event.set_pod(text);
  event.set_container(text);
  event.set_reason(text);
  event.set_outcome("quarantined; " + text);
  event.set_args_text(0, text);
  event.set_profile(text);
  event.set_syscall(text.substr(0, 40));
  event.set_evidence(text);
  incident.node = bytes;
  incident.bundle.notes.push_back(bytes);
  incident.bundle.mounts = incident.bundle.sockets = incident.bundle.json = bytes;
  incident.related.front().containers.push_back(bytes);
  if (auto evidence = parse_evidence(bytes)) incident.bundle.evidence = std::move(*evidence);
  const std::string page = incident_page(incident);
  expect(is_ascii(page) && has_only_our_tags(page));
  expect(page.find("<section id=\"raw\">") <= kMaxPageBytes);
  expect(is_ascii(incident_text(incident, Style{-1})));
  const std::string json = json_text(to_json(incident), JsonForm::kLine);
  expect(is_ascii(json) && json.find('\n') == json.size() - 1);
  expect(has_only_our_tags(overview_page(ward::test::overview_of({incident}))));
  return 0;
}
