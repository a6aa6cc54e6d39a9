// SPDX-License-Identifier: Apache-2.0
#include "enforcer/journal/lost_violations.h"

#include <algorithm>
#include <set>
#include <system_error>
#include <utility>

#include "enforcer/journal/accounts.h"
#include "lib/base/log.h"

namespace ward::enforcer {
namespace {

constexpr std::size_t kMostAtOnce = 64;  // each has a descriptor

std::vector<std::string> names_in(const std::filesystem::path& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (auto at = std::filesystem::directory_iterator(directory, error);
       !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
    names.push_back(at->path().filename().string());
  }
  return names;
}

bool is_tally(const std::string& name) {
  const std::string extension = std::filesystem::path(name).extension().string();
  return extension == kTallySuffix || extension == kLostSuffix;
}

JournalEntry lost_event(const std::string& name, const TallyContent& content) {
  JournalEntry event{"violations-lost", {}};
  event.body.set_event_id(lost_event_id(tally_id(name)));
  if (!event.body.mutable_identity()->ParseFromString(content.about)) event.body.clear_identity();
  if (std::filesystem::path(name).extension() == kLostSuffix) event.body.mutable_identity()->clear_container_id();
  return event;
}

}  // namespace

LostViolations::LostViolations(asio::io_context& core, Journal& journal, std::filesystem::path tallies,
                               std::filesystem::path spool)
    : journal_(journal), tallies_(std::move(tallies)), spool_(std::move(spool)), timer_(core) {}

void LostViolations::start() {
  std::set<std::string> shims;
  for (const auto& directory : {tallies_, spool_}) {
    for (const std::string& name : names_in(directory)) shims.insert(tally_id(name));
  }
  journal_.forget_accounts_but(std::move(shims));
  scan();
}

void LostViolations::scan() {
  problems_.clear();
  for (const std::string& name : names_in(tallies_)) {
    if (taken_.size() >= kMostAtOnce) break;
    if (is_tally(name) && !taken_.contains(name)) take(name);
  }
  close_due();
}

void LostViolations::take(const std::string& name) {
  auto tally = Tally::take_over(tallies_ / name);
  if (tally) {
    taken_[name] = std::make_shared<Taken>(Taken{std::move(*tally), std::chrono::steady_clock::now() + kGrace});
    return;
  }
  const Code code = tally.error().code;
  if (code == Code::kFailedPrecondition || code == Code::kNotFound) return;  // its shim lives, or has removed it
  problems_[name] = tally.error().message + "; how many violations its shim lost is not known: remove it";
}

void LostViolations::close_due() {
  const auto now = std::chrono::steady_clock::now();
  for (const auto& [name, taken] : std::map(taken_)) {
    if (taken->closing || now < taken->due) continue;
    // What is in its spool is not lost.
    if (has_spool(tally_id(name))) {
      taken->due = now + kGrace;
    } else {
      close(name, taken);
    }
  }
  if (taken_.empty()) return;
  timer_.expires_after(kGrace);
  timer_.async_wait([this](const asio::error_code& error) {
    if (!error) scan();
  });
}

bool LostViolations::has_spool(const std::string& id) const {
  const auto names = names_in(spool_);
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) { return tally_id(name) == id; });
}

void LostViolations::close(const std::string& name, const std::shared_ptr<Taken>& taken) {
  taken->closing = true;
  JournalEntry event = lost_event(name, taken->tally.content());
  journal_.stamp(event);
  journal_.append_made(
      [event = std::move(event), shim = tally_id(name),
       seen = taken->tally.content().count](Connection& connection) -> Result<std::vector<JournalEntry>> {
        const auto told = read_account(connection, shim);
        if (!told) return tl::unexpected<Error>(told.error());
        if (*told >= seen) return std::vector<JournalEntry>{};
        JournalEntry lost = event;
        lost.body.set_dropped_before(seen - *told);
        lost.body.set_reason(std::to_string(seen - *told) +
                             " violations have no record: their shim was killed, or found no room for them");
        return std::vector<JournalEntry>{std::move(lost)};
      },
      [this, name, taken](const Result<void>& stored) { closed(name, taken, stored); });
}

void LostViolations::closed(const std::string& name, const std::shared_ptr<Taken>& taken, const Result<void>& stored) {
  taken_.erase(name);
  const std::string shim = tally_id(name);
  if (!stored) {
    // The file stays, and the next scan begins again. Until then this is what people are told.
    const std::uint64_t seen = taken->tally.content().count;
    const std::uint64_t told = journal_.account(shim).value_or(0);
    held_[name] = seen > told ? seen - told : 0;
    return;
  }
  held_.erase(name);
  if (const auto removed = taken->tally.remove(); !removed) {
    problems_[name] = removed.error().message;
    return;
  }
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
