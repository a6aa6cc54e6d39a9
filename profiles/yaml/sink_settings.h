// SPDX-License-Identifier: Apache-2.0
// The list `sinks` of wardd.yaml: where the node's events go besides its journal
// (docs/events-out.md). Values only: nothing is looked up, no file is read. A secret is a path
// here, never the secret.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ward::profiles {

class Reading;
struct YamlNode;

enum class SinkType : std::uint8_t {
  kWebhook,
  kFalco,
  kAlertmanager,
  kOcsf,
  kOtlp,
  kSyslog,
  kFile,
  kJournald,
};

// Ordered from mild to grave.
enum class Severity : std::uint8_t { kInfo, kLow, kMedium, kHigh, kCritical };

std::string_view sink_type_name(SinkType type);     // "webhook"
std::string_view severity_name(Severity severity);  // "high"

// An event is wanted that fits all of it; an empty list fits every event.
struct SinkFilter {
  Severity severity = Severity::kInfo;  // and what is graver
  std::vector<std::string> kinds;
  std::vector<std::string> namespaces;  // of Kubernetes; of containerd where there is none

  bool operator==(const SinkFilter&) const = default;
};

struct SinkSettings {
  std::string name;  // its place is kept under it
  SinkType type = SinkType::kFile;
  std::string url;                        // http(s):, and of syslog tcp:, tls: or udp:
  std::string hmac_key_file, token_file;  // paths
  std::string ca_file, certificate_file, key_file;
  std::string proxy;
  bool cef = false;  // of syslog: the message is CEF
  std::string path;  // of a file
  std::uint64_t max_bytes = 64U << 20U;
  std::uint32_t keep = 4;  // files that are full, besides the one that is written
  std::chrono::milliseconds timeout{10'000};  // of one request
  SinkFilter filter;

  bool operator==(const SinkSettings&) const = default;
};

inline constexpr std::size_t kMostSinks = 16;  // each has a thread

// The words that an event's kind may be (enforcer/journal/event_kind.h; a test compares).
const std::vector<std::string_view>& sink_event_kinds();

std::vector<SinkSettings> read_sinks(Reading& reading, const YamlNode& list);

}  // namespace ward::profiles
