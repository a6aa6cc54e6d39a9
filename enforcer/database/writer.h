// SPDX-License-Identifier: Apache-2.0
// The one writer of <state>/ward.db: a thread of its own, so that a slow disk never holds up the core loop. Jobs that
// queue up while a commit is running share the next one (group commit). submit() is called, and every `done` runs, on
// the core loop; the jobs run on the writer's thread and see nothing but the connection.
#pragma once

#include <asio/io_context.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "enforcer/database/connection.h"
#include "lib/base/result.h"

namespace ward::enforcer {

class Writer {
 public:
  using Job = std::function<Result<void>(Connection&)>;
  using Done = std::function<void(Result<void>)>;

  // Opens the file and its tables. Where that fails, problem() says why, every job fails with kUnavailable, and the
  // writer tries again now and then.
  Writer(asio::io_context& core, std::filesystem::path database);
  ~Writer();  // commits what is queued; the answers of that no longer arrive
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // `done` gets success only when the job's changes are on disk.
  void submit(Job job, Done done);

  [[nodiscard]] std::optional<std::string> problem() const;  // what keeps it from writing, for people

  // `drained` runs on the core loop when everything submitted so far was answered.
  void drain(std::function<void()> drained);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace ward::enforcer
