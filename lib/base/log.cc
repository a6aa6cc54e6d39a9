// SPDX-License-Identifier: Apache-2.0
#include "lib/base/log.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "lib/base/clock.h"
#include "lib/base/escape.h"
#include "lib/base/rfc3339.h"

namespace ward::log {
namespace {

std::atomic<Level> threshold{Level::kInfo};
std::atomic<int> sink{2};
std::atomic<RecordSink> record_sink{nullptr};
std::atomic<std::uint64_t> lost{0};

std::string_view level_name(Level level) {
  switch (level) {
    case Level::kDebug: return "debug";
    case Level::kInfo: return "info";
    case Level::kWarn: return "warning";
    case Level::kError: return "error";
  }
  return "info";
}

std::string in_quotes(std::string_view value) {
  std::string out = "\"";
  for (const char c : escape(value, 4096)) {
    if (c == '"') out += '\\';
    out += c;
  }
  return out + '"';
}

}  // namespace

void set_level(Level level) { threshold = level; }
void set_sink(int fd) { sink = fd; }
void set_record_sink(RecordSink to) { record_sink = to; }
std::uint64_t dropped() { return lost; }
void count_dropped() { ++lost; }

std::string fields_text(std::initializer_list<Field> fields) {
  std::string text;
  for (const auto& [key, value] : fields) {
    text += ' ';
    text += key;
    text += '=';
    text += in_quotes(value);
  }
  return text;
}

void write(Level level, std::string_view message, std::initializer_list<Field> fields) {
  if (level < threshold.load()) return;
  if (const RecordSink take = record_sink.load(); take != nullptr) {
    if (!take(level, message, fields)) ++lost;
    return;
  }
  std::string line = "time=\"" + format_rfc3339(wall_ns()) + "\" level=";
  line += level_name(level);
  line += " msg=";
  line += in_quotes(message);
  line += fields_text(fields);
  line += '\n';
  // One write per line keeps lines whole; a reader that is gone or slow must not stop us.
  if (::write(sink.load(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) ++lost;
}

}  // namespace ward::log
