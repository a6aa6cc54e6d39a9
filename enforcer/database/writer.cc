// SPDX-License-Identifier: Apache-2.0
#include "enforcer/database/writer.h"

#include <algorithm>
#include <asio/post.hpp>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "enforcer/database/database_files.h"
#include "enforcer/database/reader.h"
#include "enforcer/database/schema.h"
#include "lib/base/log.h"

namespace ward::enforcer {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kLargestBatch = 512;
constexpr std::chrono::seconds kReopenAfter{5};
constexpr std::chrono::seconds kLookEvery{
    1};  // at the files, and whether what failed would succeed now
// What a proof writes: twice what failed, and at least what the next batch of a shim may need.
constexpr std::uint64_t kLeastProof = 1U << 20U;
constexpr std::uint64_t kLargestProof = 64U << 20U;
constexpr const char* kKept = "; shims keep their events until this is repaired";

struct Task {
  Writer::Job job;
  Writer::Done done;
  std::string subject;
};

struct Trouble {
  std::string text;
  bool damage = false;  // of the file: room does not repair it
};

Result<Connection> open_with_tables(const std::filesystem::path& path) {
  auto connection = Connection::open(path, Access::kReadWrite);
  if (!connection) return connection;
  if (auto made = apply_schema(*connection); !made)
    return fail_with("'" + path.string() + "'", made.error());
  return connection;
}

// One job fails alone; a commit that fails fails all.
void run_batch(Connection& connection, std::vector<Task>& batch,
               std::vector<Result<void>>& results) {
  if (auto begun = connection.execute("BEGIN IMMEDIATE"); !begun) {
    results.assign(batch.size(), begun);
    return;
  }
  for (const Task& task : batch) {
    Result<void> result = connection.execute("SAVEPOINT job");
    if (result) result = task.job(connection);
    if (!result) {
      // SQLITE_FULL and friends may have rolled back everything already: then this fails, and the
      // commit tells.
      (void)connection.execute("ROLLBACK TO job");
    }
    (void)connection.execute("RELEASE job");
    results.push_back(std::move(result));
  }
  if (auto committed = connection.execute("COMMIT"); !committed) {
    (void)connection.execute("ROLLBACK");
    for (Result<void>& result : results) {
      if (result) result = committed;
    }
  }
}

bool is_trouble(const Result<void>& result) {
  return !result && (result.error().code == Code::kResourceExhausted ||
                     result.error().code == Code::kUnavailable ||
                     result.error().code == Code::kFailedPrecondition ||
                     result.error().code == Code::kInternal);
}

Result<void> write_and_remove(Connection& connection, std::uint64_t bytes) {
  const std::string size = std::to_string(bytes);
  auto written = connection.execute(
      "BEGIN IMMEDIATE;"
      "CREATE TABLE IF NOT EXISTS proof (id INTEGER PRIMARY KEY, room BLOB NOT NULL);"
      "INSERT OR REPLACE INTO proof VALUES (1, zeroblob(" +
      size +
      "));"
      "COMMIT");
  if (!written) {
    (void)connection.execute("ROLLBACK");
    return written;
  }
  return connection.execute("DELETE FROM proof");
}

// Everything that is committed goes into the database itself, whose file is in its place.
Result<void> empty_log(Connection& connection) {
  auto statement = connection.prepare("PRAGMA wal_checkpoint(TRUNCATE)");
  if (!statement) return tl::unexpected<Error>(statement.error());
  auto row = statement->step();
  if (!row) return tl::unexpected<Error>(row.error());
  if (*row && statement->integer(0) != 0)
    return fail(Code::kUnavailable, "the database is being read");
  return {};
}

Result<void> copy_all(Connection& connection, const DatabaseFiles& files) {
  std::error_code ignored;  // what cannot be made shows below
  std::filesystem::create_directories(files.copy().parent_path(), ignored);
  std::filesystem::remove(files.copy(), ignored);
  auto statement = connection.prepare("VACUUM INTO ?");
  if (!statement) return tl::unexpected<Error>(statement.error());
  if (auto copied = statement->bind(files.copy().string()).run(); !copied) return copied;
  return files.seal_copy();
}

}  // namespace

struct Writer::State {
  State(asio::io_context& loop, std::filesystem::path database)
      : core(loop), path(std::move(database)), files(path) {}

  asio::io_context& core;
  const std::filesystem::path path;

