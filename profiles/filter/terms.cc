// SPDX-License-Identifier: Apache-2.0
#include "profiles/filter/terms.h"

#include <algorithm>

namespace ward::filter {
namespace {

using Words = std::vector<std::string_view>;

const Words& origin_names() {
  static const Words words = {"workload", "exec"};
  return words;
}

const Words& phase_names() {
  static const Words words = {"runtime", "boot", "serving", "exec"};
  return words;
}

// Zero is a message's "unspecified".
std::string_view word_at(const Words& words, int value) {
  const auto place = static_cast<std::size_t>(value) - 1;
  return value > 0 && place < words.size() ? words[place] : std::string_view();
}

template <typename Value>
std::optional<Value> find(const Words& words, std::string_view word) {
  const auto found = std::find(words.begin(), words.end(), word);
  if (found == words.end()) return std::nullopt;
  return static_cast<Value>(found - words.begin() + 1);
}

static_assert(to_proto(Mode::kEnforce) == node::v1::MODE_ENFORCE);
static_assert(to_proto(Action::kQuarantine) == node::v1::ACTION_QUARANTINE);
static_assert(to_proto(Sessions::kRefuse) == node::v1::SESSIONS_REFUSE);
static_assert(to_proto(Origin::kExec) == node::v1::ORIGIN_EXEC);
static_assert(to_proto(Phase::kExec) == node::v1::PHASE_EXEC);

}  // namespace

const Words& mode_names() {
  static const Words words = {"off", "learn", "supervise", "enforce"};
  return words;
}

const Words& action_names() {
  static const Words words = {"log", "deny", "kill", "quarantine"};
  return words;
}

const Words& sessions_names() {
  static const Words words = {"layer", "workload", "refuse"};
  return words;
}

std::string_view mode_name(node::v1::Mode mode) { return word_at(mode_names(), mode); }
std::string_view action_name(node::v1::Action action) { return word_at(action_names(), action); }
std::string_view sessions_name(node::v1::Sessions sessions) {
  return word_at(sessions_names(), sessions);
}
std::string_view origin_name(node::v1::Origin origin) { return word_at(origin_names(), origin); }
std::string_view phase_name(node::v1::Phase phase) { return word_at(phase_names(), phase); }

std::string_view mode_name(Mode mode) { return mode_name(to_proto(mode)); }
std::string_view action_name(Action action) { return action_name(to_proto(action)); }
std::string_view sessions_name(Sessions sessions) { return sessions_name(to_proto(sessions)); }
std::string_view origin_name(Origin origin) { return origin_name(to_proto(origin)); }
std::string_view phase_name(Phase phase) { return phase_name(to_proto(phase)); }

std::optional<Mode> find_mode(std::string_view word) { return find<Mode>(mode_names(), word); }
std::optional<Action> find_action(std::string_view word) {
  return find<Action>(action_names(), word);
}
std::optional<Sessions> find_sessions(std::string_view word) {
  return find<Sessions>(sessions_names(), word);
}

}  // namespace ward::filter
