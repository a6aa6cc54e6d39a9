// SPDX-License-Identifier: Apache-2.0
// The subset of TOML that containerd writes for a runtime's options: one `Key = value` a line,
// strings, booleans and integers. Tables and keys of other runtimes are skipped, a value of the
// wrong type is an error.
#include <algorithm>
#include <charconv>

#include "shim/runtime/runtime_options.h"

namespace ward::shim::runtime {
namespace {

std::string_view trim(std::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t' || s.back() == '\r'))
    s.remove_suffix(1);
  return s;
}

tl::unexpected<Error> wrong(int line, std::string_view key, const char* wanted) {
  return fail(Code::kInvalidArgument,
              "line " + std::to_string(line) + ": " + std::string(key) + " must be " + wanted);
}

// 'literal' or "basic" with \" and \\ only, the escapes that occur in paths.
bool parse_string(std::string_view value, std::string& out) {
  if (value.empty() || (value[0] != '"' && value[0] != '\'')) return false;
  const char quote = value[0];
  std::string result;
  for (std::size_t i = 1; i < value.size(); ++i) {
    if (value[i] == quote) {
      out = std::move(result);
      const auto rest = trim(value.substr(i + 1));
      return rest.empty() || rest[0] == '#';
    }
    if (quote == '"' && value[i] == '\\') {
      if (++i >= value.size() || (value[i] != '"' && value[i] != '\\')) return false;
    }
    result += value[i];
  }
  return false;
}

bool parse_bool(std::string_view value, bool& out) {
  value = trim(value.substr(0, value.find('#')));
  out = value == "true";
  return out || value == "false";
}

bool parse_number(std::string_view value, std::uint32_t& out) {
  value = trim(value.substr(0, value.find('#')));
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), out);
  return error == std::errc() && end == value.data() + value.size();
}

Result<void> apply(RuntimeOptions& o, int line, std::string_view key, std::string_view value) {
  struct {
    std::string_view key;
    std::string* to;
  } const strings[] = {{"BinaryName", &o.binary_name},        {"Root", &o.root},
                       {"ShimCgroup", &o.shim_cgroup},        {"CriuPath", &o.criu_path},
                       {"CriuImagePath", &o.criu_image_path}, {"CriuWorkPath", &o.criu_work_path}};
  for (const auto& entry : strings) {
    if (entry.key == key && !parse_string(value, *entry.to))
      return wrong(line, key, "a quoted string");
  }
  struct {
    std::string_view key;
    bool* to;
  } const booleans[] = {{"NoPivotRoot", &o.no_pivot_root},
                        {"NoNewKeyring", &o.no_new_keyring},
                        {"SystemdCgroup", &o.systemd_cgroup}};
  for (const auto& entry : booleans) {
    if (entry.key == key && !parse_bool(value, *entry.to)) return wrong(line, key, "true or false");
  }
  if (key == "IoUid" && !parse_number(value, o.io_uid)) return wrong(line, key, "a number");
  if (key == "IoGid" && !parse_number(value, o.io_gid)) return wrong(line, key, "a number");
  return {};
}

}  // namespace

Result<RuntimeOptions> parse_options_table(std::string_view toml) {
  RuntimeOptions options;
  bool in_table = false;
  for (int number = 1; !toml.empty(); ++number) {
    const auto end = std::min(toml.find('\n'), toml.size());
    const auto line = trim(toml.substr(0, end));
    toml.remove_prefix(std::min(end + 1, toml.size()));
    if (line.empty() || line[0] == '#') continue;
    if (line[0] == '[') in_table = true;
    const auto equals = line.find('=');
    if (in_table || equals == std::string_view::npos) continue;
    if (auto ok =
            apply(options, number, trim(line.substr(0, equals)), trim(line.substr(equals + 1)));
        !ok) {
      return tl::unexpected(ok.error());
    }
  }
  return options;
}

}  // namespace ward::shim::runtime
