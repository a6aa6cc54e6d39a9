// SPDX-License-Identifier: Apache-2.0
// A step of the build: reads references.yaml and writes the constants of references.h. A file that
// is wrong ends the build. Usage: make_references references.yaml references_data.cc
#include <algorithm>
#include <map>
#include <string>

#include "profiles/yaml/sink_settings.h"
#include "profiles/yaml/source_maker.h"
#include "profiles/yaml/yaml_fields.h"

namespace ward::profiles {
namespace {

class ReferenceReader {
 public:
  explicit ReferenceReader(std::string_view file) : reading_(file) {}

  Result<std::string> read(const YamlNode& root) {
    const YamlNode* spec = find_value(root, "spec");
    const YamlNode* sources = spec == nullptr ? nullptr : find_value(*spec, "frameworks");
    const YamlNode* names = spec == nullptr ? nullptr : find_value(*spec, "techniques");
    const YamlNode* rows = spec == nullptr ? nullptr : find_value(*spec, "rows");
    if (sources == nullptr || names == nullptr || rows == nullptr)
      return fail(Code::kInvalidArgument, "spec needs frameworks, techniques and rows");
    std::string frameworks;
    for (const YamlEntry& source : sources->entries) {
      frameworks +=
          "    {" + cpp_literal(source.key) + ", " + cpp_literal(source.value.scalar) + "},\n";
    }
    for (const YamlEntry& entry : names->entries) names_[entry.key] = entry.value.scalar;
    for (const YamlNode& row : rows->items) read_row(row, *sources);
    if (!reading_.ok()) return tl::unexpected<Error>(reading_.error());
    return "// Made from references.yaml by make_references.\n"
           "#include \"enforcer/sinks/references.h\"\n\nnamespace ward::enforcer::sinks {\n"
           "namespace {\n\nconstexpr ReferenceRow kRows[] = {\n" +
           rows_ + "};\n\nconstexpr Framework kFrameworks[] = {\n" + frameworks +
           "};\n\n}  // namespace\n\n"
           "std::span<const ReferenceRow> reference_rows() { return kRows; }\n"
           "std::span<const Framework> frameworks() { return kFrameworks; }\n\n"
           "}  // namespace ward::enforcer::sinks\n";
  }

 private:
  void add(std::string_view kind, std::string_view origin, std::string_view framework,
           const YamlNode& id) {
    const bool technique = framework == "attack";
    if (technique && !names_.contains(id.scalar))
      reading_.complain(id.at, "no technique " + id.scalar);
    rows_ += "    {" + cpp_literal(kind) + ", " + cpp_literal(origin) + ", {" +
             cpp_literal(framework) + ", " + cpp_literal(id.scalar) + ", " +
             cpp_literal(technique ? names_[id.scalar] : std::string()) + "}},\n";
  }

  void read_row(const YamlNode& row, const YamlNode& sources) {
    const YamlNode* kinds = find_value(row, "kinds");
    const YamlNode* origin = find_value(row, "origin");
    if (kinds == nullptr) return reading_.complain(row.at, "a row needs kinds");
    for (const YamlNode& kind : kinds->items) {
      const auto& known = sink_event_kinds();
      if (std::find(known.begin(), known.end(), kind.scalar) == known.end())
        reading_.complain(kind.at, "no event is of kind '" + kind.scalar + "'");
      for (const YamlEntry& entry : row.entries) {
        if (entry.key == "kinds" || entry.key == "origin") continue;
        if (find_value(sources, entry.key) == nullptr)
          reading_.complain(entry.at, "no framework '" + entry.key + "'");
        for (const YamlNode& id : entry.value.items)
          add(kind.scalar, origin == nullptr ? "" : origin->scalar, entry.key, id);
      }
    }
  }

  Reading reading_;
  std::map<std::string, std::string> names_;
  std::string rows_;
};

}  // namespace
}  // namespace ward::profiles

int main(int argc, char** argv) {
  using namespace ward::profiles;
  return make_source(argc, argv, [](const std::string& text, const char* from) {
    return parse_yaml(text, from).and_then([from](const YamlNode& root) {
      return ReferenceReader(from).read(root);
    });
  });
}
