// SPDX-License-Identifier: Apache-2.0
#include "enforcer/config.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "lib/base/escape.h"

namespace ward::enforcer {

Result<Config> parse_config(std::string_view text, std::string_view file_name) {
  auto read = profiles::read_node_config(text, file_name);
  if (!read) return tl::unexpected<Error>(read.error());
  Config out{std::move(*read), {}, {}};
  out.journal.max_events = out.journal_max_events;
  out.journal.max_age_ns = std::chrono::nanoseconds(out.journal_max_age).count();
  out.evidence.max_age = out.evidence_max_age;
  out.evidence.max_total_bytes = out.evidence_max_total_bytes;
  return out;
}

std::vector<std::string> problem_lines(const Error& refusal) {
  std::vector<std::string> lines;
  std::size_t at = 0;
  while (at < refusal.message.size()) {
    const std::size_t end = std::min(refusal.message.find('\n', at), refusal.message.size());
    if (end > at) lines.push_back(refusal.message.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

namespace {

// The kernel would say so at the first container only.
std::string why_no_program(const std::string& binary) {
  constexpr std::size_t kEnough = 256;  // as much as the kernel looks at
  std::string text(kEnough, '\0');
  std::ifstream file(binary, std::ios::binary);
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.rfind("\x7f"
                 "ELF",
                 0) == 0)
    return "";
  if (text.rfind("#!", 0) != 0) return "it is neither a program (ELF) nor a script (#!)";
  const std::size_t begin = std::min(text.find_first_not_of(" \t", 2), text.size());
  const std::string interpreter = text.substr(begin, text.find_first_of(" \t\n", begin) - begin);
  if (::access(interpreter.c_str(), X_OK) == 0) return "";
  return "its interpreter '" + escape(interpreter) + "': " + std::strerror(errno);
}

}  // namespace

Result<void> check_references(const Config& config, std::string_view file_name) {
  const std::string& binary = config.runtime_binary;
  if (binary.empty()) return {};
  struct stat status {};
  std::string why;
  if (::stat(binary.c_str(), &status) != 0) {
    why = std::strerror(errno);
  } else if (!S_ISREG(status.st_mode)) {
    why = "it is no file";
  } else if (::access(binary.c_str(), X_OK) != 0) {
    why = "it cannot be executed";
  } else {
    why = why_no_program(binary);
  }
  if (why.empty()) return {};
  return fail(Code::kInvalidArgument,
              profiles::format_position(file_name, config.runtime_binary_at) +
                  ": runtime.binary '" + escape(binary) + "': " + why +
                  "; with it no container would start: name the runc or crun of this node");
}

node::v1::NodeSettings node_settings(const Config& config) {
  node::v1::NodeSettings settings;
  settings.set_runtime_binary(config.runtime_binary);
  settings.set_quarantine_ttl_s(config.quarantine_ttl.count());
  settings.set_evidence_max_bytes(config.evidence_max_bytes);
  settings.set_evidence_max_files(config.evidence_max_files);
  settings.set_evidence_full(config.evidence_full);
  settings.set_open_when_ungoverned(config.open_when_ungoverned);
  return settings;
}

}  // namespace ward::enforcer
