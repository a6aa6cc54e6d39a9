// SPDX-License-Identifier: Apache-2.0
#include "enforcer/database/writer.h"

#include <asio/post.hpp>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "enforcer/database/schema.h"
#include "lib/base/log.h"

namespace ward::enforcer {
namespace {

constexpr std::size_t kLargestBatch = 512;
constexpr std::chrono::seconds kReopenAfter{5};

struct Task {
  Writer::Job job;
  Writer::Done done;
};

Result<Connection> open_with_tables(const std::filesystem::path& path) {
  auto connection = Connection::open(path, Access::kReadWrite);
  if (!connection) return connection;
  if (auto made = apply_schema(*connection); !made) return fail_with("'" + path.string() + "'", made.error());
  return connection;
}

// One job fails alone; a commit that fails fails all.
void run_batch(Connection& connection, std::vector<Task>& batch, std::vector<Result<void>>& results) {
  if (auto begun = connection.execute("BEGIN IMMEDIATE"); !begun) {
    results.assign(batch.size(), begun);
    return;
  }
  for (const Task& task : batch) {
    Result<void> result = connection.execute("SAVEPOINT job");
    if (result) result = task.job(connection);
    if (!result) {
      // SQLITE_FULL and friends may have rolled back everything already: then this fails, and the commit tells.
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
  return !result && (result.error().code == Code::kResourceExhausted || result.error().code == Code::kUnavailable ||
                     result.error().code == Code::kFailedPrecondition || result.error().code == Code::kInternal);
}

}  // namespace

struct Writer::State {
  explicit State(asio::io_context& loop, std::filesystem::path database) : core(loop), path(std::move(database)) {}

  asio::io_context& core;
  const std::filesystem::path path;

  std::mutex mutex;  // guards what follows
  std::condition_variable wake;
  std::deque<Task> queue;
  std::optional<std::string> trouble;
  bool stopping = false;

  std::optional<Connection> connection;  // the thread's alone, once it runs
  std::chrono::steady_clock::time_point opened_at;
  std::thread thread;

  void open() {
    opened_at = std::chrono::steady_clock::now();
    auto opened = open_with_tables(path);
    const std::lock_guard lock(mutex);
    if (opened) {
      connection.emplace(std::move(*opened));
      trouble.reset();
      return;
    }
    trouble = "journal: " + opened.error().message + "; events stay in the shims' spools until this is repaired";
    log::error("database does not open", {{"error", opened.error().message}});
  }

  void note(const std::vector<Result<void>>& results) {
    std::optional<std::string> found;
    for (const Result<void>& result : results) {
      if (is_trouble(result)) found = result.error().message;
    }
    const std::lock_guard lock(mutex);
    if (!found) {
      trouble.reset();
      return;
    }
    if (!trouble) log::error("database does not write", {{"error", *found}});
    trouble = "journal: " + *found + "; events stay in the shims' spools until this is repaired";
  }

  void run(const std::shared_ptr<State>& self) {
    for (;;) {
      std::vector<Task> batch;
      {
        std::unique_lock lock(mutex);
        wake.wait(lock, [&] { return stopping || !queue.empty(); });
        if (queue.empty()) return;
        while (!queue.empty() && batch.size() < kLargestBatch) {
          batch.push_back(std::move(queue.front()));
          queue.pop_front();
        }
      }
      if (!connection && std::chrono::steady_clock::now() - opened_at > kReopenAfter) open();
      std::vector<Result<void>> results;
      if (connection) {
        run_batch(*connection, batch, results);
        note(results);
      } else {
        const std::lock_guard lock(mutex);
        results.assign(batch.size(), fail(Code::kUnavailable, trouble.value_or("journal: closed")));
      }
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
}

void Writer::submit(Job job, Done done) {
  {
    const std::lock_guard lock(state_->mutex);
    state_->queue.push_back({std::move(job), std::move(done)});
  }
  state_->wake.notify_one();
}

std::optional<std::string> Writer::problem() const {
  const std::lock_guard lock(state_->mutex);
  return state_->trouble;
}

void Writer::drain(std::function<void()> drained) {
  submit([](Connection&) -> Result<void> { return {}; },
         [drained = std::move(drained)](const Result<void>&) { drained(); });
}

}  // namespace ward::enforcer
