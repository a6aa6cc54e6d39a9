// SPDX-License-Identifier: Apache-2.0
#include "cli/present/recording_text.h"

#include <array>
#include <cstdio>

#include "cli/present/discovery_text.h"
#include "cli/present/runtime_text.h"
#include "cli/present/table.h"
#include "lib/base/escape.h"
#include "lib/base/printable.h"

namespace ward::cli {
namespace {

std::string percent(double share) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.2f %%", share * 100);
  return text.data();
}

std::string arguments(const ward::v1::SeenSyscall& call) {
  std::string out;
  for (const auto& together : call.together()) out += (out.empty() ? "" : " ") + together;
  if (!out.empty()) return out + (call.together_overflowed() ? " (and more)" : "");
  for (const auto& argument : call.arguments()) {
    out += (out.empty() ? "" : "; ") + std::string("arg") + std::to_string(argument.index()) + " ";
    for (int i = 0; i < argument.values_size(); ++i) {
      out += i == 0 ? "" : "|";
      out += i < argument.values_text_size() ? argument.values_text(i)
                                             : std::to_string(argument.values(i));
    }
    if (argument.overflowed()) out += " (and more)";
  }
  return out;
}

// Not escaped: a table does that, once.
std::string list(const google::protobuf::RepeatedPtrField<std::string>& items) {
  std::string out;
  for (const auto& item : items) out += (out.empty() ? "" : ", ") + item;
  return out.empty() ? "none" : out;
}

std::string origin(const ward::v1::SeenSyscall& call) {
  std::string by = call.by_workload() ? "workload" : "";
  if (call.by_exec()) by += by.empty() ? "exec" : "+exec";
  return by;
}

// What each call was called with, and whether it is of the danger set.
Table::Cell name_of(const ward::v1::SeenSyscall& call, const Style& style) {
  const Table::Paint paint = [&style](const std::string& text) { return style.bad(text); };
  return {call.name(), call.dangerous() ? paint : Table::Paint()};
}
std::string remarks(const ward::v1::SeenSyscall& call) {
  std::string what = arguments(call);
  if (call.dangerous()) what += what.empty() ? "danger set" : "; danger set";
  return what;
}

// Outside of Kubernetes an image has no name here; which runs are of one can be seen all the same.
std::string image_of(const ward::v1::Run& run) {
  constexpr std::size_t kDigits = 12;
  if (!run.image().empty() || run.layers().empty()) return run.image();
  return "layers " + run.layers().substr(0, kDigits);
}

std::string refused(const ward::v1::Recording& r, const Style& style) {
  if (r.refused_size() == 0) return "";
  Table calls({"SYSCALL", "RUNS", "COUNT", "BY", "ARGUMENTS"});
  for (const auto& call : r.refused())
    calls.add({name_of(call, style), std::to_string(call.runs()), std::to_string(call.count()),
               origin(call), remarks(call)});
  return style.bold("Tried, and refused by the container's own filter") + "\n" + calls.text(style) +
         "\n";
}

std::string signals(const ward::v1::Recording& r, const Style& style) {
  if (r.signals_size() == 0) return "";
  Table table({"SIGNAL", "TO", "FROM", "DELIVERED", "IGNORED", "RUNS"});
  for (const auto& signal : r.signals()) {
    table.add({signal.name(), signal.to() + (signal.to() == "exec" ? " session" : " process"),
               signal.from(), std::to_string(signal.delivered()), std::to_string(signal.ignored()),
               std::to_string(signal.runs())});
  }
  return style.bold("Signals") + "\n" + table.text(style) + "\n";
}

std::string coverage(const ward::v1::Coverage& c, const Style& style) {
  std::string out = style.bold("How much is probably unseen") + "\n";
  out +=
      "  verdict      " +
      (c.reliable() ? style.good(escape(c.verdict(), 500)) : style.warn(escape(c.verdict(), 500))) +
      "\n";
  if (c.estimated()) {
    std::array<char, 160> estimate{};
    std::snprintf(estimate.data(), estimate.size(),
                  "about %.1f calls in all, %.1f of them unseen (Chao2, %u windows)",
                  c.estimated_total(), c.estimated_unseen(), c.windows());
    out += "  unseen mass  at most " + percent(c.new_in_a_second_at_most()) + " of seconds, " +
           percent(c.new_in_a_run_at_most()) + " of runs (95 % confidence)\n";
    out += std::string("  estimate     ") + estimate.data() + "\n";
  }
  std::string seen;
  for (const auto& event : c.life_events())
    seen += (seen.empty() ? "" : ", ") + event.event() + " (" + std::to_string(event.times()) + ")";
  out += "  life seen    " + escape(seen.empty() ? "none" : seen) + "\n";
  out += "  never seen   " + escape(list(c.life_events_missing())) + "\n";
  for (const auto& what : c.not_exercised()) out += "  not tried    " + printable(what) + "\n";
  const std::string curve = discovery_text(c);
  if (!curve.empty()) out += "\n" + style.bold("Calls known, by recorded time") + "\n" + curve;
  return out;
}

}  // namespace

