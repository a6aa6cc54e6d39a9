// SPDX-License-Identifier: Apache-2.0
#include "enforcer/watched_time.h"

#include <algorithm>

namespace ward::enforcer {

WatchedTime::Minute& WatchedTime::minute_at(std::int64_t now_ns) {
  const std::int64_t number = now_ns / kMinute_ns;
  Minute& minute = minutes_.at(static_cast<std::size_t>(number) % kMinutes);
  if (minute.number != number) minute = {number, 0, 0};
  return minute;
}

void WatchedTime::advance(std::int64_t now_ns) {
  constexpr auto kAll_ns = static_cast<std::int64_t>(kMinutes) * kMinute_ns;
  std::int64_t at = std::max(until_ns_, now_ns - kAll_ns);
  until_ns_ = std::max(until_ns_, now_ns);
  if (!wanted_) return;
  while (at < now_ns) {
    const std::int64_t end = std::min(now_ns, (at / kMinute_ns + 1) * kMinute_ns);
    minute_at(at).wanted_ns += static_cast<double>(end - at);
    at = end;
  }
}

void WatchedTime::set_wanted(bool wanted, std::int64_t now_ns) {
  advance(now_ns);
  wanted_ = wanted;
}

void WatchedTime::add_watched(double watched_ns, std::int64_t now_ns) {
  advance(now_ns);
  minute_at(now_ns).watched_ns += watched_ns;
}

double WatchedTime::share(std::int64_t now_ns) const {
  WatchedTime copy = *this;
  copy.advance(now_ns);
  double wanted = 0, watched = 0;
  for (const Minute& minute : copy.minutes_) {
    if (minute.number <= now_ns / kMinute_ns - static_cast<std::int64_t>(kMinutes)) continue;
    wanted += minute.wanted_ns;
    watched += minute.watched_ns;
  }
  return wanted <= 0 ? 0 : std::min(1.0, watched / wanted);
}

}  // namespace ward::enforcer
