// SPDX-License-Identifier: Apache-2.0
// What keeps a flood of violations from costing memory, disk or the loop's time, and still loses no
// count (I4): which violation gets a record of its own, which is folded into a later one, and how
// fast let-run calls may come. Everything here is bounded by constants and has no clock of its own.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <tuple>
#include <vector>

#include "profiles/filter/seccomp_intersect.h"
#include "shim/supervisor/verdict.h"

namespace ward::shim::supervisor {

struct CallKey {
  pid_t tid = 0;
  int nr = 0;
  filter::CallArgs args{};
  bool operator==(const CallKey&) const = default;
};

// What was decided about it, for the summary's record.
struct CallContext {
  Phase phase = Phase::kServing;
  Origin origin = Origin::kWorkload;
  Verdict verdict;
};

// Violations that got no record of their own: one summary stands for `count` of them. `key` is one
// example; with `identical` all were that very call, else they only share the number.
struct Summary {
  CallKey key;
  CallContext context;  // of the last one
  bool identical = false;
  std::uint64_t count = 0;
};

class DetailLimiter {
 public:
  static constexpr std::uint32_t kDetailsPerMinute = 10;
  static constexpr std::int64_t kRepeatWindow_ns = 1'000'000'000;
  static constexpr std::int64_t kMinute_ns = 60'000'000'000;
  static constexpr std::size_t kRecentCalls = 64;
  static constexpr std::size_t kNumbers = 512;

  // True: write a record of its own. False: it was counted here and will come out of
  // take_summaries().
  bool wants_detail(const CallKey& call, const CallContext& context, std::int64_t now_ns);

  // Folded violations whose window is over; with `all`, every one there is (the listener ends).
  std::vector<Summary> take_summaries(std::int64_t now_ns, bool all = false);

  // When take_summaries() has something; nothing while nothing is folded.
  [[nodiscard]] std::optional<std::int64_t> next_summary_ns() const;

 private:
  struct Recent {
    CallKey call;
    CallContext context;
    std::int64_t first_ns = 0;
    std::uint64_t folded = 0;
  };
  struct Number {
    std::int64_t minute_began_ns = 0;
    std::uint32_t details = 0;
    std::uint64_t folded = 0;
    CallKey example;
    CallContext context;
  };
  bool count_number(const CallKey& call, const CallContext& context, std::int64_t now_ns);
  std::vector<Recent> recent_;
  std::map<int, Number> numbers_;
  std::uint64_t overflow_ = 0;  // beyond kNumbers different numbers
  CallKey overflow_example_;
  CallContext overflow_context_;
};

// Calls that nothing is done about: one record for each kind, the others are counted, and told of
// once an hour. A kind is a number and an origin, whether a number of the caller's own was the
// reason, and of sockets family, type and protocol. At most 512 by sockets.
class FirstOfKind {
 public:
  static constexpr std::int64_t kSummaryEvery_ns = 3'600'000'000'000;

  // True: write a record. False: it was counted here and will come out of take_summaries().
  bool is_new(const CallKey& call, const CallContext& context, std::int64_t now_ns);

  std::vector<Summary> take_summaries(std::int64_t now_ns, bool all = false);
  [[nodiscard]] std::optional<std::int64_t> next_summary_ns() const;

 private:
  struct Kind {
    std::int64_t told_ns = 0;
    std::uint64_t untold = 0;
    CallKey example;
    CallContext context;
  };
  using Which = std::tuple<int, Origin, bool, std::array<std::uint64_t, 3>>;
  [[nodiscard]] Which kind_of(const CallKey& call, const CallContext& context) const;

  std::map<Which, Kind> kinds_;
};

// What comes as often as somebody asks for it from outside: one record a minute, which says of how
// many before it there is none.
class OneAMinute {
 public:
  // The number of those, where there is to be a record of this one; nothing: it was counted.
  std::optional<std::uint64_t> take(std::int64_t now_ns);

 private:
  std::optional<std::int64_t> told_ns_;
  std::uint64_t untold_ = 0;
};

// How fast calls outside the profile are let run (action log): the caller's own thread is what
// waits, because the supervisor simply does not fetch its next notification before a token is
// there.
class TokenBucket {
 public:
  TokenBucket(double per_second, double burst)
      : per_second_(per_second), burst_(burst), tokens_(burst) {}
  // Takes one token, into debt if need be: the answer at hand is never delayed.
  void take(std::int64_t now_ns);
  // How long to leave the next notifications with the kernel; 0 while there are tokens.
  [[nodiscard]] std::int64_t wait_ns(std::int64_t now_ns) const;

 private:
  [[nodiscard]] double level(std::int64_t now_ns) const;
  double per_second_;
  double burst_;
  double tokens_;
  std::int64_t updated_ns_ = 0;
};

// Denials of the workload within the window that a policy sets (deny three times in ten minutes,
// then ...).
class DenialWindow {
 public:
  [[nodiscard]] std::uint32_t count(std::int64_t now_ns, std::int64_t window_ns) const;
  void add(std::int64_t now_ns, std::uint32_t keep);  // keeps the last `keep`

 private:
  std::vector<std::int64_t> times_;
};

}  // namespace ward::shim::supervisor
