// SPDX-License-Identifier: Apache-2.0
#include "shim/supervisor/flood.h"

#include <sys/syscall.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace ward::shim::supervisor {

bool DetailLimiter::count_number(const CallKey& call, const CallContext& context,
                                 std::int64_t now_ns) {
  const auto found = numbers_.find(call.nr);
  if (found == numbers_.end()) {
    if (numbers_.size() >= kNumbers) {
      ++overflow_;
      overflow_example_ = call;
      overflow_context_ = context;
      return false;
    }
    numbers_[call.nr] = Number{now_ns, 1, 0, call, context};
    return true;
  }
  Number& number = found->second;
  // A minute with something folded stays until its summary was taken, so that no count is lost.
  if (number.folded == 0 && now_ns - number.minute_began_ns >= kMinute_ns)
    number = Number{now_ns, 0, 0, call, context};
  if (number.details < kDetailsPerMinute) {
    ++number.details;
    return true;
  }
  ++number.folded;
  number.example = call;
  number.context = context;
  return false;
}

bool DetailLimiter::wants_detail(const CallKey& call, const CallContext& context,
                                 std::int64_t now_ns) {
  for (auto& recent : recent_) {
    if (recent.call == call && now_ns - recent.first_ns < kRepeatWindow_ns) {
      ++recent.folded;
      recent.context = context;
      return false;
    }
  }
  if (!count_number(call, context, now_ns)) return false;
  if (recent_.size() < kRecentCalls) {
    recent_.push_back({call, context, now_ns, 0});
    return true;
  }
  // Reuse the place of one that has nothing to tell; if all have, this call just does not fold its
  // repeats here.
  const auto idle =
      std::find_if(recent_.begin(), recent_.end(), [](const Recent& r) { return r.folded == 0; });
  if (idle != recent_.end()) *idle = {call, context, now_ns, 0};
  return true;
}

std::vector<Summary> DetailLimiter::take_summaries(std::int64_t now_ns, bool all) {
  std::vector<Summary> summaries;
  for (auto& recent : recent_) {
    if (recent.folded > 0 && (all || now_ns - recent.first_ns >= kRepeatWindow_ns)) {
      summaries.push_back({recent.call, recent.context, true, recent.folded});
    }
  }
  recent_.erase(std::remove_if(recent_.begin(), recent_.end(),
                               [&](const Recent& r) {
                                 return all || now_ns - r.first_ns >= kRepeatWindow_ns;
                               }),
                recent_.end());
  for (auto& [nr, number] : numbers_) {
    if (number.folded > 0 && (all || now_ns - number.minute_began_ns >= kMinute_ns)) {
      summaries.push_back({number.example, number.context, false, number.folded});
      number = Number{now_ns, 0, 0, number.example, number.context};
    }
  }
  if (overflow_ > 0) {
    summaries.push_back({overflow_example_, overflow_context_, false, overflow_});
    overflow_ = 0;
  }
  return summaries;
}

std::optional<std::int64_t> DetailLimiter::next_summary_ns() const {
  std::optional<std::int64_t> next;
  const auto consider = [&next](std::int64_t at) { next = next ? std::min(*next, at) : at; };
  for (const auto& recent : recent_) {
    if (recent.folded > 0) consider(recent.first_ns + kRepeatWindow_ns);
  }
  for (const auto& [nr, number] : numbers_) {
    if (number.folded > 0) consider(number.minute_began_ns + kMinute_ns);
  }
  if (overflow_ > 0) consider(0);
  return next;
}

FirstOfKind::Which FirstOfKind::kind_of(const CallKey& call, const CallContext& context) const {
  constexpr std::uint64_t kType = 0xF;  // SOCK_CLOEXEC and SOCK_NONBLOCK are no type
  constexpr std::size_t kMostKinds = 512;
  const Which plain{call.nr, context.origin, context.verdict.own_number, {}};
  if (call.nr != SYS_socket) return plain;
  const Which socket{
      call.nr, context.origin, false, {call.args[0], call.args[1] & kType, call.args[2]}};
  return kinds_.contains(socket) || kinds_.size() < kMostKinds ? socket : plain;
}

bool FirstOfKind::is_new(const CallKey& call, const CallContext& context, std::int64_t now_ns) {
  const auto [kind, added] =
      kinds_.try_emplace(kind_of(call, context), Kind{now_ns, 0, call, context});
  if (added) return true;
  ++kind->second.untold;
  kind->second.example = call;
  kind->second.context = context;
  return false;
}

std::vector<Summary> FirstOfKind::take_summaries(std::int64_t now_ns, bool all) {
  std::vector<Summary> summaries;
  for (auto& [key, kind] : kinds_) {
    if (kind.untold == 0 || (!all && now_ns - kind.told_ns < kSummaryEvery_ns)) continue;
    summaries.push_back({kind.example, kind.context, false, kind.untold});
    kind.untold = 0;
    kind.told_ns = now_ns;
  }
  return summaries;
}

std::optional<std::int64_t> FirstOfKind::next_summary_ns() const {
  std::optional<std::int64_t> next;
  for (const auto& [key, kind] : kinds_) {
    if (kind.untold == 0) continue;
    next = std::min(next.value_or(std::numeric_limits<std::int64_t>::max()),
                    kind.told_ns + kSummaryEvery_ns);
  }
  return next;
}

std::optional<std::uint64_t> OneAMinute::take(std::int64_t now_ns) {
  if (told_ns_ && now_ns - *told_ns_ < DetailLimiter::kMinute_ns) {
    ++untold_;
    return std::nullopt;
  }
  told_ns_ = now_ns;
  return std::exchange(untold_, 0);
}

double TokenBucket::level(std::int64_t now_ns) const {
  const double gained =
      static_cast<double>(std::max<std::int64_t>(0, now_ns - updated_ns_)) * 1e-9 * per_second_;
  return std::min(burst_, tokens_ + gained);
}

void TokenBucket::take(std::int64_t now_ns) {
  tokens_ = level(now_ns) - 1;
  updated_ns_ = now_ns;
}

std::int64_t TokenBucket::wait_ns(std::int64_t now_ns) const {
  const double present = level(now_ns);
  if (present >= 0) return 0;
  return static_cast<std::int64_t>(-present / per_second_ * 1e9) + 1;
}

std::uint32_t DenialWindow::count(std::int64_t now_ns, std::int64_t window_ns) const {
  return static_cast<std::uint32_t>(std::count_if(
      times_.begin(), times_.end(), [&](std::int64_t at) { return now_ns - at < window_ns; }));
}

void DenialWindow::add(std::int64_t now_ns, std::uint32_t keep) {
  if (keep == 0) return;
  times_.push_back(now_ns);
  if (times_.size() > keep) times_.erase(times_.begin());
}

}  // namespace ward::shim::supervisor
