// SPDX-License-Identifier: Apache-2.0
#include "cli/incident/page_sections.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

#include "cli/incident/page_parts.h"
#include "cli/present/event_text.h"
#include "cli/present/style.h"
#include "lib/base/escape.h"
#include "lib/base/printable.h"
#include "lib/oci/capabilities.h"

namespace ward::cli {
namespace {

// Some room is left for what stands behind a list in the same section.
constexpr std::size_t kMaxLines = 7000;

std::string shown(std::string_view text, std::size_t max_bytes = 256) {
  return printable(text, max_bytes);
}

// "CAP_CHOWN, CAP_KILL" of what /proc/PID/status has: sixteen hexadecimal digits.
std::string capability_names(const std::string& mask) {
  std::uint64_t bits = 0;
  const auto [end, error] = std::from_chars(mask.data(), mask.data() + mask.size(), bits, 16);
  if (error != std::errc() || end != mask.data() + mask.size() || mask.empty()) return "not known";
  std::string names;
  for (int number = 0; number < 64; ++number) {
    if ((bits >> static_cast<unsigned>(number) & 1U) == 0) continue;
    names += (names.empty() ? "" : ", ") +
             oci::find_capability_name(number).value_or(std::to_string(number));
  }
  return names.empty() ? "none" : names;
}

std::string bytes_text(std::uint64_t bytes) { return std::to_string(bytes) + " bytes"; }

}  // namespace

void write_timeline(html::Writer& out, const Incident& incident) {
  Section section(out, "timeline", "From the notification to the evidence");
  const auto moments = timeline_of(incident);
  draw_timeline(out, moments);
  begin_table(out, "The same in numbers", {"after", "what"});
  std::size_t rows = 0;
  for (const Moment& moment : moments) {
    if (!section.has_room()) break;
    row(out, {microseconds_text(moment.at_ns), shown(moment.what)});
    ++rows;
  }
  end_table(out);
  section.say_left_out(moments.size() - rows);
}

void write_call(html::Writer& out, const Incident& incident) {
  const ward::v1::Event& event = incident.event;
  const Evidence& evidence = incident.bundle.evidence;
  Section section(out, "call", "The call");
  out.open("p").open("code").text(call_text(event)).close().close();
  {
    Facts facts(out);
    facts.add("Number", std::to_string(event.syscall_nr()) + " on " + escape(event.arch()));
    facts.add("Thread", std::to_string(event.tid()) + " of process " + std::to_string(event.pid()));
    facts.add("Program", event.exe(), Text::kTheirs);
    facts.add("Capability", event.capability(), Text::kTheirs);
    facts.add("Changed since the start", event.newer_program(), Text::kTheirs);
    if (event.repeats() > 0)
      facts.add("Repeated", std::to_string(event.repeats()) + " more of the same");
  }
  if (!evidence.arguments.empty()) {
    begin_table(out,
                "Arguments; a text is what its pointer led to, read from memory that the "
                "container may change",
                {"argument", "value", "meaning", "text"});
    for (std::size_t i = 0; i < std::min<std::size_t>(evidence.arguments.size(), 6); ++i) {
      const CallArgument& argument = evidence.arguments[i];
      row(out, {std::to_string(i), shown(argument.raw, 64), shown(argument.text),
                argument.string ? "\"" + shown(*argument.string) + "\"" +
                                      (argument.truncated ? " and more" : "")
                                : ""});
    }
    end_table(out);
  } else if (event.args_size() > 0) {
    std::string raw;
    for (int i = 0; i < std::min(event.args_size(), 6); ++i) {
      std::array<char, 24> text{};
      std::snprintf(text.data(), text.size(), "0x%llx",
                    static_cast<unsigned long long>(event.args(i)));
      raw += (i == 0 ? "" : ", ") + std::string(text.data());
    }
    out.element("p", {{"class", "soft"}}, "As numbers: " + raw);
  }
  out.element("h3", "Stack");
  if (evidence.stack.empty()) {
    out.element("p", {{"class", "soft"}}, "The evidence has none.");
    return;
  }
  begin_table(out, "Return addresses, the innermost first", {"module", "offset", "symbol"});
  std::size_t rows = 0;
  for (const Frame& frame : evidence.stack) {
    if (!section.has_room()) break;
    row(out, {shown(frame.module), shown(frame.offset, 32), shown(frame.symbol)});
    ++rows;
  }
  end_table(out);
  section.say_left_out(evidence.stack.size() - rows);
}

void write_container(html::Writer& out, const Incident& incident) {
  const ward::v1::Event& event = incident.event;
  Section section(out, "container", "Container, image, verdict");
  Facts facts(out);
  facts.add("Pod", event.pod().empty() ? "" : event.kubernetes_namespace() + "/" + event.pod(),
            Text::kTheirs);
  facts.add("Container in the pod", event.container_name(), Text::kTheirs);
  facts.add("Container", event.containerd_namespace() + "/" + event.container(), Text::kTheirs);
  facts.add("Exec session", event.exec_id(), Text::kTheirs);
  if (incident.container && !incident.container->image().empty()) {
    facts.add("Image", incident.container->image(), Text::kTheirs);
  } else {
    facts.add("Image", shown(incident.bundle.evidence.image, 512));
  }
  facts.add("Profile", escape(event.profile()) + ", digest " + escape(event.profile_digest(), 80));
  facts.add("Node's amendments", escape(event.overlay(), 80));
  facts.add("Mode", escape(event.mode()) + "; " + escape(event.origin()) + " in phase " +
                        escape(event.phase()));
  facts.add("Verdict", escape(event.action()) + ": " + shown(event.outcome(), 1000));
  facts.add("Reason", shown(event.reason(), 1000));
  facts.add("Now", incident.container ? escape(incident.container->state())
                                      : "the node has no "
                                        "such container");
  facts.add("Timing", "answered after " + microseconds(event.answered_us()) +
                          (event.contained_us() > 0
                               ? ", contained after " + microseconds(event.contained_us())
                               : ""));
  if (event.dropped_before() > 0)
    facts.add("Not recorded", std::to_string(event.dropped_before()) +
                                  " violations before this one have no record");
  facts.add("Evidence", event.evidence(), Text::kTheirs);
}

void write_surroundings(html::Writer& out, const Incident& incident) {
  const Bundle& bundle = incident.bundle;
  {
    Section section(out, "mounts", "Mounts");
    if (bundle.mounts.empty()) {
      out.element("p", {{"class", "soft"}}, "The evidence has none.");
    } else {
      box(out, "Mounts", bundle.mounts, kMaxLines);
    }
  }
  {
    Section section(out, "sockets", "Sockets");
    if (bundle.sockets.empty()) {
      out.element("p", {{"class", "soft"}}, "The evidence has none.");
    } else {
      box(out, "Sockets", bundle.sockets, kMaxLines);
    }
  }
  Section section(out, "capabilities", "Capabilities and open files");
  if (!bundle.evidence.chain.empty()) {
    const std::string& mask = bundle.evidence.chain.front().capabilities;
    out.element("p", "Effective capabilities of the offender: " + capability_names(mask));
  }
  if (bundle.evidence.descriptors.empty()) return;
  begin_table(out, "Open files of the offender", {"descriptor", "what"});
  std::size_t rows = 0;
  for (const auto& [fd, target] : bundle.evidence.descriptors) {
    if (!section.has_room()) break;
    row(out, {shown(fd, 16), shown(target)});
    ++rows;
  }
  end_table(out);
  section.say_left_out(bundle.evidence.descriptors.size() - rows);
}

void write_mapped(html::Writer& out, const Incident& incident) {
  const Evidence& evidence = incident.bundle.evidence;
  {
    Section section(out, "maps", "Mapped files");
    if (evidence.maps.empty()) {
      out.element("p", {{"class", "soft"}}, "The evidence has none.");
    } else {
      begin_table(out, "What the offender had mapped, and the package of the image that has it",
                  {"file", "package", "sha256"});
      std::size_t rows = 0;
      for (const MappedFile& file : evidence.maps) {
        if (!section.has_room()) break;
        row(out, {shown(file.path), shown(file.package, 300), shown(file.sha256, 64)});
        ++rows;
      }
      end_table(out);
      section.say_left_out(evidence.maps.size() - rows);
    }
  }
  Section section(out, "counters", "Counters of its cgroups");
  if (evidence.counters.empty()) {
    out.element("p", {{"class", "soft"}}, "The evidence has none.");
    return;
  }
  begin_table(out, "As the kernel had them then", {"file", "content"});
  std::size_t rows = 0;
  for (const auto& [name, value] : evidence.counters) {
    if (!section.has_room()) break;
    row(out, {shown(name), shown(value, 600)});
    ++rows;
  }
  end_table(out);
  section.say_left_out(evidence.counters.size() - rows);
}

void write_changed_files(html::Writer& out, const Incident& incident) {
  const Evidence& evidence = incident.bundle.evidence;
  Section section(out, "files", "Changed files");
  if (evidence.changed_files.empty()) {
    out.element("p", {{"class", "soft"}}, "The evidence names none.");
    return;
  }
  begin_table(out, "What differs from the image", {"file", "change", "size", "sha256", "copy"});
  std::size_t rows = 0;
  for (const ChangedFile& file : evidence.changed_files) {
    if (!section.has_room()) break;
    row(out, {shown(file.path), shown(file.change, 32), bytes_text(file.bytes),
              shown(file.sha256, 64), shown(file.copied_as)});
    ++rows;
  }
  end_table(out);
  const std::uint64_t all =
      std::max<std::uint64_t>(evidence.changed_files_in_all, evidence.changed_files.size());
  section.say_left_out(static_cast<std::size_t>(all - rows));
}

}  // namespace ward::cli
