// SPDX-License-Identifier: Apache-2.0
// One line per record in logrus text form (containerd copies a shim's log verbatim to its own).
// A line that a full or broken sink does not take is dropped and counted; it blocks only where the
// sink's descriptor does (the shim's does not). Values are escaped here; callers pass them raw.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace ward::log {

enum class Level { kDebug, kInfo, kWarn, kError };

using Field = std::pair<std::string_view, std::string>;

void set_level(Level level);
void set_sink(int fd);  // default 2; borrowed
// Takes records instead of the line on a descriptor, where a program has a better place for them.
// Any thread may call it, and it must not block; false: the record was lost.
using RecordSink = bool (*)(Level, std::string_view message, std::initializer_list<Field>);
void set_record_sink(RecordSink sink);  // nullptr: lines again
// ` key="value"` for each field, as they stand in a line.
std::string fields_text(std::initializer_list<Field> fields);
void write(Level level, std::string_view message, std::initializer_list<Field> fields = {});
std::uint64_t dropped();
void count_dropped();  // for a sink that loses a record after it has taken it

inline void debug(std::string_view m, std::initializer_list<Field> f = {}) {
  write(Level::kDebug, m, f);
}
inline void info(std::string_view m, std::initializer_list<Field> f = {}) {
  write(Level::kInfo, m, f);
}
inline void warn(std::string_view m, std::initializer_list<Field> f = {}) {
  write(Level::kWarn, m, f);
}
inline void error(std::string_view m, std::initializer_list<Field> f = {}) {
  write(Level::kError, m, f);
}

}  // namespace ward::log
