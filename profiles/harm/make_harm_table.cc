// SPDX-License-Identifier: Apache-2.0
// A step of the build: reads classes.yaml and writes the constants of harm_table.h. A file that is
// wrong ends the build. Usage: make_harm_table classes.yaml harm_table_data.cc
#include <string>

#include "profiles/filter/constants.h"
#include "profiles/harm/harm_document.h"
#include "profiles/yaml/source_maker.h"

namespace ward::profiles {
namespace {

class TableWriter {
 public:
  std::string write(const HarmDocument& document) {
    std::string calls;
    for (const auto& [name, call] : document.calls) {
      const HarmDocument::Row& row = document.rows[call.row];
      calls += "    {" + cpp_literal(name) + ", " + std::to_string(call.nr) + ", " +
               harm(row.harm) + ", " + reason(row.reason) + ", " + values(row.values) + ", " +
               (call.hot ? "true" : "false") + "},\n";
    }
    return "// Made from profiles/harm/classes.yaml by make_harm_table.\n"
           "#include \"profiles/harm/harm_table.h\"\n\nnamespace ward::profiles {\nnamespace "
           "{\n\n" +
           constants_ + "constexpr HarmCall kCalls[] = {\n" + calls +
           "};\n\n}  // namespace\n\n"
           "std::span<const HarmCall> harm_calls() { return kCalls; }\n\n}  // namespace "
           "ward::profiles\n";
  }

 private:
  // A constant of its own, because a span must not point to a list that ends with the line. Gives
  // its name.
  std::string constant(std::string_view type, const std::string& items) {
    if (items.empty()) return "{}";
    std::string name = "k" + std::to_string(count_++);
    constants_ += "constexpr " + std::string(type) + " " + name + "[] = {" + items + "};\n";
    return name;
  }

  static std::string harm(HarmClass value) {
    return "static_cast<HarmClass>(" + std::to_string(static_cast<int>(value)) + ")";
  }

  std::string words(const std::vector<std::string>& list) {
    std::string items;
    for (const std::string& word : list) items += cpp_literal(word) + ", ";
    return constant("std::string_view", items);
  }

  std::string reason(const HarmDocument::Reason& r) {
    const std::string cves = words(r.cves);
    const std::string sources = words(r.sources);
    return "{" + cpp_literal(r.why) + ", " + cpp_literal(r.opens) + ", " + cves + ", " +
           cpp_literal(r.gate) + ", " + cpp_literal(r.docker) + ", " + cpp_literal(r.systemd) +
           ", " + sources + "}";
  }

  std::string conditions(const std::vector<HarmDocument::Condition>& list) {
    std::string items;
    for (const HarmDocument::Condition& c : list) {
      std::string numbers;
      for (const std::uint64_t value : c.values) numbers += filter::format_hex(value) + ", ";
      const std::string set = constant("std::uint64_t", numbers);
      items += "{" + std::to_string(c.index) + ", " + filter::format_hex(c.mask) + ", " + set +
               ", " + (c.any ? "true" : "false") + ", " + (c.own ? "true" : "false") + "}, ";
    }
    return constant("HarmCondition", items);
  }

  std::string values(const std::vector<HarmDocument::Value>& list) {
    std::string items;
    for (const HarmDocument::Value& value : list) {
      const std::string set = conditions(value.conditions);
      items += "{" + cpp_literal(value.shown) + ", " + set + ", " + harm(value.harm) + ", " +
               reason(value.reason) + "}, ";
    }
    return constant("HarmValue", items);
  }

  std::string constants_;
  std::size_t count_ = 0;
};

}  // namespace
}  // namespace ward::profiles

int main(int argc, char** argv) {
  using namespace ward::profiles;
  return make_source(argc, argv, [](const std::string& text, const char* from) {
    return read_harm_classes(text, from).map([](const HarmDocument& document) {
      return TableWriter().write(document);
    });
  });
}
