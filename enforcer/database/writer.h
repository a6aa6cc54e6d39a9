// SPDX-License-Identifier: Apache-2.0
// The one writer of <state>/ward.db: a thread of its own, so that a slow disk never holds up the
// core loop. Jobs that queue up while a commit is running share the next one (group commit).
// submit() is called, and every `done` runs, on the core loop; the jobs run on the writer's thread
// and see nothing but the connection. Looks every second, and before it acknowledges anything,
// whether the database's files are still there: what is taken away is saved and made anew.
#pragma once

#include <asio/io_context.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "enforcer/database/connection.h"
#include "lib/base/result.h"

namespace ward::enforcer {

class Reader;

class Writer {
 public:
  using Job = std::function<Result<void>(Connection&)>;
  using Done = std::function<void(Result<void>)>;

  // Opens the file and its tables. Where that fails, problem() says why, every job fails with
  // kUnavailable, and the writer tries again now and then.
  Writer(asio::io_context& core, std::filesystem::path database);
  ~Writer();  // commits what is queued; the answers of that no longer arrive
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // `done` gets success only when the job's changes are on disk, and in the file that has the
  // database's name. `subject` is what a failure is said of.
  void submit(Job job, Done done, std::string_view subject = "database");

  // What keeps it from writing, for people. It stays until what failed succeeds, or a proof: as
  // much is written again.
  [[nodiscard]] std::optional<std::string> problem() const;

  // Files that were taken away under us, and what became of that.
  [[nodiscard]] std::vector<std::string> repairs() const;
  void on_repair(std::function<void(const std::string&)> repaired);

  // Connections that have to close before the files can be opened anew. See Reader.
  void attach(Reader* reader);
  void detach(Reader* reader);
  [[nodiscard]] bool is_repairing() const;

  // `drained` runs on the core loop when everything submitted so far was answered.
  void drain(std::function<void()> drained);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace ward::enforcer
