// SPDX-License-Identifier: Apache-2.0
#include "enforcer/journal/spool_replay.h"

#include <sys/stat.h>

#include <optional>
#include <system_error>
#include <utility>

#include "lib/base/log.h"
#include "lib/spool/tally.h"

namespace ward::enforcer {
namespace {

constexpr std::size_t kMostAtOnce = 32;  // each has a descriptor, and up to a batch in memory
constexpr std::size_t kBatchRecords = 256;
constexpr std::size_t kBatchBytes = 1U << 20U;

// 0 where it cannot be known; no file has that.
std::uint64_t inode_of(const std::filesystem::path& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

// A job of the writer's that brings no entries.
template <typename Job>
Journal::Make no_entries(Job job) {
  return [job = std::move(job)](Connection& connection) -> Result<std::vector<JournalEntry>> {
    if (const Result<void> done = job(connection); !done)
      return tl::unexpected<Error>(done.error());
    return std::vector<JournalEntry>{};
  };
}

}  // namespace

SpoolReplay::SpoolReplay(Journal& journal, std::filesystem::path directory,
                         std::filesystem::path tallies)
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
  std::erase_if(problems_,
                [&](const auto& problem) { return !found.contains(directory_ / problem.first); });
  if (!error && !listed_) forget_files_but(found);
  more_ = false;
  for (const auto& path : found) {
    if (taken_.contains(path.filename().string())) continue;
    if (more_ = taken_.size() >= kMostAtOnce; more_) break;
    take(path);
  }
}

// Files that went away while no wardd looked.
void SpoolReplay::forget_files_but(const std::set<std::filesystem::path>& found) {
  listed_ = true;
  std::set<std::string> names;
  for (const auto& path : found) names.insert(path.filename().string());
  journal_.append_made(no_entries([names](Connection& connection) {
                         return forget_replay_places_but(connection, names);
                       }),
                       [](const Result<void>&) {});
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
  const auto taken = std::make_shared<Taken>(Taken{std::move(*spool), {}});
  taken->place.inode = inode_of(path);
  taken_[name] = taken;
  // Asked of the writer, which is behind everything that was submitted before.
  auto known = std::make_shared<std::optional<ReplayPlace>>();
  journal_.append_made(no_entries([name, known](Connection& connection) -> Result<void> {
                         auto place = read_replay_place(connection, name);
                         if (!place) return tl::unexpected<Error>(place.error());
                         *known = *place;
                         return {};
                       }),
                       [this, name, taken, known](const Result<void>& asked) {
                         if (!asked) {
                           taken_.erase(name);  // it stays on disk, and the next scan begins again
                           return;
                         }
                         const bool same = *known && (*known)->inode == taken->place.inode &&
                                           taken->place.inode != 0 &&
                                           (*known)->read_to <= taken->spool.size_bytes();
                         if (same) taken->place = **known;
                         pass_on(name);
                       });
}

void SpoolReplay::pass_on(const std::string& name) {
  const auto taken = taken_.at(name);
  auto batch = taken->spool.read(taken->place.read_to, kBatchRecords, kBatchBytes);
  if (!batch) {
    problems_[name] = "spool: " + batch.error().message;
    taken_.erase(name);
    return;
  }
  ReplayPlace next = taken->place;
  next.read_to = batch->next_offset;
  next.skipped += batch->skipped;
  std::vector<JournalEntry> entries;
  for (const std::string& record : batch->records) {
    JournalEntry entry{EventKind::kViolation, {}};
    if (!entry.body.ParseFromString(record)) {
      ++next.skipped;
      continue;
    }
    entry.kind = kind_of(entry.body);
    entries.push_back(std::move(entry));
  }
  journal_.append_made(
      [entries = std::move(entries), name,
       next](Connection& connection) -> Result<std::vector<JournalEntry>> {
        auto kept = write_replay_place(connection, name, next);
        return kept ? Result<std::vector<JournalEntry>>(entries)
                    : tl::unexpected<Error>(kept.error());
      },
      [this, name, taken, next, at_end = batch->at_end](const Result<void>& stored) {
        if (!stored) {
          taken_.erase(
              name);  // given up for now, kept on disk: the next scan goes on from its place
          return;
        }
        taken->place = next;
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
                {{"file", name}, {"damaged", std::to_string(taken->place.skipped)}});
      journal_.append_made(no_entries([name](Connection& connection) {
                             return forget_replay_place(connection, name);
                           }),
                           [](const Result<void>&) {});
    }
    taken_.erase(name);
    if (removed && more_) scan();  // one that stays would be taken again and again
  };
  const bool has_tally = find_tally(tallies_, tally_id(name));
  if (!has_tally) journal_.forget_account(tally_id(name));
  const std::uint64_t skipped = taken->place.skipped;
  if (skipped == 0) return remove({});
  JournalEntry loss{EventKind::kSpoolDamaged, {}};
  loss.body.set_event_id("spool-damaged-" + name);
  // With a tally it is known how many violations they told of (lost_violations.h).
  if (!has_tally) loss.body.set_dropped_before(skipped);
  loss.body.set_reason(std::to_string(skipped) + " damaged records in the spool file " + name +
                       " could not be read");
  ReplayPlace told = taken->place;
  told.skipped = 0;
  journal_.append_made(
      [loss = std::move(loss), name,
       told](Connection& connection) -> Result<std::vector<JournalEntry>> {
        auto kept = write_replay_place(connection, name, told);
        return kept ? Result<std::vector<JournalEntry>>(std::vector<JournalEntry>{loss})
                    : tl::unexpected<Error>(kept.error());
      },
      remove);
}

std::vector<std::string> SpoolReplay::problems() const {
  std::vector<std::string> out;
  for (const auto& [name, problem] : problems_) out.push_back(problem);
  return out;
}

}  // namespace ward::enforcer
