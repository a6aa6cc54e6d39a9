// SPDX-License-Identifier: Apache-2.0
// What of a container's life its recordings show, and what they do not: starts, exec sessions,
// signals, stops and exit statuses, as the kernel told them (Life in observation.h). Used by
// coverage() and generate(), and for people.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "profiles/learn/observation.h"

namespace ward::profiles {

// "TERM"; "RTMIN+3" by the C library's count; the number where it has no name.
std::string signal_name(int number);

// How a run ended. By a signal: the first process took its default action, or it was the last that
// came from outside, from an exec session or from a terminal before the process ended. One that
// asks to stop (INT, QUIT, PWR, TERM) may lie back as far as it likes, any other at most
// kStopWithin_ns: what came earlier asked for something else.
struct Stop {
  std::string by;    // the signal's name; empty: by itself
  std::string last;  // the last such signal, whether it stopped it or not; empty: none came
  std::int64_t after_ns = 0;  // from the last signal to the end
  bool operator==(const Stop&) const = default;
};
inline constexpr std::int64_t kStopWithin_ns = 10'000'000'000;
std::optional<Stop> stop_of(const Run& run);  // absent: it goes on, or its end was not seen
std::string describe(
    const Stop& stop);  // "by TERM, 12 ms after it", "by itself", "by itself, 42 s after HUP"

struct LifeEvent {
  std::string what;  // "start", "exec", "signal HUP", "stop by TERM", "stop by itself", "exit 0"
  std::uint32_t times = 0;  // 0 in LifeReport::missing
  bool operator==(const LifeEvent&) const = default;
};

struct LifeReport {
  std::vector<LifeEvent> seen;
  // What every container may meet, and each signal that the first process has a handler for and
  // never got.
  std::vector<LifeEvent> missing;
  std::size_t runs_without = 0;  // of older versions, which did not record it
};

LifeReport life_report(const std::vector<Run>& runs);

// "start (2 times), stop by QUIT (2 times)"; without the numbers where they are 0.
std::string describe(const std::vector<LifeEvent>& events);

std::string_view receiver_name(Receiver receiver);  // "first", "other", "exec"
std::string_view sender_name(Sender sender);        // "outside", "workload", "exec", "kernel"

}  // namespace ward::profiles
