// SPDX-License-Identifier: Apache-2.0
// Which share of the last hour was watched, of the time in which there was something to watch. By
// the minute; values only, and no clock of its own.
#pragma once

#include <array>
#include <cstdint>

namespace ward::enforcer {

class WatchedTime {
 public:
  static constexpr std::int64_t kMinute_ns = 60'000'000'000;
  static constexpr std::size_t kMinutes = 60;

  // From now on there is something to watch, or nothing. Times only grow.
  void set_wanted(bool wanted, std::int64_t now_ns);
  // It was watched for so long until now. Of a part of the containers: for that part of the time.
  void add_watched(double watched_ns, std::int64_t now_ns);
  [[nodiscard]] double share(std::int64_t now_ns) const;  // 0 to 1; 0 where nothing was wanted

 private:
  struct Minute {
    std::int64_t number = -1;
    double wanted_ns = 0;
    double watched_ns = 0;
  };
  Minute& minute_at(std::int64_t now_ns);
  void advance(std::int64_t now_ns);

  std::array<Minute, kMinutes> minutes_;
  bool wanted_ = false;
  std::int64_t until_ns_ = 0;
};

}  // namespace ward::enforcer