  std::mutex mutex;  // guards what follows
  std::condition_variable wake;
  std::deque<Task> queue;
  std::map<std::string, Trouble> troubles;  // by what failed
  std::vector<std::string> repairs;
  bool readers_are_closed = false;
  bool stopping = false;

  std::set<Reader*> readers;                         // the core loop's
  std::function<void(const std::string&)> repaired;  // the core loop's
  std::atomic<bool> repairing = false;               // no reader may open meanwhile

  std::optional<Connection> connection;  // this and what follows: the thread's alone, once it runs
  DatabaseFiles files;
  Clock::time_point opened_at;
  Clock::time_point next_proof;
  std::uint64_t failed_bytes = 0;
  std::thread thread;

  void trouble(const std::string& subject, std::string text, bool damage = false) {
    const std::lock_guard lock(mutex);
    if (troubles.find(subject) == troubles.end()) log::error(text);
    troubles[subject] = {std::move(text), damage};
  }

  void settled(const std::string& subject) {
    const std::lock_guard lock(mutex);
    if (troubles.erase(subject) != 0) log::info("database: settled", {{"what", subject}});
  }

  void open() {
    opened_at = Clock::now();
    auto placed = files.put_copy_in_place();
    auto opened = placed ? open_with_tables(path) : tl::unexpected<Error>(placed.error());
    if (!opened) return trouble("open", "journal: " + opened.error().message + kKept);
    files.note();
    connection.emplace(std::move(*opened));
    settled("open");
  }

  // A failure stays until what failed would succeed: that a smaller write fits onto a full disk
  // says nothing.
  void note(const std::vector<Task>& batch, const std::vector<Result<void>>& results) {
    bool failed = false;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const std::string& subject = batch[i].subject;
      if (is_trouble(results[i])) {
        failed = true;
        const Error& error = results[i].error();
        trouble(subject, subject + ": " + error.message + kKept, error.code == Code::kInternal);
      } else if (results[i] && has_damage(subject)) {
        settled(subject);
      }
    }
    const std::uint64_t bytes = connection->bytes_bound();
    if (failed) {
      failed_bytes = std::max(failed_bytes, bytes);
    } else if (failed_bytes > 0 && bytes >= failed_bytes) {
      settle_unproven();
    }
    prove();
  }

  bool has_damage(const std::string& subject) {
    const std::lock_guard lock(mutex);
    const auto found = troubles.find(subject);
    return found != troubles.end() && found->second.damage;
  }

  // The subjects whose writes failed for want of room, of rights or of a lock.
  std::vector<std::string> unproven() {
    const std::lock_guard lock(mutex);
    std::vector<std::string> out;
    for (const auto& [subject, trouble] : troubles) {
      if (!trouble.damage && subject != "open" && subject != "files") out.push_back(subject);
    }
    return out;
  }

  void prove() {
    if (!connection || unproven().empty() || Clock::now() < next_proof) return;
    const auto bytes = std::clamp(failed_bytes * 2, kLeastProof, kLargestProof);
    if (!write_and_remove(*connection, bytes)) {
      next_proof = Clock::now() + kLookEvery;
      return;
    }
    settle_unproven();
  }

  void settle_unproven() {
    failed_bytes = 0;
    for (const std::string& subject : unproven()) settled(subject);
  }

  // True where the files are the ones that were opened, perhaps because they were made so. What was
  // committed before that is on disk then, also what was written to a file without a name.
  bool files_are_well(const std::shared_ptr<State>& self) {
    if (!connection) return false;
    const auto found = files.look();
    if (found.harm == DatabaseFiles::Harm::kNone) {
      settled("files");  // brought back
      return true;
    }
    const std::string what = "journal: " + found.what + " while wardd runs";
    trouble("files", what + ": nothing is acknowledged until what it held is saved");
    const bool cut = found.harm == DatabaseFiles::Harm::kCut;
    if (cut) connection->leave_log_alone();  // the next one reads what is whole of it
    Result<void> saved;
    if (found.harm == DatabaseFiles::Harm::kLog) saved = empty_log(*connection);
    if (found.harm == DatabaseFiles::Harm::kDatabase) saved = copy_all(*connection, files);
    if (!saved) {
      trouble("files", what + ", and it cannot be saved: " + saved.error().message + kKept);
      return false;
    }
    reopen(self);
    if (!connection) return false;
    settled("files");
    const std::string said =
        found.what + " while wardd ran; " +
        (cut ? "what was not in the database yet is lost" : "all that was acknowledged was saved");
    {
      const std::lock_guard lock(mutex);
      repairs = {said};
    }
    asio::post(core, [self, said] {
      if (self->repaired) self->repaired(said);
    });
    return !cut;  // what was just committed may have been behind the cut
  }

  // All connections of a process share what they know of the log: none may stay open.
  void reopen(const std::shared_ptr<State>& self) {
    repairing = true;
    asio::post(core, [self] {
      for (Reader* reader : self->readers) reader->close();
      {
        const std::lock_guard lock(self->mutex);
        self->readers_are_closed = true;
      }
      self->wake.notify_all();
    });
    {
      std::unique_lock lock(mutex);
      wake.wait(lock, [&] { return readers_are_closed || stopping; });
      readers_are_closed = false;
    }
    connection.reset();
    open();
    repairing = false;
  }

  void look_after(const std::shared_ptr<State>& self) {
    if (!connection && Clock::now() - opened_at > kReopenAfter) open();
    if (connection && files_are_well(self)) prove();
  }

  std::vector<Result<void>> commit(const std::shared_ptr<State>& self, std::vector<Task>& batch) {
    std::vector<Result<void>> results;
    // Twice: it says no, too, where the repair lost something.
    if (!files_are_well(self) && !files_are_well(self)) {
      results.assign(batch.size(), fail(Code::kUnavailable, first_trouble()));
      return results;
    }
    connection->count_bytes_from_now();
    run_batch(*connection, batch, results);
    note(batch, results);
    if (files_are_well(self)) return results;
    for (Result<void>& result : results) {
      if (result) result = fail(Code::kUnavailable, first_trouble());
    }
    return results;
  }

  std::string first_trouble() {
    const std::lock_guard lock(mutex);
    return troubles.empty() ? "journal: closed" : troubles.begin()->second.text;
  }

  void run(const std::shared_ptr<State>& self) {
    for (;;) {
      std::vector<Task> batch;
      {
        std::unique_lock lock(mutex);
        wake.wait_for(lock, kLookEvery, [&] { return stopping || !queue.empty(); });
        if (queue.empty() && stopping) return;
        while (!queue.empty() && batch.size() < kLargestBatch) {
          batch.push_back(std::move(queue.front()));
          queue.pop_front();
        }
      }
      look_after(self);
      if (batch.empty()) continue;
      auto results = commit(self, batch);
      asio::post(core, [self, batch = std::move(batch), results = std::move(results)]() mutable {
        for (std::size_t i = 0; i < batch.size(); ++i) {
          if (batch[i].done) batch[i].done(std::move(results[i]));
        }
      });
    }
  }
};

