// SPDX-License-Identifier: Apache-2.0
// The six enumerations that profiles, the shim and wardd speak in, and their words: as they stand
// in YAML, in annotations and in output. The numbers are those of ward/node/v1/types.proto, so that
// a message holds them as they are.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "ward/node/v1/types.pb.h"

namespace ward::filter {

enum class Mode { kOff = 1, kLearn, kSupervise, kEnforce };
enum class Action { kLog = 1, kDeny, kKill, kQuarantine };  // mild to strict
enum class Sessions { kLayer = 1, kWorkload, kRefuse };     // mild to strict
enum class Origin { kWorkload = 1, kExec };
enum class Phase { kRuntime = 1, kBoot, kServing, kExec };
// What a profile allows in one phase.
using Layer = Phase;

std::string_view mode_name(Mode mode);              // "enforce"
std::string_view action_name(Action action);        // "quarantine"
std::string_view sessions_name(Sessions sessions);  // "refuse"
std::string_view origin_name(Origin origin);        // "workload"
std::string_view phase_name(Phase phase);           // "serving"
inline std::string_view layer_name(Layer layer) { return phase_name(layer); }

// The same for a message's field; empty where it is unspecified, or newer than this program.
std::string_view mode_name(node::v1::Mode mode);
std::string_view action_name(node::v1::Action action);
std::string_view sessions_name(node::v1::Sessions sessions);
std::string_view origin_name(node::v1::Origin origin);
std::string_view phase_name(node::v1::Phase phase);

// All words, in the order of the enumeration.
const std::vector<std::string_view>& mode_names();
const std::vector<std::string_view>& action_names();
const std::vector<std::string_view>& sessions_names();
// Their values, by place in that order.
inline Mode mode_at(std::size_t place) { return static_cast<Mode>(place + 1); }
inline Action action_at(std::size_t place) { return static_cast<Action>(place + 1); }
inline Sessions sessions_at(std::size_t place) { return static_cast<Sessions>(place + 1); }

// Nothing for a word that is none.
std::optional<Mode> find_mode(std::string_view word);
std::optional<Action> find_action(std::string_view word);
std::optional<Sessions> find_sessions(std::string_view word);

constexpr node::v1::Mode to_proto(Mode mode) { return static_cast<node::v1::Mode>(mode); }
constexpr node::v1::Action to_proto(Action action) { return static_cast<node::v1::Action>(action); }
constexpr node::v1::Sessions to_proto(Sessions sessions) {
  return static_cast<node::v1::Sessions>(sessions);
}
constexpr node::v1::Origin to_proto(Origin origin) { return static_cast<node::v1::Origin>(origin); }
constexpr node::v1::Phase to_proto(Phase phase) { return static_cast<node::v1::Phase>(phase); }

}  // namespace ward::filter
