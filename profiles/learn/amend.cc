// SPDX-License-Identifier: Apache-2.0
#include "profiles/learn/amend.h"

#include <algorithm>
#include <chrono>

#include "lib/oci/seccomp.h"
#include "profiles/harm/harm_table.h"
#include "profiles/yaml/yaml_fields.h"

namespace ward::profiles {
namespace {

constexpr std::int64_t kHour_ns = 3'600'000'000'000;

bool matches(const ArgFilters& filters, const CallArguments& arguments) {
  return std::all_of(filters.begin(), filters.end(), [&](const ArgFilter& filter) {
    const std::uint64_t value = arguments.at(filter.index) & filter.mask.value_or(~0ULL);
    return std::find(filter.one_of.begin(), filter.one_of.end(), value) != filter.one_of.end();
  });
}

KnownArguments known(const CallArguments& arguments) {
  KnownArguments out;
  for (std::size_t i = 0; i < arguments.size(); ++i) out.at(i) = arguments.at(i);
  return out;
}

// What nobody has classed is reach.
HarmClass harm_of(int nr, const CallArguments& arguments) {
  if (nr < 0) return HarmClass::kDanger;
  const HarmCall* row = find_harm_call(static_cast<std::uint32_t>(nr));
  return row == nullptr ? HarmClass::kReach : class_of(*row, known(arguments));
}

// Of which another record may hide what this one does not show.
bool differs_by_arguments(int nr) {
  const HarmCall* row = nr < 0 ? nullptr : find_harm_call(static_cast<std::uint32_t>(nr));
  return row == nullptr || !row->values.empty();
}

AmendCall* find(AmendProfile& profile, int nr, const HeldPart& part) {
  for (AmendCall& call : profile.calls) {
    if (call.nr != nr) continue;
    const auto other = held_part(call.nr, call.arguments);
    if (other && other->filters == part.filters) return &call;
  }
  return nullptr;
}

// A source that runs is never forgotten; one that is gone makes no call any more.
bool make_room(AmendBook& book, const Living& living) {
  if (book.stopped.size() < kMostStoppedSources) return true;
  if (!living) return book.stopped.size() < 2 * kMostStoppedSources;
  auto oldest = book.stopped.end();
  for (auto at = book.stopped.begin(); at != book.stopped.end(); ++at) {
    if (living->contains(at->first)) continue;
    if (oldest == book.stopped.end() || at->second < oldest->second) oldest = at;
  }
  if (oldest == book.stopped.end()) return false;
  book.stopped.erase(oldest);
  return true;
}

// What it contributed no longer counts, whenever it did.
bool stop(AmendBook& book, const std::string& source, const Living& living) {
  if (book.stopped.contains(source)) return false;
  for (auto& [digest, profile] : book.profiles) {
    for (AmendCall& call : profile.calls) call.sources.erase(source);
    std::erase_if(profile.calls, [](const AmendCall& call) {
      return call.sources.empty() && call.state == AmendState::kSeen;
    });
  }
  // For good: of a source that is not kept nobody knows any more that it reached for more.
  book.overfull = book.overfull || !make_room(book, living);
  if (!book.overfull) book.stopped[source] = book.watched_ns;
  return true;
}

std::size_t all_calls(const AmendBook& book) {
  std::size_t all = 0;
  for (const auto& [digest, profile] : book.profiles) all += profile.calls.size();
  return all;
}

bool is_often(const AmendEvent& event) {
  return event.tolerated && event.per_second >= kHotPerSecond;
}

AmendCall* find_or_add(AmendBook& book, const AmendEvent& event, const Amendable& amendable,
                       const HeldPart& part) {
  const auto there = book.profiles.find(event.digest);
  if (there != book.profiles.end())
    if (AmendCall* call = find(there->second, event.nr, part)) return call;
  // A call that was let run all along is looked at where it is hot, and not before.
  if (event.tolerated && (!is_often(event) || amendable.posture == Posture::kStrict))
    return nullptr;
  AmendProfile& profile = book.profiles[event.digest];
  profile.name = amendable.name;
  if (profile.calls.size() >= kMostAmendCalls || all_calls(book) >= kMostAmendCallsOfNode)
    return nullptr;
  AmendCall& call = profile.calls.emplace_back();
  call.nr = event.nr;
  call.arguments = event.arguments;
  call.first_wall_ns = event.wall_ns;
  return &call;
}

bool stands(const AmendCall& call, const Amend& terms) {
  if (call.sources.size() < terms.containers) return false;
  std::int64_t first = INT64_MAX, last = 0;
  for (const auto& [name, source] : call.sources) {
    first = std::min(first, source.first_ns);
    last = std::max(last, source.last_ns);
  }
  return last - first >= std::chrono::nanoseconds(terms.over).count();
}

bool is_hot(const AmendCall& call) {
  return std::any_of(call.sources.begin(), call.sources.end(),
                     [](const auto& source) { return source.second.hot; });
}

// A filter has room for some 320 conditions, and the profile's own come first.
bool fits_a_filter(const HeldPart& part) {
  constexpr std::size_t kFew = 4;
  std::size_t values = 0;
  for (const ArgFilter& filter : part.filters) values += filter.one_of.size();
  return part.filters.size() <= 1 && values <= kFew;
}

std::string described(const AmendCall& call) {
  const auto part = held_part(call.nr, call.arguments);
  if (!part) return oci::find_syscall_name(call.nr).value_or("call " + std::to_string(call.nr));
  return part->syscall + (part->shown.empty() ? "" : " (" + part->shown + ")");
}

std::string grounds(const AmendCall& call) {
  std::int64_t first = INT64_MAX, last = 0;
  for (const auto& [name, source] : call.sources) {
    first = std::min(first, source.first_ns);
    last = std::max(last, source.last_ns);
  }
  const std::chrono::nanoseconds over(call.sources.empty() ? 0 : last - first);
  std::chrono::milliseconds shown = std::chrono::floor<std::chrono::seconds>(over);
  if (over >= std::chrono::minutes(1)) shown = std::chrono::floor<std::chrono::minutes>(over);
  if (over >= std::chrono::hours(1)) shown = std::chrono::floor<std::chrono::hours>(over);
  return std::to_string(call.sources.size()) + " containers made it over " + format_duration(shown);
}

// The state that a call should have, by what is known of it.
AmendState deserved(const AmendCall& call, const Amend* terms) {
  if (call.state == AmendState::kDropped) return AmendState::kDropped;
  const auto part = held_part(call.nr, call.arguments);
  if (terms == nullptr || !part) return AmendState::kSeen;
  if (is_hot(call) && fits_a_filter(*part)) return AmendState::kHot;
  return stands(call, *terms) ? AmendState::kAmended : AmendState::kSeen;
}

std::size_t count(const AmendProfile& profile, AmendState state) {
  return static_cast<std::size_t>(
      std::count_if(profile.calls.begin(), profile.calls.end(),
                    [state](const AmendCall& call) { return call.state == state; }));
}

class Decision {
 public:
  Decision(AmendBook& book, std::int64_t wall_ns) : book_(book), wall_ns_(wall_ns) {
    std::erase_if(book.made_ns, [&](std::int64_t at) { return book.watched_ns - at >= kHour_ns; });
  }