Writer::Writer(asio::io_context& core, std::filesystem::path database)
    : state_(std::make_shared<State>(core, std::move(database))) {
  state_->open();
  state_->thread = std::thread([state = state_] { state->run(state); });
}

Writer::~Writer() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->wake.notify_one();
  state_->thread.join();
  state_->connection.reset();  // what was posted to the loop may live longer
}

void Writer::submit(Job job, Done done, std::string_view subject) {
  {
    const std::lock_guard lock(state_->mutex);
    state_->queue.push_back({std::move(job), std::move(done), std::string(subject)});
  }
  state_->wake.notify_one();
}

std::optional<std::string> Writer::problem() const {
  const std::lock_guard lock(state_->mutex);
  std::optional<std::string> all;
  for (const auto& [subject, trouble] : state_->troubles)
    all = all ? *all + "; " + trouble.text : trouble.text;
  return all;
}

std::vector<std::string> Writer::repairs() const {
  const std::lock_guard lock(state_->mutex);
  return state_->repairs;
}

void Writer::on_repair(std::function<void(const std::string&)> repaired) {
  state_->repaired = std::move(repaired);
}

void Writer::attach(Reader* reader) { state_->readers.insert(reader); }
void Writer::detach(Reader* reader) { state_->readers.erase(reader); }
bool Writer::is_repairing() const { return state_->repairing; }

void Writer::drain(std::function<void()> drained) {
  submit([](Connection&) -> Result<void> { return {}; },
         [drained = std::move(drained)](const Result<void>&) { drained(); });
}

}  // namespace ward::enforcer
