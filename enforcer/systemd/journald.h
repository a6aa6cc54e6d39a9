// SPDX-License-Identifier: Apache-2.0
// wardd's log as entries of systemd's journal, where that reads wardd's stderr. (What Ward itself
// calls the journal is enforcer/journal.)
#pragma once

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

// For log::set_record_sink(). Waits where journald does not read, as a write to its stream would.
bool write_to_journald(log::Level level, std::string_view message,
                       std::initializer_list<log::Field> fields);

}  // namespace ward::enforcer
