// SPDX-License-Identifier: Apache-2.0
#include "cli/present/discovery.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "lib/base/escape.h"
#include "lib/base/utf8.h"

namespace ward::cli {
namespace {

constexpr std::array<const char*, 8> kHeights = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
constexpr std::size_t kWidth = 78;

std::string seconds(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f", value);
  return text.data();
}

}  // namespace

std::vector<NewCall> Discovery::look(const ward::v1::Recording& recording, double at_s) {
  std::vector<NewCall> fresh;
  for (const auto& call : recording.syscalls()) {
    for (const auto& [by, made] :
         {std::pair("workload", call.by_workload()), std::pair("exec", call.by_exec())}) {
      if (made && known_.emplace(call.name(), by).second)
        fresh.push_back({call.name(), by, call.count(), call.dangerous()});
    }
  }
  calls_ = std::max(calls_, static_cast<std::size_t>(recording.syscalls_size()));
  runs_ = recording.runs_size();
  const auto& missing = recording.coverage().life_events_missing();
  never_seen_.assign(missing.begin(), missing.end());
  if (!fresh.empty() || course_.empty()) course_.emplace_back(at_s, calls_);
  return fresh;
}

std::string Discovery::curve(double now_s, std::size_t columns) const {
  std::string text;
  if (calls_ == 0 || course_.empty()) return text;
  const double begin_s = course_.front().first;
  for (std::size_t i = 1; i <= columns; ++i) {
    const double until_s =
        begin_s + (now_s - begin_s) * static_cast<double>(i) / static_cast<double>(columns);
    std::size_t known = 0;
    for (const auto& [at_s, calls] : course_)
      if (at_s <= until_s || i == columns) known = calls;
    text += kHeights.at((known * (kHeights.size() - 1) + calls_ / 2) / calls_);
  }
  return text;
}

std::string Discovery::summary(double now_s) const {
  std::string text = std::to_string(calls_) + (calls_ == 1 ? " call " : " calls ") + curve(now_s);
  if (calls_ > 0) {
    const double ago_s = std::max(0.0, now_s - course_.back().first);
    text += ", the last new one " + std::to_string(std::lround(ago_s)) + " s ago";
  }
  std::string missing;
  for (const std::string& event : never_seen_)
    missing += (missing.empty() ? "; not exercised yet: " : ", ") + escape(event, 80);
  return text + missing;
}

std::string new_calls_text(const std::vector<NewCall>& calls, double at_s, const Style& style) {
  std::string text;
  for (const char* by : {"workload", "exec"}) {
    const std::string begin = "  +" + seconds(at_s) + "s  " + by + "  ";
    std::string line;
    std::size_t width = begin.size();
    for (const NewCall& call : calls) {
      if (call.by != by) continue;
      const std::string word = escape(call.name, 80) + " x" + std::to_string(call.count);
      if (width > begin.size() && width + word.size() + 2 > kWidth) {
        line += ",\n" + std::string(begin.size(), ' ');
        width = begin.size();
      } else if (width > begin.size()) {
        line += ", ";
      }
      line += call.dangerous ? style.bad(word) : word;
      width += word.size() + 2;
    }
    if (!line.empty()) text.append(begin).append(line).append("\n");
  }
  return text;
}

std::string cut_to_columns(const std::string& line, std::size_t columns) {
  std::string_view rest = line;
  for (; columns > 0 && !rest.empty(); --columns)
    rest.remove_prefix(std::max<std::size_t>(utf8_length(rest), 1));
  return line.substr(0, line.size() - rest.size());
}

}  // namespace ward::cli
