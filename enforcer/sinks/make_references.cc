// SPDX-License-Identifier: Apache-2.0
// A step of the build: reads references.yaml, and techniques.yaml of cli/incident beside it, and
// writes the constants of references.h. A file that is wrong ends the build.
// Usage: make_references references.yaml references_data.cc techniques.yaml
#include <algorithm>
#include <map>
#include <string>

#include "lib/base/file.h"
#include "profiles/filter/constants.h"
#include "profiles/yaml/sink_settings.h"
#include "profiles/yaml/source_maker.h"
#include "profiles/yaml/yaml_fields.h"

namespace ward::profiles {
namespace {

const YamlNode* find(const YamlNode& map, std::string_view key) {
  for (const YamlEntry& entry : map.entries)
    if (entry.key == key) return &entry.value;
  return nullptr;
}

// The rows of both files, in C++.
class Rows {
 public:
  explicit Rows(std::string_view file) : reading_(file) {}

  Result<void> read_references(const YamlNode& root) {
    const YamlNode* spec = find(root, "spec");
    const YamlNode* sources = spec == nullptr ? nullptr : find(*spec, "frameworks");
    const YamlNode* names = spec == nullptr ? nullptr : find(*spec, "techniques");
    const YamlNode* rows = spec == nullptr ? nullptr : find(*spec, "rows");
    if (sources == nullptr || names == nullptr || rows == nullptr)
      return fail(Code::kInvalidArgument, "spec needs frameworks, techniques and rows");
    for (const YamlEntry& source : sources->entries) {
      frameworks_ +=
          "    {" + cpp_literal(source.key) + ", " + cpp_literal(source.value.scalar) + "},\n";
    }
    names_of(*names);
    for (const YamlNode& row : rows->items) reference_row(row, *sources);
    if (!reading_.ok()) return tl::unexpected<Error>(reading_.error());
    return {};
  }

  Result<void> read_techniques(const YamlNode& root) {
    const YamlNode* spec = find(root, "spec");
    const YamlNode* names = spec == nullptr ? nullptr : find(*spec, "techniques");
    const YamlNode* rows = spec == nullptr ? nullptr : find(*spec, "rows");
    if (names == nullptr || rows == nullptr)
      return fail(Code::kInvalidArgument, "spec needs techniques and rows");
    names_of(*names);
    for (const YamlNode& row : rows->items) technique_row(row);
    if (!reading_.ok()) return tl::unexpected<Error>(reading_.error());
    return {};
  }

  [[nodiscard]] std::string source() const {
    return "// Made from references.yaml and techniques.yaml by make_references.\n"
           "#include \"enforcer/sinks/references.h\"\n\nnamespace ward::enforcer::sinks {\n"
           "namespace {\n\nconstexpr ReferenceRow kRows[] = {\n" +
           rows_ + "};\n\nconstexpr Framework kFrameworks[] = {\n" + frameworks_ +
           "};\n\n}  // namespace\n\n"
           "std::span<const ReferenceRow> reference_rows() { return kRows; }\n"
           "std::span<const Framework> frameworks() { return kFrameworks; }\n\n"
           "}  // namespace ward::enforcer::sinks\n";
  }

 private:
  void names_of(const YamlNode& names) {
    for (const YamlEntry& entry : names.entries) names_[entry.key] = entry.value.scalar;
  }

  void add(std::string_view kind, std::string_view origin, std::string_view call,
           const std::string& when, std::string_view framework, const YamlNode& id) {
    const bool technique = framework == "attack";
    if (technique && !names_.contains(id.scalar))
      reading_.complain(id.at, "no technique " + id.scalar);
    rows_ += "    {" + cpp_literal(kind) + ", " + cpp_literal(origin) + ", " + cpp_literal(call) +
             ", " + when + ", {" + cpp_literal(framework) + ", " + cpp_literal(id.scalar) + ", " +
             cpp_literal(technique ? names_[id.scalar] : std::string()) + "}, " +
             std::to_string(row_) + "},\n";
  }

  void reference_row(const YamlNode& row, const YamlNode& sources) {
    const YamlNode* kinds = find(row, "kinds");
    const YamlNode* origin = find(row, "origin");
    if (kinds == nullptr) return reading_.complain(row.at, "a row needs kinds");
    for (const YamlNode& kind : kinds->items) {
      const auto& known = sink_event_kinds();
      if (std::find(known.begin(), known.end(), kind.scalar) == known.end())
        reading_.complain(kind.at, "no event is of kind '" + kind.scalar + "'");
      for (const YamlEntry& entry : row.entries) {
        if (entry.key == "kinds" || entry.key == "origin") continue;
        if (find(sources, entry.key) == nullptr)
          reading_.complain(entry.at, "no framework '" + entry.key + "'");
        for (const YamlNode& id : entry.value.items)
          add(kind.scalar, origin == nullptr ? "" : origin->scalar, "", "-1, 0, 0, false",
              entry.key, id);
      }
    }
    ++row_;
  }

  std::uint64_t number(const YamlNode& node) {
    const auto value = filter::parse_number(node.scalar);
    if (!value) reading_.complain(node.at, value.error().message);
    return value.value_or(0);
  }

  std::string condition(const YamlNode* argument) {
    if (argument == nullptr) return "-1, 0, 0, false";
    const YamlNode* index = find(*argument, "index");
    const YamlNode* mask = find(*argument, "mask");
    const YamlNode* value = find(*argument, "value");
    if (index == nullptr || (mask == nullptr && value == nullptr)) {
      reading_.complain(argument->at, "argument needs an index, and a value or a mask");
      return "-1, 0, 0, false";
    }
    return std::to_string(number(*index)) + ", " +
           (mask == nullptr ? "0xFFFFFFFF" : filter::format_hex(number(*mask))) + ", " +
           (value == nullptr ? "0" : filter::format_hex(number(*value))) + ", " +
           (value == nullptr ? "true" : "false");
  }

  // Its other mistakes are make_techniques' to find.
  void technique_row(const YamlNode& row) {
    const YamlNode* calls = find(row, "calls");
    const YamlNode* techniques = find(row, "techniques");
    if (calls == nullptr || techniques == nullptr)
      return reading_.complain(row.at, "a row needs calls and techniques");
    const std::string when = condition(find(row, "argument"));
    for (const YamlNode& call : calls->items) {
      for (const YamlNode& id : techniques->items) add("", "", call.scalar, when, "attack", id);
    }
    ++row_;
  }

  Reading reading_;
  std::map<std::string, std::string> names_;
  std::string rows_, frameworks_;
  unsigned row_ = 0;
};

}  // namespace
}  // namespace ward::profiles

int main(int argc, char** argv) {
  using namespace ward;
  using namespace ward::profiles;
  if (argc != 4) return 2;
  const char* techniques = argv[3];
  return make_source(argc - 1, argv, [techniques](const std::string& text, const char* from) {
    Rows rows(from);
    const auto read = [](const std::string& document, const char* name, const auto& take) {
      return parse_yaml(document, name).and_then(take);
    };
    auto done = read(text, from, [&](const YamlNode& root) { return rows.read_references(root); });
    if (done) {
      const auto other = read_file(techniques);
      done = other ? read(*other, techniques,
                          [&](const YamlNode& root) { return rows.read_techniques(root); })
                   : tl::unexpected<Error>(other.error());
    }
    return done ? Result<std::string>(rows.source()) : tl::unexpected<Error>(done.error());
  });
}