std::string recording_text(const ward::v1::Recording& r, const Style& style) {
  std::string out = style.bold(escape(r.workload())) + ": " + std::to_string(r.runs_size()) +
                    " runs, " + std::to_string(r.syscalls_size()) + " syscalls, " +
                    std::to_string(r.capabilities_size()) + " capabilities, recorder " +
                    escape(r.recorder()) + ", lost events " + std::to_string(r.lost_events()) +
                    "\n\n";
  Table calls({"SYSCALL", "RUNS", "COUNT", "FIRST", "LAST", "BY", "ARGUMENTS"});
  for (const auto& call : r.syscalls()) {
    calls.add({name_of(call, style), std::to_string(call.runs()), std::to_string(call.count()),
               std::to_string(call.first_seen_ms()) + " ms",
               std::to_string(call.last_seen_ms()) + " ms", origin(call), remarks(call)});
  }
  out += calls.text(style) + "\n" + refused(r, style);
  out += style.bold("Capabilities used") + "  ";
  for (int i = 0; i < r.capabilities_size(); ++i)
    out += (i == 0 ? "" : ", ") + escape(r.capabilities(i).name());
  out += r.capabilities_size() == 0 ? "none\n" : "\n";
  out += style.bold("Runtime's own calls, kept apart") + "  " +
         std::to_string(r.runtime_layer_size()) + "\n";
  if (const std::string runtime = runtime_text(r.runtime(), style); !runtime.empty())
    out += style.bold("Runtime of the node, measured") + "  " + runtime + "\n";
  out += "\n";
  Table runs({"RUN", "NAMESPACE", "POD", "CONTAINER", "IMAGE", "STARTED", "ENDED", "EXIT", "STOP",
              "SYSCALLS", "LOST", "PROGRAMS"});
  for (const auto& run : r.runs()) {
    const std::string exit =
        run.ended_wall_ns() == 0 ? "running" : std::to_string(run.exit_status());
    const std::string& where = run.kubernetes_namespace().empty() ? run.containerd_namespace()
                                                                  : run.kubernetes_namespace();
    runs.add({run.id(), where, run.pod(),
              run.container_name().empty() ? run.container() : run.container_name(), image_of(run),
              local_time(run.started_wall_ns()), local_time(run.ended_wall_ns()), exit,
              run.stop().empty() && run.ended_wall_ns() != 0 ? "not known" : run.stop(),
              std::to_string(run.syscalls()), std::to_string(run.lost_events()),
              list(run.programs())});
  }
  out += runs.text(style) + "\n" + signals(r, style) + coverage(r.coverage(), style);
  for (const auto& warning : r.warnings())
    out += style.warn("warning: ") + printable(warning) + "\n";
  return out;
}

}  // namespace ward::cli
