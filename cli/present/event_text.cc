// SPDX-License-Identifier: Apache-2.0
#include "cli/present/event_text.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "lib/base/escape.h"
#include "lib/base/printable.h"
#include "profiles/filter/syscall_arity.h"

namespace ward::cli {
namespace {

std::string hex_number(std::uint64_t value) {
  std::array<char, 24> text{};
  std::snprintf(text.data(), text.size(), "0x%llx", static_cast<unsigned long long>(value));
  return text.data();
}

std::string who(const ward::v1::Event& event) {
  std::string out = event.containerd_namespace() + "/" + event.container();
  if (!event.exec_id().empty()) out += " exec " + event.exec_id();
  return escape(out);
}

// "web@b0feb02dcc7d", and behind a plus sign what the node let run besides.
std::string profile_of(const ward::v1::Event& event) {
  std::string out = escape(event.profile()) + "@" + short_digest(event.profile_digest());
  if (!event.overlay().empty()) out += "+" + short_digest(event.overlay());
  return out;
}

void detail(std::string& out, const char* name, const std::string& value) {
  if (value.empty()) return;
  out += "    ";
  out += name;
  out.append(std::string(name).size() < 10 ? 10 - std::string(name).size() : 1, ' ');
  for (const char c : value) {
    out += c;
    if (c == '\n') out += "              ";
  }
  out += "\n";
}

}  // namespace

std::string call_text(const ward::v1::Event& event) {
  std::string out = escape(event.syscall()) + "(";
  if (event.args_text_size() > 0) {
    for (int i = 0; i < event.args_text_size(); ++i)
      out += (i == 0 ? "" : ", ") + escape(event.args_text(i));
  } else {
    int last = std::min(event.args_size(),
                        filter::syscall_arity(event.syscall()).value_or(event.args_size()));
    while (last > 0 && event.args(last - 1) == 0) --last;
    for (int i = 0; i < last; ++i) out += (i == 0 ? "" : ", ") + hex_number(event.args(i));
  }
  return out + ")";
}

std::string event_text(const ward::v1::Event& event, const Style& style) {
  std::string out =
      style.dim(local_time(event.wall_ns())) + "  #" + std::to_string(event.sequence()) + "  ";
  if (event.syscall().empty()) {
    out += style.bold(escape(event.kind())) + "  " + (event.container().empty() ? "" : who(event));
    out += "\n";
    detail(out, "profile", event.profile().empty() ? "" : profile_of(event));
    if (event.repeats() > 0)
      detail(out, "repeats", std::to_string(event.repeats()) + " more of the same");
    detail(out, "reason", printable(event.reason()));
    return out;
  }
  const bool strict = event.action() == "kill" || event.action() == "quarantine";
  out += strict ? style.bad(printable(event.outcome())) : style.warn(printable(event.outcome()));
  out += "  " + style.bold(call_text(event)) + "  in " + who(event) + "\n";
  std::string process = escape(event.comm()) + " pid " + std::to_string(event.pid());
  if (event.tid() != event.pid()) process += " tid " + std::to_string(event.tid());
  if (!event.exe().empty()) process += ", " + escape(event.exe());
  // A record of mere repeats was not looked at one by one: it has neither a process nor a time of
  // its own.
  const bool looked_at = event.pid() != 0;
  if (looked_at) detail(out, "process", process);
  detail(out, "profile",
         profile_of(event) + ", mode " + escape(event.mode()) + ", action " +
             escape(event.action()) + ", " + escape(event.origin()) + " in phase " +
             escape(event.phase()));
  std::string timing = "answered after " + microseconds(event.answered_us());
  if (event.contained_us() > 0) {
    timing += event.action() == "quarantine" ? ", frozen after " : ", frozen or dead after ";
    timing += microseconds(event.contained_us());
  }
  if (looked_at) detail(out, "timing", timing);
  if (event.repeats() > 0)
    detail(out, "repeats", std::to_string(event.repeats()) + " more of the same");
  if (event.dropped_before() > 0)
    detail(out, "dropped",
           std::to_string(event.dropped_before()) + " violations before this one have no record");
  if (!event.newer_program().empty())
    detail(out, "newer", escape(event.newer_program()) + " was changed after the container began");
  detail(out, "evidence", escape(event.evidence()));
  detail(out, "reason", printable(event.reason()));
  return out;
}

}  // namespace ward::cli
