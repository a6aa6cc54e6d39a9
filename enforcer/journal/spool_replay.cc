// SPDX-License-Identifier: Apache-2.0
#include "enforcer/journal/spool_replay.h"

#include <set>
#include <system_error>

#include "lib/base/log.h"
#include "lib/spool/tally.h"

namespace ward::enforcer {
namespace {

constexpr std::size_t kMostAtOnce = 32;  // each has a descriptor, and up to a batch in memory
constexpr std::size_t kBatchRecords = 256;
constexpr std::size_t kBatchBytes = 1U << 20U;

}  // namespace

SpoolReplay::SpoolReplay(Journal& journal, std::filesystem::path directory, std::filesystem::path tallies)
    : journal_(journal), directory_(std::move(directory)), tallies_(std::move(tallies)) {}

void SpoolReplay::scan() {
  std::error_code error;
  std::set<std::filesystem::path> found;
  std::filesystem::directory_iterator entry(directory_, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    std::error_code gone;
    if (entry->is_regular_file(gone) && !entry->is_symlink(gone)) found.insert(entry->path());
  }
  // A problem stays until its file was taken or is gone (N06); who cannot look knows of neither.
  if (error && error != std::errc::no_such_file_or_directory) {
    problems_[""] = "spool: cannot list '" + directory_.string() + "': " + error.message();
    return;
  }
  std::erase_if(problems_, [&](const auto& problem) { return !found.contains(directory_ / problem.first); });
  more_ = false;
  for (const auto& path : found) {
    if (taken_.contains(path.filename().string())) continue;
    if (more_ = taken_.size() >= kMostAtOnce; more_) break;
    take(path);
  }
}

void SpoolReplay::take(const std::filesystem::path& path) {
  auto spool = Spool::take_over(path);
  const std::string name = path.filename().string();
  if (!spool) {
    const Code code = spool.error().code;
    if (code == Code::kFailedPrecondition || code == Code::kNotFound) {
      problems_.erase(name);  // its shim lives, or has just delivered it
      return;
    }
    problems_[name] = "spool: " + spool.error().message;
    return;
  }
  taken_[name] = std::make_shared<Taken>(Taken{std::move(*spool)});
  pass_on(name);
}

void SpoolReplay::pass_on(const std::string& name) {
  const auto taken = taken_.at(name);
  auto batch = taken->spool.read(taken->offset, kBatchRecords, kBatchBytes);
  if (!batch) {
    problems_[name] = "spool: " + batch.error().message;
    taken_.erase(name);
    return;
  }
  taken->skipped += batch->skipped;
  std::vector<JournalEntry> entries;
  for (const std::string& record : batch->records) {
    JournalEntry entry{"violation", {}};
    if (!entry.body.ParseFromString(record)) {
      ++taken->skipped;
      continue;
    }
    entries.push_back(std::move(entry));
  }
  journal_.append(std::move(entries),
                  [this, name, taken, next = batch->next_offset, at_end = batch->at_end](const Result<void>& stored) {
                    if (!stored) {
                      // Given up for now, kept on disk: the next scan begins again, and what is journalled already
                      // stays once.
                      taken_.erase(name);
                      return;
                    }
                    taken->offset = next;
                    if (at_end) {
                      finish(name);
                    } else {
                      pass_on(name);
                    }
                  });
}

void SpoolReplay::finish(const std::string& name) {
  const auto taken = taken_.at(name);
  const auto remove = [this, name, taken](const Result<void>& stored) {
    const auto removed = stored ? taken->spool.remove() : stored;
    if (stored && !removed) problems_[name] = "spool: " + removed.error().message;
    if (removed) {
      problems_.erase(name);
      log::info("spool of a shim that ended is in the journal",
                {{"file", name}, {"damaged", std::to_string(taken->skipped)}});
    }
    taken_.erase(name);
    if (removed && more_) scan();  // one that stays would be taken again and again
  };
  const bool has_tally = find_tally(tallies_, tally_id(name));
  if (!has_tally) journal_.forget_account(tally_id(name));
  if (taken->skipped == 0) return remove({});
  JournalEntry loss{"spool-damaged", {}};
  loss.body.set_event_id("spool-damaged-" + name);
  // With a tally it is known how many violations they told of (lost_violations.h).
  if (!has_tally) loss.body.set_dropped_before(taken->skipped);
  loss.body.set_reason(std::to_string(taken->skipped) + " damaged records in the spool file " + name +
                       " could not be read");
  journal_.append({std::move(loss)}, remove);
}

std::vector<std::string> SpoolReplay::problems() const {
  std::vector<std::string> out;
  for (const auto& [name, problem] : problems_) out.push_back(problem);
  return out;
}

}  // namespace ward::enforcer
