// SPDX-License-Identifier: Apache-2.0
#include "enforcer/systemd/journald.h"

// The place would be this file, whoever logged.
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <systemd/sd-journal.h>

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "lib/base/escape.h"

namespace ward::enforcer {
namespace {

constexpr std::size_t kMaxValue = 4096;  // as in a line
constexpr std::size_t kMaxName = 64;     // journald drops a field with a longer one

int priority(log::Level level) {
  switch (level) {
    case log::Level::kDebug: return LOG_DEBUG;
    case log::Level::kInfo: return LOG_INFO;
    case log::Level::kWarn: return LOG_WARNING;
    case log::Level::kError: return LOG_ERR;
  }
  return LOG_INFO;
}

// Of a field journald takes A-Z, 0-9 and '_'.
std::string field_name(std::string_view key) {
  std::string name = "WARD_";
  for (const char c : key) {
    if (c >= 'a' && c <= 'z') {
      name += static_cast<char>(c - 'a' + 'A');
    } else {
      name += (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ? c : '_';
    }
  }
  return name.substr(0, kMaxName);
}

using Entry = std::vector<std::string>;

void send(Entry entry) {
  std::vector<iovec> parts;
  parts.reserve(entry.size());
  for (std::string& field : entry) parts.push_back({field.data(), field.size()});
  if (::sd_journal_sendv(parts.data(), static_cast<int>(parts.size())) != 0) log::count_dropped();
}

// Shared with the thread, which may be left behind in a journald that does not read.
struct Queue {
  bool add(Entry entry) {
    const std::lock_guard lock(mutex);
    if (waiting.size() >= JournaldLog::kMaxWaiting) return false;
    waiting.push_back(std::move(entry));
    changed.notify_all();
    return true;
  }
  void work() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [this] { return ended || !waiting.empty(); });
      if (waiting.empty()) break;
      Entry next = std::move(waiting.front());
      waiting.pop_front();
      lock.unlock();
      send(std::move(next));
      lock.lock();
    }
    done = true;
    changed.notify_all();
  }
  void end() {
    std::unique_lock lock(mutex);
    ended = true;
    changed.notify_all();
    changed.wait_for(lock, JournaldLog::kLastWords, [this] { return done; });
  }

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Entry> waiting;
  bool ended = false;
  bool done = false;
};

// A sink is a plain function: log::write() must need nothing but it.
std::shared_ptr<Queue>& queue() {
  static std::shared_ptr<Queue> now;
  return now;
}

bool add_record(log::Level level, std::string_view message,
                std::initializer_list<log::Field> fields) {
  return queue()->add(journal_entry(level, message, fields));
}

}  // namespace

bool is_journal_stream(const char* journal_stream, int fd) {
  struct stat found = {};
  if (journal_stream == nullptr || ::fstat(fd, &found) != 0) return false;
  return std::to_string(found.st_dev) + ":" + std::to_string(found.st_ino) == journal_stream;
}

std::vector<std::string> journal_entry(log::Level level, std::string_view message,
                                       std::initializer_list<log::Field> fields) {
  std::vector<std::string> entry{
      "PRIORITY=" + std::to_string(priority(level)),
      "MESSAGE=" + escape(message, kMaxValue) + log::fields_text(fields)};
  for (const auto& [key, value] : fields)
    entry.push_back(field_name(key) + "=" + escape(value, kMaxValue));
  return entry;
}

JournaldLog::JournaldLog() {
  queue() = std::make_shared<Queue>();
  std::thread([mine = queue()] { mine->work(); }).detach();
  log::set_record_sink(add_record);
}

// The queue stays: a thread of ours may be in the middle of a record.
JournaldLog::~JournaldLog() {
  log::set_record_sink(nullptr);
  queue()->end();
}

}  // namespace ward::enforcer
