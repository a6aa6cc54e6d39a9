// SPDX-License-Identifier: Apache-2.0
// The harm classes for people and programs: `ward syscalls`. One entry is a call, or values of its
// arguments.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/present/style.h"
#include "profiles/harm/harm_table.h"

namespace ward::cli {

struct HarmEntry {
  const profiles::HarmCall* call = nullptr;
  const profiles::HarmValue* value =
      nullptr;  // null: the call itself, where no value of it decides
  [[nodiscard]] profiles::HarmClass harm() const {
    return value != nullptr ? value->harm : call->harm;
  }
  [[nodiscard]] const profiles::HarmReason& reason() const {
    return value != nullptr ? value->reason : call->reason;
  }
};

struct HarmSelection {
  std::vector<std::string> calls;  // empty: all
  std::optional<profiles::HarmClass> harm;
  bool holes = false;  // only what names a hole
};

std::vector<HarmEntry> select_harm(const HarmSelection& selection);

std::string harm_table(const std::vector<HarmEntry>& entries,
                       const Style& style);  // a line each: class, call, why
std::string harm_details(const std::vector<HarmEntry>& entries, const Style& style);
std::string harm_json(const std::vector<HarmEntry>& entries);

}  // namespace ward::cli
