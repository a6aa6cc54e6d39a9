// SPDX-License-Identifier: Apache-2.0
// classes.yaml as values, before the build turns it into the constants of harm_table.h. Only the
// build and the tests of the reader need it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"
#include "profiles/harm/harm_class.h"
#include "profiles/yaml/yaml_fields.h"

namespace ward::profiles {

// Names of values that the profile language does not have: by call and argument ("mmap.3"), then by
// name.
using HarmConstants = std::map<std::string, std::map<std::string, std::uint64_t>>;

struct HarmDocument {
  struct Reason {
    std::string why, opens, gate, docker, systemd;
    std::vector<std::string> cves, sources;
  };
  struct Condition {  // as HarmCondition of harm_table.h
    std::uint32_t index = 0;
    std::uint64_t mask = ~std::uint64_t{0};
    std::vector<std::uint64_t> values = {};
    bool any = false, own = false;
    bool operator==(const Condition&) const = default;
  };
  struct Value {
    std::string shown;
    std::vector<Condition> conditions;  // sorted by index
    HarmClass harm = HarmClass::kReach;
    Reason reason;
    Position at;
  };
  struct Row {
    HarmClass harm = HarmClass::kReach;
    Reason reason;
    std::vector<Value> values;
  };
  struct Call {
    std::uint32_t nr = 0;
    std::size_t row = 0;
    bool hot = false;
  };
  std::vector<Row> rows;
  std::map<std::string, Call> calls;
  HarmConstants constants;
};

// Strictly (I9): every complaint as "file:line:column: what is wrong and what would be right".
// Pure.
Result<HarmDocument> read_harm_classes(std::string_view text, std::string_view file_name);

// `args` of a value, for one of the row's calls. Complains, and gives what it could read.
HarmDocument::Value read_harm_conditions(Reading& reading, const YamlNode& args,
                                         std::string_view call, const HarmConstants& constants);

// Is there a call that both describe? `own` counts as meeting `own` alone.
bool overlap(const HarmDocument::Value& a, const HarmDocument::Value& b);

}  // namespace ward::profiles
