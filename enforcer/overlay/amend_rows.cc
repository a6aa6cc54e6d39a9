// SPDX-License-Identifier: Apache-2.0
#include "enforcer/overlay/amend_rows.h"

#include <optional>

#include "lib/json/json.h"

namespace ward::enforcer {
namespace {

using nlohmann::json;
using profiles::AmendCall;
using profiles::AmendProfile;
using profiles::AmendState;

constexpr const char* kNode = "node";
constexpr const char* kStopped = "stopped";

std::string text_of(const json& document) {
  return document.dump(-1, ' ', true, json::error_handler_t::replace);
}

json to_json(const AmendCall& call) {
  json sources = json::object();
  for (const auto& [name, source] : call.sources)
    sources[name] = {
        {"first_ns", source.first_ns}, {"last_ns", source.last_ns}, {"hot", source.hot}};
  return {{"nr", call.nr},
          {"arguments", call.arguments},
          {"state", static_cast<int>(call.state)},
          {"sources", std::move(sources)},
          {"count", call.count},
          {"first_wall_ns", call.first_wall_ns},
          {"since_wall_ns", call.since_wall_ns}};
}

AmendCall call_from(const json& in) {
  AmendCall call;
  call.nr = in.at("nr").get<int>();
  call.arguments = in.at("arguments").get<profiles::CallArguments>();
  const int state = in.at("state").get<int>();
  // One that a newer wardd knows is not let run.
  if (state >= 0 && state <= static_cast<int>(AmendState::kDropped))
    call.state = static_cast<AmendState>(state);
  for (const auto& [name, source] : in.at("sources").items())
    call.sources[name] = {source.at("first_ns").get<std::int64_t>(),
                          source.at("last_ns").get<std::int64_t>(), source.at("hot").get<bool>()};
  call.count = in.at("count").get<std::uint64_t>();
  call.first_wall_ns = in.at("first_wall_ns").get<std::int64_t>();
  call.since_wall_ns = in.at("since_wall_ns").get<std::int64_t>();
  return call;
}

std::optional<AmendProfile> profile_from(const std::string& text) {
  try {
    const json document = parse_json_or_throw<json>(text);
    AmendProfile profile;
    profile.name = document.at("profile").get<std::string>();
    for (const json& call : document.at("calls")) profile.calls.push_back(call_from(call));
    return profile;
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

}  // namespace

AmendRows to_rows(const KeptAmendments& kept) {
  AmendRows rows;
  const profiles::AmendBook& book = kept.book;
  rows[kNode] = text_of({{"read_to", kept.read_to},
                         {"watched_ns", book.watched_ns},
                         {"made_ns", book.made_ns},
                         {"overfull", book.overfull}});
  rows[kStopped] = text_of(book.stopped);
  for (const auto& [digest, profile] : book.profiles) {
    json calls = json::array();
    for (const AmendCall& call : profile.calls) calls.push_back(to_json(call));
    rows[digest] = text_of({{"profile", profile.name}, {"calls", std::move(calls)}});
  }
  return rows;
}

KeptAmendments from_rows(const AmendRows& rows) {
  KeptAmendments kept;
  if (rows.empty()) return kept;
  try {
    const json node = parse_json_or_throw<json>(rows.at(kNode));
    kept.read_to = node.at("read_to").get<std::uint64_t>();
    kept.book.watched_ns = node.at("watched_ns").get<std::int64_t>();
    kept.book.made_ns = node.at("made_ns").get<std::vector<std::int64_t>>();
    kept.book.overfull = node.at("overfull").get<bool>();
    kept.book.stopped =
        parse_json_or_throw<json>(rows.at(kStopped)).get<std::map<std::string, std::int64_t>>();
  } catch (const std::exception&) {
    KeptAmendments anew;
    anew.damaged = true;
    return anew;
  }
  for (const auto& [name, body] : rows) {
    if (name == kNode || name == kStopped) continue;
    if (auto profile = profile_from(body)) kept.book.profiles[name] = std::move(*profile);
  }
  return kept;
}

}  // namespace ward::enforcer
