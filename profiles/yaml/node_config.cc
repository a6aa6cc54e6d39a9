// SPDX-License-Identifier: Apache-2.0
#include "profiles/yaml/node_config.h"

#include <limits>
#include <optional>

#include "profiles/yaml/yaml_fields.h"

namespace ward::profiles {
namespace {

template <typename Integer>
void number(Reading& reading, const Fields& fields, std::string_view key, std::uint64_t least,
            Integer& out) {
  const YamlNode* node = fields.find(key);
  if (node == nullptr) return;
  const auto value = read_number(reading, *node, key);
  if (!value) return;
  if (*value < least || *value > static_cast<std::uint64_t>(std::numeric_limits<Integer>::max())) {
    return reading.complain(
        node->at,
        std::string(key) + " must be at least " + std::to_string(least) + ", and at most " +
            std::to_string(static_cast<std::uint64_t>(std::numeric_limits<Integer>::max())));
  }
  out = static_cast<Integer>(*value);
}

std::optional<std::chrono::milliseconds> max_age(Reading& reading, const Fields& fields) {
  const YamlNode* node = fields.find("maxAge");
  if (node == nullptr) return std::nullopt;
  const auto value = read_duration(reading, *node, "maxAge");
  if (!value || *value >= std::chrono::minutes(1)) return value;
  reading.complain(node->at, "maxAge must be at least 1m");
  return std::nullopt;
}

void journal_section(Reading& reading, const YamlNode& node, NodeConfig& out) {
  const Fields fields(reading, node, "journal", sections::kJournal.keys);
  number(reading, fields, "maxEvents", 100, out.journal_max_events);
  if (const auto age = max_age(reading, fields)) out.journal_max_age = *age;
}

void recordings_section(Reading& reading, const YamlNode& node, NodeConfig& out) {
  const Fields fields(reading, node, "recordings", sections::kRecordings.keys);
  number(reading, fields, "runsPerWorkload", 1, out.runs_per_workload);
}

void quarantine_section(Reading& reading, const YamlNode& node, NodeConfig& out) {
  const Fields fields(reading, node, "quarantine", sections::kQuarantine.keys);
  const YamlNode* ttl = fields.find("ttl");
  if (ttl == nullptr) return;
  const auto value = read_duration(reading, *ttl, "ttl");
  if (!value) return;
  if (value->count() % 1000 != 0) {
    return reading.complain(
        ttl->at, "ttl is a whole number of seconds, such as 10m; 0s: held until a person decides");
  }
  out.quarantine_ttl = std::chrono::duration_cast<std::chrono::seconds>(*value);
}

void evidence_section(Reading& reading, const YamlNode& node, NodeConfig& out) {
  const Fields fields(reading, node, "evidence", sections::kEvidence.keys);
  number(reading, fields, "maxBytes", 4096, out.evidence_max_bytes);
  number(reading, fields, "maxFiles", 1, out.evidence_max_files);
  number(reading, fields, "maxTotalBytes", 1U << 20U, out.evidence_max_total_bytes);
  if (out.evidence_max_bytes > out.evidence_max_total_bytes) {
    reading.complain(fields.find("maxBytes")->at,
                     "maxBytes, of one bundle, is more than maxTotalBytes (" +
                         std::to_string(out.evidence_max_total_bytes) +
                         "), of all: no bundle would be kept");
  }
  if (const auto age = max_age(reading, fields)) {
    out.evidence_max_age = std::chrono::duration_cast<std::chrono::seconds>(*age);
  }
  if (const YamlNode* full = fields.find("full")) {
    out.evidence_full = read_bool(reading, *full, "full").value_or(false);
  }
}

void runtime_section(Reading& reading, const YamlNode& node, NodeConfig& out) {
  const Fields fields(reading, node, "runtime", sections::kRuntime.keys);
  const YamlNode* binary = fields.find("binary");
  if (binary == nullptr) return;
  const auto value = read_text(reading, *binary, "binary");
  if (!value) return;
  if (value->empty() || value->front() != '/') {
    return reading.complain(binary->at,
                            "binary must be an absolute path, for example /usr/sbin/runc");
  }
  out.runtime_binary = *value;
  out.runtime_binary_at = binary->at;
}

// Only this machine may read the metrics: they name containers.
void metrics_section(Reading& reading, const YamlNode& node, NodeConfig& out) {
  const Fields fields(reading, node, "metrics", sections::kMetrics.keys);
  const YamlNode* listen = fields.find("listen");
  if (listen == nullptr) return;
  const auto value = read_text(reading, *listen, "listen");
  if (!value) return;
  constexpr std::string_view kLoopback = "127.0.0.1:";
  const std::string port = value->rfind(kLoopback, 0) == 0 ? value->substr(kLoopback.size()) : "";
  if (port.empty() || port.size() > 5 ||
      port.find_first_not_of("0123456789") != std::string::npos || std::stoul(port) == 0 ||
      std::stoul(port) > 65535) {
    return reading.complain(listen->at,
                            "listen must be 127.0.0.1 and a port, for example 127.0.0.1:9464");
  }
  out.metrics_listen = *value;
}

// A window slows every call of the node: more than half of the time is no sample.
void sampling_section(Reading& reading, const YamlNode& node, NodeConfig& out) {
  using std::chrono::milliseconds;
  constexpr milliseconds kLeastWindow{10}, kMostWindow{10'000}, kLeastEvery{1000};
  const Fields fields(reading, node, "sampling", sections::kSampling.keys);
  if (const YamlNode* window = fields.find("window")) {
    const auto value = read_duration(reading, *window, "window");
    if (value && (*value < kLeastWindow || *value > kMostWindow))
      reading.complain(window->at, "window must be at least 10ms, and at most 10s");
    out.sampling_window = value.value_or(out.sampling_window);
  }
  if (const YamlNode* every = fields.find("every")) {
    const auto value = read_duration(reading, *every, "every");
    if (value && value->count() != 0 && *value < kLeastEvery)
      reading.complain(every->at, "every must be at least 1s; 0s: never");
    out.sampling_every = value.value_or(out.sampling_every);
  }
  if (out.sampling_every.count() != 0 && out.sampling_window * 2 > out.sampling_every)
    reading.complain(node.at, "window must be at most half of every");
}

}  // namespace

Result<NodeConfig> read_node_config(std::string_view text, std::string_view file_name) {
  auto tree = parse_document(text, file_name);
  if (!tree) return tl::unexpected<Error>(tree.error());
  Reading reading(file_name, &node_config_sections());
  const Fields fields(reading, *tree, "a NodeConfig", sections::kNodeConfig.keys);
  check_document(reading, fields, "NodeConfig");
  if (const YamlNode* metadata = fields.find("metadata")) {
    const Fields inner(reading, *metadata, "metadata", sections::kMetadata.keys);
    check_notes(reading, inner);
  }
  NodeConfig out;
  const auto section = [&](std::string_view key,
                           void (*read)(Reading&, const YamlNode&, NodeConfig&)) {
    if (const YamlNode* node = fields.find(key)) read(reading, *node, out);
  };
  section("journal", journal_section);
  section("recordings", recordings_section);
  section("quarantine", quarantine_section);
  section("evidence", evidence_section);
  section("runtime", runtime_section);
  section("metrics", metrics_section);
  section("sampling", sampling_section);
  if (const YamlNode* sinks = fields.find("sinks")) out.sinks = read_sinks(reading, *sinks);
  if (const YamlNode* choice = fields.find("whenUngoverned")) {
    const auto chosen = read_choice(reading, *choice, "whenUngoverned", {"refuse", "open"});
    out.open_when_ungoverned = chosen == std::size_t{1};
  }
  if (!reading.ok()) return tl::unexpected<Error>(reading.error());
  return out;
}

}  // namespace ward::profiles
