// SPDX-License-Identifier: Apache-2.0
#include "profiles/yaml/sink_settings.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <limits>
#include <set>

#include "lib/base/escape.h"
#include "lib/oci/nearest.h"
#include "profiles/yaml/yaml_fields.h"

namespace ward::profiles {
namespace {

// In the order of the enumerations.
const std::vector<std::string_view> kTypes = {"webhook", "falco",  "alertmanager", "ocsf",
                                              "otlp",    "syslog", "file",         "journald"};
const std::vector<std::string_view> kSeverities = {"info", "low", "medium", "high", "critical"};

constexpr std::uint32_t kMostKept = 100;  // full files of a sink

bool is_http(SinkType type) { return type <= SinkType::kOtlp; }

// Which keys a type has besides name, type and filter.
bool has_key(SinkType type, std::string_view key) {
  if (key == "url" || key == "timeout") return is_http(type) || type == SinkType::kSyslog;
  if (key == "tls") return is_http(type) || type == SinkType::kSyslog;
  if (key == "tokenFile" || key == "proxy") return is_http(type);
  if (key == "hmacKeyFile") return type == SinkType::kWebhook;
  if (key == "format") return type == SinkType::kSyslog;
  if (key == "path" || key == "maxBytes" || key == "keep") return type == SinkType::kFile;
  return true;
}

bool is_name(std::string_view text) {
  constexpr std::size_t kLongest = 40;
  return !text.empty() && text.size() <= kLongest && text.front() != '-' &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos;
}

class SinkReader {
 public:
  SinkReader(Reading& reading, const YamlNode& node)
      : reading_(reading), node_(node), fields_(reading, node, "a sink", sections::kSink.keys) {}

  // Nothing more is said of a sink whose kind nobody knows.
  bool read(SinkSettings& out) {
    if (const YamlNode* name = fields_.require("name")) {
      const auto text = read_text(reading_, *name, "name");
      out.name = text.value_or("");
      if (text && !is_name(*text))
        reading_.complain(name->at, "name must be of a-z, 0-9 and -, at most 40, such as siem-1");
    }
    const YamlNode* type = fields_.require("type");
    if (type == nullptr) return false;
    const auto chosen = read_choice(reading_, *type, "type", kTypes);
    if (!chosen) return false;
    out.type = static_cast<SinkType>(*chosen);
    for (const YamlEntry& entry : node_.entries) {
      if (!has_key(out.type, entry.key))
        reading_.complain(entry.at, "a sink of type " + std::string(sink_type_name(out.type)) +
                                        " has no " + escape(entry.key, 40));
    }
    target(out);
    path("hmacKeyFile", out.hmac_key_file);
    path("tokenFile", out.token_file);
    if (!out.token_file.empty() && out.url.rfind("https:", 0) != 0)
      reading_.complain(fields_.find("tokenFile")->at, "a token goes over https only");
    tls(out);
    proxy(out);
    if (const YamlNode* format = fields_.find("format"))
      out.cef = read_choice(reading_, *format, "format", {"rfc5424", "cef"}) == std::size_t{1};
    if (const YamlNode* timeout = fields_.find("timeout")) {
      out.timeout = read_duration(reading_, *timeout, "timeout").value_or(out.timeout);
      if (out.timeout < std::chrono::seconds(1) || out.timeout > std::chrono::minutes(1))
        reading_.complain(timeout->at, "timeout must be at least 1s, and at most 1m");
    }
    out.max_bytes = number("maxBytes", 1U << 16U, 1ULL << 40U, out.max_bytes);
    out.keep = static_cast<std::uint32_t>(number("keep", 0, kMostKept, out.keep));
    if (const YamlNode* filter = fields_.find("filter")) read_filter(*filter, out.filter);
    return true;
  }

 private:
  void target(SinkSettings& out) {
    if (out.type == SinkType::kFile) {
      if (fields_.require("path") != nullptr) path("path", out.path);
    }
    if (!has_key(out.type, "url")) return;
    const YamlNode* url = fields_.require("url");
    if (url == nullptr) return;
    out.url = read_text(reading_, *url, "url").value_or("");
    check_url(*url, out.url,
              is_http(out.type) ? std::vector<std::string_view>{"https://", "http://"}
                                : std::vector<std::string_view>{"tls://", "tcp://", "udp://"});
    if (out.type == SinkType::kSyslog && !out.url.empty() && !has_port(out.url))
      reading_.complain(url->at, "url needs a port, for example tls://logs.example:6514");
  }

  static bool has_port(const std::string& url) {
    const std::size_t colon = url.rfind(':');
    const std::string port = url.substr(colon + 1);
    return colon > url.find("://") && !port.empty() && port.size() <= 5 &&
           port.find_first_not_of("0123456789") == std::string::npos && std::stoul(port) > 0 &&
           std::stoul(port) <= 65535;
  }

  void check_url(const YamlNode& at, std::string& url,
                 const std::vector<std::string_view>& schemes) {
    if (url.empty()) return;
    const auto fits = [&url](std::string_view scheme) {
      return url.rfind(scheme, 0) == 0 && url.size() > scheme.size();
    };
    const bool plain =
        std::all_of(url.begin(), url.end(), [](char c) { return c > ' ' && c < 127; });
    if (!plain || std::none_of(schemes.begin(), schemes.end(), fits)) {
      std::string choices;
      for (const std::string_view scheme : schemes)
        choices += (choices.empty() ? "" : " or ") + std::string(scheme);
      reading_.complain(at.at, "url must begin with " + choices + ", and then name a host");
      url.clear();
      return;
    }
    const std::size_t host = url.find("://") + 3;
    const std::string authority = url.substr(host, url.find_first_of("/?#", host) - host);
    if (authority.find('@') != std::string::npos)
      reading_.complain(at.at, "no secret stands in a url: name a file, with tokenFile");
  }

