// SPDX-License-Identifier: Apache-2.0
#include "enforcer/recordings/run_json.h"

#include <optional>

#include "lib/json/json.h"

namespace ward::enforcer {
namespace {

using nlohmann::json;
using profiles::Incidence;
using profiles::ObservedSyscall;
using profiles::Origin;
using profiles::Run;
using profiles::Source;

json to_json(const std::vector<ObservedSyscall>& syscalls) {
  json out = json::array();
  for (const ObservedSyscall& call : syscalls) {
    json arguments = json::array();
    for (const auto& [index, seen] : call.arguments) {
      arguments.push_back(
          {{"index", index}, {"values", seen.values}, {"overflowed", seen.overflowed}});
    }
    json one = {{"nr", call.nr},
                {"exec", call.origin == Origin::kExec},
                {"count", call.count},
                {"first_ns", call.first_seen_ns},
                {"last_ns", call.last_seen_ns},
                {"arguments", std::move(arguments)}};
    if (call.together)
      one["together"] = {{"values", call.together->values},
                         {"overflowed", call.together->overflowed}};
    out.push_back(std::move(one));
  }
  return out;
}

std::vector<ObservedSyscall> syscalls_from(const json& in) {
  std::vector<ObservedSyscall> out;
  for (const json& call : in) {
    ObservedSyscall seen;
    seen.nr = call.at("nr").get<int>();
    seen.origin = call.at("exec").get<bool>() ? Origin::kExec : Origin::kWorkload;
    seen.count = call.at("count").get<std::uint64_t>();
    seen.first_seen_ns = call.at("first_ns").get<std::int64_t>();
    seen.last_seen_ns = call.at("last_ns").get<std::int64_t>();
    for (const json& argument : call.at("arguments")) {
      profiles::ArgumentValues values;
      values.values = argument.at("values").get<std::set<std::uint64_t>>();
      values.overflowed = argument.at("overflowed").get<bool>();
      seen.arguments.emplace(argument.at("index").get<std::uint32_t>(), std::move(values));
    }
    if (const auto together = call.find("together");
        together != call.end()) {  // older records have none
      seen.together = {together->at("values").get<std::set<profiles::ArgumentTuple>>(),
                       together->at("overflowed").get<bool>()};
    }
    out.push_back(std::move(seen));
  }
  return out;
}

json to_json(const Incidence& incidence) {
  json seen = json::array();
  for (const auto& [nr, windows] : incidence.seen_in) seen.push_back({nr, windows});
  return {{"window_ns", incidence.window_ns},
          {"windows", incidence.windows},
          {"seen_in", std::move(seen)}};
}

Incidence incidence_from(const json& in) {
  Incidence out;
  out.window_ns = in.at("window_ns").get<std::int64_t>();
  out.windows = in.at("windows").get<std::uint32_t>();
  for (const json& pair : in.at("seen_in"))
    out.seen_in.emplace(pair.at(0).get<int>(), pair.at(1).get<std::uint32_t>());
  return out;
}

json to_json(const profiles::ArgumentValues& values) {
  return {{"values", values.values}, {"overflowed", values.overflowed}};
}

profiles::ArgumentValues values_from(const json& in) {
  return {in.at("values").get<std::set<std::uint64_t>>(), in.at("overflowed").get<bool>()};
}

json to_json(const profiles::Life& life) {
  json signals = json::array();
  for (const profiles::SeenSignal& signal : life.signals) {
    signals.push_back({{"number", signal.number},
                       {"to", static_cast<int>(signal.to)},
                       {"from", static_cast<int>(signal.from)},
                       {"delivered", signal.delivered},
                       {"ignored", signal.ignored},
                       {"last_ns", signal.last_ns}});
  }
  json out = {{"signals", std::move(signals)},
              {"overflowed", life.overflowed},
              {"exec_sessions", life.exec_sessions},
              {"handled", life.handled}};
  if (life.end) out["end"] = {{"wait_status", life.end->wait_status}, {"at_ns", life.end->at_ns}};
  return out;
}

// The numbers of the enumerations are those in observation.h.
template <typename Enumeration>
bool read_enumerator(const json& in, Enumeration last, Enumeration& out) {
  const int value = in.get<int>();
  out = static_cast<Enumeration>(value);
  return value >= 0 && value <= static_cast<int>(last);
}

// Absent where a number stands for nothing.
std::optional<profiles::Life> life_from(const json& in) {
  profiles::Life life;
  for (const json& one : in.at("signals")) {
    profiles::SeenSignal signal;
    signal.number = one.at("number").get<int>();
    signal.delivered = one.at("delivered").get<std::uint64_t>();
    signal.ignored = one.at("ignored").get<std::uint64_t>();
    signal.last_ns = one.at("last_ns").get<std::int64_t>();
    if (!read_enumerator(one.at("to"), profiles::Receiver::kExec, signal.to) ||
        !read_enumerator(one.at("from"), profiles::Sender::kKernel, signal.from)) {
      return std::nullopt;
    }
    life.signals.push_back(signal);
  }
  life.overflowed = in.at("overflowed").get<bool>();
  life.exec_sessions = in.at("exec_sessions").get<std::uint32_t>();
  life.handled = in.at("handled").get<std::set<int>>();
  if (const auto end = in.find("end"); end != in.end()) {
    life.end = {end->at("wait_status").get<int>(), end->at("at_ns").get<std::int64_t>()};
  }
  return life;
}

json to_json(const Source& source) {
  return {{"containerd_namespace", source.containerd_namespace},
          {"kubernetes_namespace", source.kubernetes_namespace},
          {"pod", source.pod},
          {"container_name", source.container_name},
          {"image", source.image},
          {"layers", source.layers}};
}

Source source_from(const json& in) {
  return {in.at("containerd_namespace").get<std::string>(),
          in.at("kubernetes_namespace").get<std::string>(),
          in.at("pod").get<std::string>(),
          in.at("container_name").get<std::string>(),
          in.at("image").get<std::string>(),
          in.at("layers").get<std::string>()};
}

}  // namespace

std::string write_run_json(const Run& run) {
  json capabilities = json::array();
  for (const auto& capability : run.capabilities) {
    capabilities.push_back({{"name", capability.name},
                            {"exec", capability.origin == Origin::kExec},
                            {"count", capability.count}});
  }
  json out = {{"id", run.id},
              {"container", run.container},
              {"started_wall_ns", run.started_wall_ns},
              {"ended_wall_ns", run.ended_wall_ns},
              {"exit_status", run.exit_status},
              {"graceful", run.graceful},
              {"runtime_sha256", run.runtime_sha256},
              {"no_new_privileges", run.no_new_privileges},
              {"syscalls", to_json(run.syscalls)},
              {"runtime", to_json(run.runtime)},
              {"capabilities", std::move(capabilities)},
              {"programs", run.programs},
              {"fine", to_json(run.fine)},
              {"coarse", to_json(run.coarse)},
              {"lost_events", run.lost_events},
              {"foreign_calls", run.foreign_calls},
              {"refused", to_json(run.refused)},
              {"foreign_programs", run.foreign_programs},
              {"unknown_calls", to_json(run.unknown_calls)},
              {"source", to_json(run.source)}};
  if (run.life) out["life"] = to_json(*run.life);
  if (!run.start_seen) out["start_seen"] = false;
  if (!run.record_id.empty()) out["record_id"] = run.record_id;
  // Strings are the recorder's, UTF-8; a byte that is no UTF-8 is replaced rather than losing the
  // run.
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<Run> read_run_json(std::string_view text) {
  try {
    const json in = parse_json_or_throw<json>(text);
    Run run;
    run.id = in.at("id").get<std::string>();
    run.container = in.at("container").get<std::string>();
    run.started_wall_ns = in.at("started_wall_ns").get<std::int64_t>();
    run.ended_wall_ns = in.at("ended_wall_ns").get<std::int64_t>();
    run.exit_status = in.at("exit_status").get<std::uint32_t>();
    run.graceful = in.at("graceful").get<bool>();
    run.runtime_sha256 = in.at("runtime_sha256").get<std::string>();
    run.no_new_privileges = in.at("no_new_privileges").get<bool>();
    run.syscalls = syscalls_from(in.at("syscalls"));
    run.runtime = syscalls_from(in.at("runtime"));
    for (const json& capability : in.at("capabilities")) {
      run.capabilities.push_back(
          {capability.at("name").get<std::string>(),
           capability.at("exec").get<bool>() ? Origin::kExec : Origin::kWorkload,
           capability.at("count").get<std::uint64_t>()});
    }
    run.programs = in.at("programs").get<std::vector<std::string>>();
    run.fine = incidence_from(in.at("fine"));
    run.coarse = incidence_from(in.at("coarse"));
    run.lost_events = in.at("lost_events").get<std::uint64_t>();
    run.foreign_calls = in.at("foreign_calls").get<std::uint64_t>();
    if (in.contains("refused"))
      run.refused = syscalls_from(in.at("refused"));  // runs from before have none
    if (in.contains("foreign_programs"))
      run.foreign_programs = in.at("foreign_programs").get<std::vector<std::string>>();
    if (in.contains("unknown_calls")) run.unknown_calls = values_from(in.at("unknown_calls"));
    if (in.contains("life")) {
      run.life = life_from(in.at("life"));
      if (!run.life)
        return fail(Code::kInternal, "damaged record of a run: a signal from or to nobody");
    }
    run.start_seen = in.value("start_seen", true);
    run.record_id = in.value("record_id", "");
    if (in.contains("source")) run.source = source_from(in.at("source"));  // likewise
    return run;
  } catch (const json::exception& error) {
    return fail(Code::kInternal, std::string("damaged record of a run: ") + error.what());
  }
}

}  // namespace ward::enforcer
