// SPDX-License-Identifier: Apache-2.0
#include "enforcer/journal/lost_violations.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "enforcer/journal/accounts.h"
#include "lib/base/log.h"
#include "lib/spool/spool.h"

namespace ward::enforcer {
namespace {

constexpr std::size_t kMostAtOnce = 64;                 // each has a descriptor
constexpr std::uint64_t kMostWeighedBytes = 4U << 20U;  // in one scan: it holds the core loop up
constexpr std::size_t kWeighRecords = 256;
constexpr std::size_t kWeighBytes = 1U << 20U;

// Sorted. What is absent is empty.
Result<std::set<std::string>> names_in(const std::filesystem::path& directory) {
  std::set<std::string> names;
  std::error_code error;
  for (auto at = std::filesystem::directory_iterator(directory, error);
       !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
    names.insert(at->path().filename().string());
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return fail_errno("list '" + directory.string() + "'", error.value());
  }
  return names;
}

bool is_tally(const std::string& name) {
  const std::string extension = std::filesystem::path(name).extension().string();
  return extension == kTallySuffix || extension == kLostSuffix;
}

// A sum may grow after it was journalled, where we died before we removed it: what was added is
// another event. The event of a tally says that its account is closed (accounts.h).
JournalEntry lost_event(const std::string& name, const TallyContent& content) {
  JournalEntry event{EventKind::kViolationsLost, {}};
  event.body.set_event_id(lost_event_id(tally_id(name)));
  if (!event.body.mutable_identity()->ParseFromString(content.about)) event.body.clear_identity();
  if (std::filesystem::path(name).extension() == kLostSuffix) {
    event.body.set_event_id(event.body.event_id() + "-" + std::to_string(content.count));
    event.body.mutable_identity()->clear_container_id();
  }
  return event;
}

}  // namespace

LostViolations::LostViolations(asio::io_context& core, Journal& journal,
                               std::filesystem::path tallies, std::filesystem::path spool)
    : journal_(journal), tallies_(std::move(tallies)), spool_(std::move(spool)), timer_(core) {}

void LostViolations::start() {
  std::set<std::string> shims;
  bool all = true;
  for (const auto& directory : {tallies_, spool_}) {
    const auto names = names_in(directory);
    all = all && names.has_value();
    for (const std::string& name : names.value_or(std::set<std::string>()))
      shims.insert(tally_id(name));
  }
  if (all) journal_.forget_accounts_but(std::move(shims));
  scan();
}

void LostViolations::scan() {
  weighed_bytes_ = 0;
  const auto names = names_in(tallies_);
  const Spools spools = list_spools();
  std::vector<std::string> taken;
  if (names) {
    // What was noticed of a file stays until it was counted, or is gone (N06).
    const auto is_gone = [&](const std::string& name) { return !names->contains(name); };
    std::erase_if(problems_, [&](const auto& problem) { return is_gone(problem.first); });
    std::erase_if(held_, [&](const auto& held) {
      return is_gone(held.first) && !taken_.contains(held.first);
    });
    std::erase_if(waiting_, is_gone);
    for (const std::string& name : *names) {
      remove_unfinished(tallies_, name);
      if (!is_tally(name) || taken_.contains(name)) continue;
      if (waiting_.contains(name) && (!spools || spools->contains(tally_id(name)))) continue;
      if (taken_.size() < kMostAtOnce && take(name)) taken.push_back(name);
    }
  } else {
    problems_[""] = "lost violations: " + names.error().message;  // no file has that name
  }
  leave_what_sums_have(taken);
  close_due(spools);
}

bool LostViolations::take(const std::string& name) {
  auto tally = Tally::take_over(tallies_ / name);
  if (!tally) {
    const Code code = tally.error().code;
    if (code == Code::kFailedPrecondition || code == Code::kNotFound)
      return false;  // its shim lives, or has removed it
    problems_[name] =
        tally.error().message + "; how many violations its shim lost is not known: remove it";
    return false;
  }
  problems_.erase(name);
  waiting_.erase(name);
  taken_[name] =
      std::make_shared<Taken>(Taken{std::move(*tally), std::chrono::steady_clock::now() + kGrace});
  return true;
}

// They go with the sum.
void LostViolations::leave_what_sums_have(const std::vector<std::string>& taken) {
  if (taken.empty()) return;
  const auto counted = tallies_in_sums(tallies_);
  for (const std::string& name : taken) {
    if (!counted) problems_[name] = counted.error().message;
    if (!counted || counted->contains(name)) taken_.erase(name);
  }
}

void LostViolations::close_due(const Spools& spools) {
  const auto now = std::chrono::steady_clock::now();
  for (const auto& [name, taken] : std::map(taken_)) {
    if (taken->closing || now < taken->due) continue;
    if (!taken->tally.is_named()) {  // somebody has counted it in a sum, or has thrown it away
      taken_.erase(name);
    } else if (!spools || spools->contains(tally_id(name))) {
      wait_for_spool(name, *taken, spools);
    } else {
      close(name, taken);
    }
  }
  if (taken_.empty() && waiting_.empty()) return;
  timer_.expires_after(kGrace);
  timer_.async_wait([this](const asio::error_code& error) {
    if (!error) scan();
  });
}

// The spool waits for the disk, perhaps; the number of what is not in it does not.
void LostViolations::wait_for_spool(const std::string& name, const Taken& taken,
                                    const Spools& spools) {
  if (spools && !held_.contains(name)) {
    if (weighed_bytes_ >= kMostWeighedBytes) return;  // with the next scan
    const std::uint64_t seen = taken.tally.content().count;
    std::uint64_t not_lost = journal_.account(tally_id(name)).value_or(0);
    const auto [first, last] = spools->equal_range(tally_id(name));
    for (auto spool = first; spool != last; ++spool) not_lost += weigh(spool->second);
    held_[name] = seen > not_lost ? seen - not_lost : 0;
  }
  waiting_.insert(name);
  taken_.erase(name);
}

// Takes off too much where a part of the spool is in the journal already: less is held than is
// lost, until it is counted.
std::uint64_t LostViolations::weigh(const std::string& name) {
  const auto spool = Spool::look(spool_ / name);
  if (!spool) return 0;
  weighed_bytes_ += spool->size_bytes();
  std::uint64_t weight = 0;
  for (std::uint64_t offset = 0;;) {
    const auto batch = spool->read(offset, kWeighRecords, kWeighBytes);
    if (!batch) return weight;
    for (const std::string& record : batch->records) {
      node::v1::Violation violation;
      if (violation.ParseFromString(record)) weight += weight_of(violation);
    }
    if (batch->at_end) return weight;
    offset = batch->next_offset;
  }
}

LostViolations::Spools LostViolations::list_spools() const {
  const auto names = names_in(spool_);
  if (!names) return std::nullopt;
  std::multimap<std::string, std::string> spools;
  for (const std::string& name : *names) spools.emplace(tally_id(name), name);
  return spools;
}

void LostViolations::close(const std::string& name, const std::shared_ptr<Taken>& taken) {
  taken->closing = true;
  JournalEntry event = lost_event(name, taken->tally.content());
  journal_.stamp(event);
  journal_.append_made(
      [event = std::move(event), shim = tally_id(name), seen = taken->tally.content().count](
          Connection& connection) -> Result<std::vector<JournalEntry>> {
        const auto told = read_account(connection, shim);
        if (!told) return tl::unexpected<Error>(told.error());
        if (*told >= seen) return std::vector<JournalEntry>{};
        if (auto done = add_to_account(connection, shim, seen - *told); !done)
          return tl::unexpected<Error>(done.error());
        JournalEntry lost = event;
        lost.body.set_dropped_before(seen - *told);
        lost.body.set_reason(
            std::to_string(seen - *told) +
            " violations have no record: their shim was killed, or found no room for them");
        return std::vector<JournalEntry>{std::move(lost)};
      },
      [this, name, taken](const Result<void>& stored) { closed(name, taken, stored); });
}

void LostViolations::closed(const std::string& name, const std::shared_ptr<Taken>& taken,
                            const Result<void>& stored) {
  const std::string shim = tally_id(name);
  if (!stored) {
    taken_.erase(name);
    // The file stays, and the next scan begins again. Until then this is what people are told.
    const std::uint64_t seen = taken->tally.content().count;
    const std::uint64_t told = journal_.account(shim).value_or(0);
    held_[name] = seen > told ? seen - told : 0;
    return;
  }
  held_.erase(name);
  if (const auto removed = taken->tally.remove(); !removed) {
    problems_[name] = removed.error().message;
    taken->closing = false;  // once more: there is nothing to be added then
    taken->due = std::chrono::steady_clock::now() + kGrace;
    return;
  }
  problems_.erase(name);
  taken_.erase(name);
  journal_.forget_account(shim);
}

std::uint64_t LostViolations::held() const {
  std::uint64_t sum = 0;
  for (const auto& [name, count] : held_) sum += count;
  return sum;
}

std::vector<std::string> LostViolations::problems() const {
  std::vector<std::string> out;
  for (const auto& [name, problem] : problems_) out.push_back(problem);
  return out;
}

}  // namespace ward::enforcer