  void drop(const std::string& digest, const AmendProfile& profile) {
    for (const AmendCall& call : profile.calls)
      if (is_in_force(call))
        say(digest, profile, AmendChange::What::kWithdrawn,
            described(call) + ": another version of the profile is in force, and decides");
  }

  void settle(const std::string& digest, AmendProfile& profile, const Amend* terms) {
    for (AmendCall& call : profile.calls) {
      const AmendState next = deserved(call, terms);
      if (next == call.state) continue;
      if (next == AmendState::kSeen) {
        withdraw(digest, profile, call, terms);
      } else if (may_make(profile, next)) {
        make(digest, profile, call, next);
      } else {
        ++out_.waiting;
      }
    }
    std::erase_if(profile.calls, [](const AmendCall& call) {
      return call.sources.empty() && call.state == AmendState::kSeen;
    });
  }

  Decided take() { return std::move(out_); }

 private:
  [[nodiscard]] bool may_make(const AmendProfile& profile, AmendState next) const {
    return !book_.overfull && book_.made_ns.size() < kMostAmendedPerHour &&
           count(profile, next) < kMostAmendedPerProfile;
  }

  void make(const std::string& digest, const AmendProfile& profile, AmendCall& call,
            AmendState next) {
    call.state = next;
    call.since_wall_ns = wall_ns_;
    book_.made_ns.push_back(book_.watched_ns);
    const bool hot = next == AmendState::kHot;
    say(digest, profile, hot ? AmendChange::What::kHot : AmendChange::What::kAmended,
        hot ? described(call) +
                  " is in the filter from the next start, and not seen any more: it was let run, "
                  "and came more than 1000 times a second"
            : described(call) + " is let run from the next start, and counted: " + grounds(call));
  }

  void withdraw(const std::string& digest, const AmendProfile& profile, AmendCall& call,
                const Amend* terms) {
    call.state = AmendState::kSeen;
    say(digest, profile, AmendChange::What::kWithdrawn,
        described(call) +
            (terms == nullptr ? ": no policy says amend any more"
                              : ": it does not stand on enough any more, for " + grounds(call)) +
            "; it ends with the next start");
  }

