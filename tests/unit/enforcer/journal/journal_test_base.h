// SPDX-License-Identifier: Apache-2.0
// A journal on a database of its own, and what to put into it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "enforcer/journal/journal.h"
#include "lib/base/clock.h"
#include "tests/unit/enforcer/run_until.h"
#include "tests/unit/enforcer/scratch_directory.h"

namespace ward::enforcer {

inline JournalEntry violation(const std::string& id, const std::string& container = "web") {
  JournalEntry entry{EventKind::kViolation, {}};
  entry.body.set_event_id(id);
  entry.body.set_wall_ns(wall_ns());
  entry.body.mutable_identity()->set_containerd_namespace("default");
  entry.body.mutable_identity()->set_container_id(container);
  entry.body.set_syscall("unshare");
  return entry;
}

class JournalTest : public testing::Test {
 protected:
  void open() {
    writer_.emplace(loop_, database());
    journal_.emplace(*writer_, database(), JournalLimits{});
  }
  void close() {
    journal_.reset();
    writer_.reset();
  }
  std::filesystem::path database() { return directory_.path() / "ward.db"; }

  Result<void> append(std::vector<JournalEntry> entries) {
    std::optional<Result<void>> answer;
    journal_->append(std::move(entries), [&](Result<void> result) { answer = std::move(result); });
    EXPECT_TRUE(test::run_until(loop_, [&] { return answer.has_value(); }));
    return answer.value_or(fail(Code::kDeadlineExceeded, "no answer"));
  }
  std::vector<std::string> ids(const std::string& container = "") {
    std::vector<std::string> out;
    const auto records = journal_->read(0, container, 100);
    EXPECT_TRUE(records) << records.error().message;
    if (records) {
      for (const auto& record : *records) out.push_back(record.entry.body.event_id());
    }
    return out;
  }

  test::ScratchDirectory directory_;
  asio::io_context loop_;
  std::optional<Writer> writer_;
  std::optional<Journal> journal_;
};

}  // namespace ward::enforcer
