// SPDX-License-Identifier: Apache-2.0
// A step of the build: reads techniques.yaml and writes the constants of techniques.h. A file that
// is wrong ends the build. Usage: make_techniques techniques.yaml techniques_data.cc
#include <map>
#include <string>

#include "lib/oci/seccomp.h"
#include "profiles/filter/constants.h"
#include "profiles/yaml/source_maker.h"
#include "profiles/yaml/yaml_fields.h"

namespace ward::profiles {
namespace {

class TechniqueReader {
 public:
  explicit TechniqueReader(std::string_view file) : reading_(file) {}

  Result<std::string> read(const YamlNode& root) {
    const YamlNode* spec = find_value(root, "spec");
    const YamlNode* source = spec == nullptr ? nullptr : find_value(*spec, "source");
    const YamlNode* techniques = spec == nullptr ? nullptr : find_value(*spec, "techniques");
    const YamlNode* rows = spec == nullptr ? nullptr : find_value(*spec, "rows");
    if (source == nullptr || techniques == nullptr || rows == nullptr) {
      reading_.complain(root.at, "spec needs source, techniques and rows");
      return tl::unexpected<Error>(reading_.error());
    }
    for (const YamlEntry& entry : techniques->entries) names_[entry.key] = entry.value.scalar;
    for (const YamlNode& row : rows->items) read_row(row);
    for (const auto& [id, name] : names_)
      if (!used_.contains(id)) reading_.complain(techniques->at, "no row names " + id);
    if (!reading_.ok()) return tl::unexpected<Error>(reading_.error());
    return "// Made from profiles/techniques/techniques.yaml by make_techniques.\n"
           "#include \"profiles/techniques/techniques.h\"\n\nnamespace ward::profiles {\nnamespace "
           "{\n\n"
           "constexpr TechniqueRow kRows[] = {\n" +
           rows_ +
           "};\n\n}  // namespace\n\n"
           "std::span<const TechniqueRow> technique_rows() { return kRows; }\n"
           "std::string_view technique_source() { return " +
           cpp_literal(source->scalar) + "; }\n\n}  // namespace ward::profiles\n";
  }

 private:
  std::uint64_t number(const YamlNode& node) {
    const auto value = filter::parse_number(node.scalar);
    if (!value) reading_.complain(node.at, value.error().message);
    return value.value_or(0);
  }

  // The part of a row that says for which arguments it is.
  std::string condition(const YamlNode* argument) {
    if (argument == nullptr) return "-1, 0, 0, false";
    const YamlNode* index = find_value(*argument, "index");
    const YamlNode* mask = find_value(*argument, "mask");
    const YamlNode* value = find_value(*argument, "value");
    if (index == nullptr || (mask == nullptr && value == nullptr)) {
      reading_.complain(argument->at, "argument needs an index, and a value or a mask");
      return "-1, 0, 0, false";
    }
    return std::to_string(number(*index)) + ", " +
           (mask == nullptr ? "0xFFFFFFFF" : filter::format_hex(number(*mask))) + ", " +
           (value == nullptr ? "0" : filter::format_hex(number(*value))) + ", " +
           (value == nullptr ? "true" : "false");
  }

  void read_row(const YamlNode& row) {
    const YamlNode* calls = find_value(row, "calls");
    const YamlNode* techniques = find_value(row, "techniques");
    const YamlNode* why = find_value(row, "why");
    if (calls == nullptr || techniques == nullptr || why == nullptr)
      return reading_.complain(row.at, "a row needs calls, techniques and why");
    const std::string when = condition(find_value(row, "argument"));
    for (const YamlNode& call : calls->items) {
      // Newer ones than this machine's libseccomp knows are in classes.yaml, and not needed here.
      if (!oci::find_syscall(call.scalar) && call.scalar != "fchmodat2")
        reading_.complain(call.at, "unknown call '" + call.scalar + "'");
      for (const YamlNode& id : techniques->items) {
        if (!names_.contains(id.scalar)) reading_.complain(id.at, "no technique " + id.scalar);
        used_[id.scalar] = true;
        rows_ += "    {" + cpp_literal(call.scalar) + ", " + when + ", {" + cpp_literal(id.scalar) +
                 ", " + cpp_literal(names_[id.scalar]) + ", " + cpp_literal(why->scalar) + "}, " +
                 std::to_string(row_) + "},\n";
      }
    }
    ++row_;
  }

  Reading reading_;
  std::map<std::string, std::string> names_;
  std::map<std::string, bool> used_;
  std::string rows_;
  unsigned row_ = 0;
};

}  // namespace
}  // namespace ward::profiles

int main(int argc, char** argv) {
  using namespace ward::profiles;
  return make_source(argc, argv, [](const std::string& text, const char* from) {
    return parse_yaml(text, from).and_then([from](const YamlNode& root) {
      return TechniqueReader(from).read(root);
    });
  });
}