  void path(std::string_view key, std::string& out) { path_of(fields_, key, out); }
  void path_of(const Fields& fields, std::string_view key, std::string& out) {
    const YamlNode* node = fields.find(key);
    if (node == nullptr) return;
    out = read_text(reading_, *node, key).value_or("");
    if (out.empty() || out.front() != '/')
      reading_.complain(node->at, std::string(key) + " must be an absolute path");
  }

  void tls(SinkSettings& out) {
    const YamlNode* node = fields_.find("tls");
    if (node == nullptr) return;
    const Fields fields(reading_, *node, "tls", sections::kSinkTls.keys);
    path_of(fields, "caFile", out.ca_file);
    path_of(fields, "certificateFile", out.certificate_file);
    path_of(fields, "keyFile", out.key_file);
    if (out.certificate_file.empty() != out.key_file.empty())
      reading_.complain(node->at, "certificateFile and keyFile go together");
    if (!out.url.empty() && out.url.rfind("https:", 0) != 0 && out.url.rfind("tls:", 0) != 0)
      reading_.complain(node->at, "this url has no TLS");
  }

  void proxy(SinkSettings& out) {
    const YamlNode* node = fields_.find("proxy");
    if (node == nullptr) return;
    out.proxy = read_text(reading_, *node, "proxy").value_or("");
    check_url(*node, out.proxy, {"http://", "https://", "socks5h://"});
  }

  std::uint64_t number(std::string_view key, std::uint64_t least, std::uint64_t most,
                       std::uint64_t otherwise) {
    const YamlNode* node = fields_.find(key);
    if (node == nullptr) return otherwise;
    const auto value = read_number(reading_, *node, key);
    if (!value) return otherwise;
    if (*value < least || *value > most)
      reading_.complain(node->at, std::string(key) + " must be at least " + std::to_string(least) +
                                      ", and at most " + std::to_string(most));
    return *value;
  }

  void read_filter(const YamlNode& node, SinkFilter& out) {
    const Fields fields(reading_, node, "filter", sections::kSinkFilter.keys);
    if (const YamlNode* severity = fields.find("severity")) {
      if (const auto chosen = read_choice(reading_, *severity, "severity", kSeverities))
        out.severity = static_cast<Severity>(*chosen);
    }
    const auto texts = [&](std::string_view key, std::vector<std::string>& to) {
      const YamlNode* list = fields.find(key);
      const auto* items = list == nullptr ? nullptr : read_list(reading_, *list, key);
      if (items == nullptr) return;
      for (const YamlNode& item : *items) {
        const auto text = read_text(reading_, item, key);
        if (!text) continue;
        const auto& known = sink_event_kinds();
        if (key == "kinds" && std::find(known.begin(), known.end(), *text) == known.end())
          reading_.complain(
              item.at, "no event is of kind '" + escape(*text, 60) + "'" + oci::hint(*text, known));
        to.push_back(*text);
      }
      if (to.empty()) reading_.complain(list->at, std::string(key) + " is empty: leave it out");
    };
    texts("kinds", out.kinds);
    texts("namespaces", out.namespaces);
  }

  Reading& reading_;
  const YamlNode& node_;
  Fields fields_;
};

// PATH, and the full ones beside it.
std::vector<std::string> files_of(const SinkSettings& sink) {
  const std::string path = std::filesystem::path(sink.path).lexically_normal().string();
  std::vector<std::string> out{path};
  for (std::uint32_t number = 1; number <= std::min(sink.keep, kMostKept); ++number)
    out.push_back(path + "." + std::to_string(number));
  return out;
}

}  // namespace

std::string_view sink_type_name(SinkType type) { return kTypes[static_cast<std::size_t>(type)]; }

std::string_view severity_name(Severity severity) {
  return kSeverities[static_cast<std::size_t>(severity)];
}

const std::vector<std::string_view>& sink_event_kinds() {
  static const std::vector<std::string_view> kinds = {
      "violation",       "tolerated",         "session-refused",  "newer-program",
      "quarantined",     "released",          "killed",           "mode-changed",
      "widened",         "storm-guard",       "capability-used",  "capability-denied",
      "ended-by-filter", "privileges-gained", "seen-lost",        "violations-lost",
      "spool-damaged",   "database-repaired", "evidence-removed", "profile-applied",
      "amended",         "amendment-dropped", "policies-removed", "compiled-again",
      "rejected",        "recording-started", "recording-ended",  "recording-forgotten"};
  return kinds;
}

std::vector<SinkSettings> read_sinks(Reading& reading, const YamlNode& list) {
  std::vector<SinkSettings> out;
  const auto* items = read_list(reading, list, "sinks");
  if (items == nullptr) return out;
  std::set<std::string> names, files;
  for (const YamlNode& item : *items) {
    SinkSettings sink;
    if (!SinkReader(reading, item).read(sink)) continue;
    if (!sink.name.empty() && !names.insert(sink.name).second)
      reading.complain(item.at, "another sink has the name '" + escape(sink.name, 60) + "'");
    if (!sink.path.empty() && out.size() < kMostSinks) {
      const std::vector<std::string> own = files_of(sink);
      if (std::any_of(own.begin(), own.end(), [&](auto& each) { return files.contains(each); }))
        reading.complain(item.at, "another sink writes '" + escape(sink.path, 60) +
                                      "' or one of its full files, PATH.1 and so on");
      files.insert(own.begin(), own.end());
    }
    out.push_back(std::move(sink));
  }
  if (out.size() > kMostSinks)
    reading.complain(list.at, "at most " + std::to_string(kMostSinks) + " sinks");
  return out;
}

}  // namespace ward::profiles