  void say(const std::string& digest, const AmendProfile& profile, AmendChange::What what,
           std::string reason) {
    out_.changes.push_back({what, profile.name, digest, std::move(reason)});
  }

  AmendBook& book_;
  const std::int64_t wall_ns_;
  Decided out_;
};

}  // namespace

std::optional<HeldPart> held_part(int nr, const CallArguments& arguments) {
  if (nr < 0) return std::nullopt;
  const HarmCall* row = find_harm_call(static_cast<std::uint32_t>(nr));
  if (row == nullptr || class_of(*row, known(arguments)) > HarmClass::kHeld) return std::nullopt;
  // Of those that are never wider than the class of what they hold.
  for (const ArgFilters& filters : alternatives_at_most(*row, HarmClass::kHeld)) {
    if (!matches(filters, arguments)) continue;
    const HarmValue* value = filters.empty() ? nullptr : deciding_value(*row, known(arguments));
    return HeldPart{std::string(row->name), filters,
                    value == nullptr ? "" : std::string(value->shown)};
  }
  return std::nullopt;
}

bool note(AmendBook& book, const AmendEvent& event, const Amendables& amendable,
          const Living& living) {
  if (event.source.empty()) return false;
  const bool hides = event.several && differs_by_arguments(event.nr);
  const bool reaches = harm_of(event.nr, event.arguments) > HarmClass::kHeld;
  if (event.stops || (!event.tolerated && (reaches || hides)))
    return stop(book, event.source, living);
  const auto found = amendable.find(event.digest);
  if (event.origin != Origin::kWorkload || found == amendable.end() ||
      book.stopped.contains(event.source) || book.overfull)
    return false;
  const auto part = held_part(event.nr, event.arguments);
  if (!part) return false;
  AmendCall* call = find_or_add(book, event, found->second, *part);
  if (call == nullptr) return false;
  call->count += event.count;
  const auto source = call->sources.find(event.source);
  if (source != call->sources.end()) {
    source->second.last_ns = book.watched_ns;
  } else if (call->sources.size() < kMostAmendSources) {
    call->sources[event.source] = {book.watched_ns, book.watched_ns, false};
  } else {
    return true;
  }
  // Only what a posture lets run by itself: an amendment stays counted, and one that was withdrawn
  // goes on in containers that began with it, until they end.
  if (is_often(event) && found->second.posture != Posture::kStrict)
    call->sources[event.source].hot = true;
  return true;
}

void forget_seen(AmendBook& book) {
  for (auto& [digest, profile] : book.profiles)
    std::erase_if(profile.calls,
                  [](const AmendCall& call) { return call.state == AmendState::kSeen; });
}

void distrust(AmendBook& book, const std::set<std::string>& living) {
  forget_seen(book);
  for (const std::string& source : living) stop(book, source, living);
}

Decided decide(AmendBook& book, const Amendables& amendable, const std::set<std::string>& in_force,
               std::int64_t wall_ns) {
  Decision decision(book, wall_ns);
  for (auto at = book.profiles.begin(); at != book.profiles.end();) {
    if (!in_force.contains(at->first)) {
      decision.drop(at->first, at->second);
      at = book.profiles.erase(at);
      continue;
    }
    const auto terms = amendable.find(at->first);
    decision.settle(at->first, at->second,
                    terms == amendable.end() ? nullptr : &terms->second.terms);
    at = at->second.calls.empty() ? book.profiles.erase(at) : std::next(at);
  }
  return decision.take();
}

std::vector<AmendCall> drop(AmendBook& book, const std::string& digest,
                            const std::string& syscall) {
  std::vector<AmendCall> dropped;
  const auto found = book.profiles.find(digest);
  if (found == book.profiles.end()) return dropped;
  for (AmendCall& call : found->second.calls) {
    if (!is_in_force(call)) continue;
    if (!syscall.empty() && oci::find_syscall_name(call.nr) != syscall) continue;
    dropped.push_back(call);
    call.state = AmendState::kDropped;
  }
  return dropped;
}

bool is_in_force(const AmendCall& call) {
  return call.state == AmendState::kAmended || call.state == AmendState::kHot;
}

Overlay overlay_of(const AmendProfile& profile) {
  Overlay out;
  for (const AmendCall& call : profile.calls) {
    const auto part = is_in_force(call) ? held_part(call.nr, call.arguments) : std::nullopt;
    if (!part) continue;
    auto& rules = call.state == AmendState::kHot ? out.in_filter : out.let_run;
    rules.push_back(overlay_rule(call.nr, part->filters));
  }
  return out;
}

}  // namespace ward::profiles
