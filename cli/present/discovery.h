// SPDX-License-Identifier: Apache-2.0
// What is new in a recording while it grows: which calls, by whom and how often, how the number of
// calls went over time, and what of a container's life was not seen yet. Values in, text out; who
// looks, and when, is the verb's business.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cli/present/style.h"
#include "ward/v1/api.pb.h"

namespace ward::cli {

struct NewCall {
  std::string name;
  std::string by;  // "workload", "exec"
  std::uint64_t count = 0;
  bool dangerous = false;
  bool operator==(const NewCall&) const = default;
};

class Discovery {
 public:
  // What the recording has that the one before it had not. `at_s`: since the first look.
  std::vector<NewCall> look(const ward::v1::Recording& recording, double at_s);

  [[nodiscard]] std::size_t calls() const { return calls_; }  // a name counts once, whoever made it
  [[nodiscard]] int runs() const { return runs_; }
  [[nodiscard]] const std::vector<std::string>& never_seen() const { return never_seen_; }

  // How many calls were known, from the first look until now, in so many columns: "▁▃▆▇▇███". Flat
  // means that nothing new comes.
  [[nodiscard]] std::string curve(double now_s, std::size_t columns = 20) const;
  // "86 calls ▁▅███, the last new one 12 s ago; not exercised yet: exec, stop by TERM"
  [[nodiscard]] std::string summary(double now_s) const;

 private:
  std::set<std::pair<std::string, std::string>> known_;  // name, by
  std::size_t calls_ = 0;
  int runs_ = 0;
  std::vector<std::string> never_seen_;
  std::vector<std::pair<double, std::size_t>> course_;  // calls that were known from then on
};

// "  +3.2s  workload  openat x40, read x33", a line for each of the two; calls of the danger set in
// red.
std::string new_calls_text(const std::vector<NewCall>& calls, double at_s, const Style& style);

// As much of a line of UTF-8 as has room in so many columns, one for each character.
std::string cut_to_columns(const std::string& line, std::size_t columns);

}  // namespace ward::cli
