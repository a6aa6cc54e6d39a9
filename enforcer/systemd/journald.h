// SPDX-License-Identifier: Apache-2.0
// wardd's log as entries of systemd's journal, where that reads wardd's stderr. (What Ward itself
// calls the journal is enforcer/journal.)
#pragma once

#include <chrono>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/log.h"

namespace ward::enforcer {

// systemd sets JOURNAL_STREAM to "device:inode" of the socket that it gave a service. A process
// further down may have it from its parents, with another stderr.
bool is_journal_stream(const char* journal_stream, int fd);

// "KEY=value" each: PRIORITY, MESSAGE, and WARD_<KEY> for a field. MESSAGE has the fields as well,
// because `journalctl -u wardd` shows nothing else.
std::vector<std::string> journal_entry(log::Level level, std::string_view message,
                                       std::initializer_list<log::Field> fields);

// While it lives, log records go to journald instead of the descriptor. A thread of its own waits
// where journald does not read; whoever logs never does. One at a time.
class JournaldLog {
 public:
  static constexpr std::size_t kMaxWaiting = 1024;      // records; more are lost, and counted
  static constexpr std::chrono::seconds kLastWords{1};  // for what waits, at the end

  JournaldLog();
  ~JournaldLog();
  JournaldLog(const JournaldLog&) = delete;
  JournaldLog& operator=(const JournaldLog&) = delete;
};

}  // namespace ward::enforcer
