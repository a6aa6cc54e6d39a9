// SPDX-License-Identifier: Apache-2.0
// A step of the build: reads classes.yaml and writes the constants of harm_table.h. A file that is
// wrong ends the build. Usage: make_harm_table classes.yaml harm_table_data.cc
#include <cstdio>
#include <exception>
#include <string>

#include "lib/base/file.h"
#include "profiles/filter/constants.h"
#include "profiles/harm/harm_document.h"

namespace ward::profiles {
namespace {

std::string literal(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

class TableWriter {
 public:
  std::string write(const HarmDocument& document) {
    std::string calls;
    for (const auto& [name, call] : document.calls) {
      const HarmDocument::Row& row = document.rows[call.row];
      calls += "    {" + literal(name) + ", " + std::to_string(call.nr) + ", " + harm(row.harm) +
               ", " + reason(row.reason) + ", " + values(row.values) + ", " +
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
    for (const std::string& word : list) items += literal(word) + ", ";
    return constant("std::string_view", items);
  }

  std::string reason(const HarmDocument::Reason& r) {
    const std::string cves = words(r.cves);
    const std::string sources = words(r.sources);
    return "{" + literal(r.why) + ", " + literal(r.opens) + ", " + cves + ", " + literal(r.gate) +
           ", " + literal(r.docker) + ", " + literal(r.systemd) + ", " + sources + "}";
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
      items += "{" + literal(value.shown) + ", " + set + ", " + harm(value.harm) + ", " +
               reason(value.reason) + "}, ";
    }
    return constant("HarmValue", items);
  }

  std::string constants_;
  std::size_t count_ = 0;
};

int run(const char* from, const char* to) {
  const auto text = read_file(from);
  const auto document = text ? read_harm_classes(*text, from) : tl::unexpected<Error>(text.error());
  const auto written =
      document ? write_file_atomically(to, TableWriter().write(*document), 0644, Durability::kNone)
               : tl::unexpected<Error>(document.error());
  if (!written) std::fprintf(stderr, "%s\n", written.error().message.c_str());
  return written ? 0 : 1;
}

}  // namespace
}  // namespace ward::profiles

int main(int argc, char** argv) {
  try {
    if (argc == 3) return ward::profiles::run(argv[1], argv[2]);
    std::fputs("usage: make_harm_table classes.yaml harm_table_data.cc\n", stderr);
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "make_harm_table: %s\n", error.what());
    return 1;
  }
}
