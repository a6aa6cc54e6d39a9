// SPDX-License-Identifier: Apache-2.0
// POST over HTTP or HTTPS, by libcurl. Nothing but a whole answer of the 2xx kind says that a
// receiver has an event; what it says besides is not kept.
#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "enforcer/sinks/curl_library.h"
#include "enforcer/sinks/formats.h"
#include "enforcer/sinks/outlet.h"
#include "enforcer/sinks/secret_file.h"
#include "lib/base/clock.h"
#include "lib/base/escape.h"

namespace ward::enforcer::sinks {
namespace {

using profiles::SinkSettings;
using profiles::SinkType;

constexpr std::size_t kMostAnswer = 64U << 10U;  // of head, and of body
constexpr std::size_t kKeptAnswer = 160;         // for a message to people
constexpr std::size_t kMostInOneRequest = 32;

struct Answer {
  long status = 0;
  std::string beginning;
  std::size_t head_bytes = 0, body_bytes = 0;
};

std::size_t take_body(char* data, std::size_t size, std::size_t count, void* to) {
  auto& answer = *static_cast<Answer*>(to);
  const std::size_t bytes = size * count;
  answer.body_bytes += bytes;
  if (answer.beginning.size() < kKeptAnswer)
    answer.beginning.append(data, std::min(bytes, kKeptAnswer - answer.beginning.size()));
  return answer.body_bytes > kMostAnswer ? 0 : bytes;
}

std::size_t take_head(char*, std::size_t size, std::size_t count, void* to) {
  auto& answer = *static_cast<Answer*>(to);
  answer.head_bytes += size * count;
  return answer.head_bytes > kMostAnswer ? 0 : size * count;
}

bool takes_many(SinkType type) {
  return type == SinkType::kAlertmanager || type == SinkType::kOtlp;
}

std::string body_of(SinkType type, std::span<const Event> events) {
  switch (type) {
    case SinkType::kFalco: return falco_json(events.front());
    case SinkType::kOcsf: return ocsf_json(events.front());
    case SinkType::kAlertmanager: return alertmanager_json(events);
    case SinkType::kOtlp: return otlp_json(events);
    default: return event_json(events.front());
  }
}

// Of a whole answer that is not 2xx. A receiver that chokes on one body says 500 or 403 as well as
// one that serves nobody: the sender tells the two apart by the next event.
Blame blame_of(long status) {
  switch (status) {
    case 400:
    case 413:
    case 422: return Blame::kEvent;
    case 401:
    case 407:
    case 408:
    case 425:
    case 429:
    case 502:
    case 503:
    case 504: return Blame::kReceiver;
    default: return status >= 400 ? Blame::kUnclear : Blame::kReceiver;
  }
}

// A url that names a host alone means the usual path of what listens there.
std::string full_url(const SinkSettings& settings) {
  const std::size_t path = settings.url.find('/', settings.url.find("://") + 3);
  if (path != std::string::npos && path + 1 < settings.url.size()) return settings.url;
  const std::string host = settings.url.substr(0, path);
  if (settings.type == SinkType::kAlertmanager) return host + "/api/v2/alerts";
  if (settings.type == SinkType::kOtlp) return host + "/v1/logs";
  return settings.url;
}

class HttpOutlet final : public Outlet {
 public:
  explicit HttpOutlet(const SinkSettings& settings)
      : settings_(settings), url_(full_url(settings)) {}
  ~HttpOutlet() override { close(); }

  Delivery deliver(std::span<const Event> events, const StopSignal& stop) override {
    Delivery out;
    while (out.taken < events.size() && !stop.asked()) {
      const std::size_t most = takes_many(settings_.type) && !one_by_one_ ? kMostInOneRequest : 1;
      const auto part = events.subspan(out.taken, std::min(most, events.size() - out.taken));
      out.blame = Blame::kReceiver;
      out.problem = post(part, stop, out.blame);
      if (out.problem.empty()) {
        out.taken += part.size();
        continue;
      }
      // Which of them it is shows when they go one by one.
      if (out.blame == Blame::kReceiver || part.size() == 1) break;
      one_by_one_ = true;
    }
    if (out.taken == events.size()) one_by_one_ = false;
    if (out.taken < events.size() && out.problem.empty()) out.problem = "stopped";
    return out;
  }

  void rest() override { close(); }

 private:
  void close() {
    if (curl_ == nullptr) return;
    if (easy_ != nullptr) curl_->easy_cleanup(easy_);
    if (multi_ != nullptr) curl_->multi_cleanup(multi_);
    easy_ = nullptr;
    multi_ = nullptr;
  }

  Result<void> open() {
    if (easy_ != nullptr) return {};
    auto curl = load_curl();
    if (!curl) return tl::unexpected<Error>(curl.error());
    curl_ = *curl;
    multi_ = curl_->multi_init();
    easy_ = curl_->easy_init();
    if (multi_ == nullptr || easy_ == nullptr) {
      close();
      return fail(Code::kResourceExhausted, "no memory for a connection");
    }
    const auto set = [this](CURLoption option, auto value) {
      (void)curl_->easy_setopt(easy_, option, value);
    };
    set(CURLOPT_URL, url_.c_str());
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    // Where a redirect leads, and with which secret, nobody has decided.
    set(CURLOPT_FOLLOWLOCATION, 0L);
    // Not from the environment: wardd.yaml says all.
    set(CURLOPT_PROXY, settings_.proxy.c_str());
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(settings_.timeout.count()));
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(settings_.timeout.count()));
    set(CURLOPT_SSL_VERIFYPEER, 1L);
    set(CURLOPT_SSL_VERIFYHOST, 2L);
    set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    set(CURLOPT_QUICK_EXIT, 1L);  // a name that is looked up in vain holds up no end
    set(CURLOPT_USERAGENT, "ward/" WARD_VERSION);
    if (!settings_.ca_file.empty()) {
      set(CURLOPT_CAINFO, settings_.ca_file.c_str());
      // The directory of the system's authorities would be asked besides.
      set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
    }
    if (!settings_.certificate_file.empty()) {
      set(CURLOPT_SSLCERT, settings_.certificate_file.c_str());
      set(CURLOPT_SSLKEY, settings_.key_file.c_str());
    }
    set(CURLOPT_BUFFERSIZE, 4096L);
    set(CURLOPT_UPLOAD_BUFFERSIZE, 16384L);
    set(CURLOPT_WRITEFUNCTION, &take_body);
    set(CURLOPT_HEADERFUNCTION, &take_head);
    set(CURLOPT_ERRORBUFFER, error_);
    return {};
  }

  // The head of this request; a secret is read anew for each.
  Result<curl_slist*> head_of(std::span<const Event> events, const std::string& body) {
    std::vector<std::string> lines{"Content-Type: application/json", "Expect:"};
    if (settings_.type == SinkType::kWebhook) {
      // An id is text of ours, but the journal's database is a file like others.
      lines.push_back("Ward-Event-Id: " + escape(events.front().id));
      lines.push_back("Ward-Event-Schema: " + std::string(kEventSchema));
    }
    if (!settings_.hmac_key_file.empty()) {
      const auto key = read_secret_line(settings_.hmac_key_file);
      if (!key) return tl::unexpected<Error>(key.error());
      const std::string at = std::to_string(wall_ns() / 1'000'000'000);
      lines.push_back("Ward-Signature: t=" + at + ",v1=" + hmac_sha256_hex(*key, at + "." + body));
    }
    if (!settings_.token_file.empty()) {
      const auto token = read_secret_line(settings_.token_file);
      if (!token) return tl::unexpected<Error>(token.error());
      if (std::any_of(token->begin(), token->end(), [](char c) { return c <= ' ' || c >= 0x7f; }))
        return fail(Code::kFailedPrecondition,
                    "the token in '" + escape(settings_.token_file) + "' is more than one word");
      lines.push_back("Authorization: Bearer " + *token);
    }
    if (!settings_.key_file.empty()) {
      if (auto checked = check_secret(settings_.key_file); !checked)
        return tl::unexpected<Error>(checked.error());
    }
    curl_slist* out = nullptr;
    for (const std::string& line : lines) out = curl_->slist_append(out, line.c_str());
    return out;
  }

  // Empty where the receiver has them; else why not, for people.
  std::string post(std::span<const Event> events, const StopSignal& stop, Blame& blame) {
    if (auto opened = open(); !opened) return opened.error().message;
    const std::string body = body_of(settings_.type, events);
    auto head = head_of(events, body);
    if (!head) return head.error().message;
    Answer answer;
    error_[0] = '\0';
    const auto set = [this](CURLoption option, auto value) {
      (void)curl_->easy_setopt(easy_, option, value);
    };
    set(CURLOPT_HTTPHEADER, *head);
    set(CURLOPT_POSTFIELDS, body.c_str());
    set(CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
    set(CURLOPT_WRITEDATA, &answer);
    set(CURLOPT_HEADERDATA, &answer);
    const auto ended = perform(stop);
    (void)curl_->easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &answer.status);
    curl_->slist_free_all(*head);
    if (!ended) {
      close();
      return "stopped";
    }
    return judge(*ended, answer, blame);
  }

  std::optional<CURLcode> perform(const StopSignal& stop) {
    curl_->multi_add_handle(multi_, easy_);
    std::optional<CURLcode> ended;
    for (int running = 1; running > 0 && !stop.asked();) {
      if (curl_->multi_perform(multi_, &running) != CURLM_OK) break;
      if (running == 0) break;
      curl_waitfd wait{stop.fd(), CURL_WAIT_POLLIN, 0};
      constexpr int kAtMost_ms = 1000;  // curl has deadlines of its own
      (void)curl_->multi_poll(multi_, &wait, 1, kAtMost_ms, nullptr);
    }
    int left = 0;
    while (const CURLMsg* message = curl_->multi_info_read(multi_, &left)) {
      if (message->msg == CURLMSG_DONE) ended = message->data.result;
    }
    curl_->multi_remove_handle(multi_, easy_);
    return ended;
  }

  std::string judge(CURLcode code, const Answer& answer, Blame& blame) {
    const bool good = answer.status >= 200 && answer.status < 300;
    const bool cut = code == CURLE_WRITE_ERROR && answer.body_bytes > kMostAnswer;
    if (good && (code == CURLE_OK || cut)) return "";
    if (code != CURLE_OK && !cut) {
      const std::string why = error_[0] != '\0' ? error_ : curl_->easy_strerror(code);
      // What is half done on it would answer the next request.
      close();
      return escape(why);
    }
    std::string problem = "HTTP " + std::to_string(answer.status);
    if (answer.status >= 300 && answer.status < 400) {
      problem += ": a redirect is not followed: write where it leads as url";
    } else if (!answer.beginning.empty()) {
      problem += ": " + escape(answer.beginning, kKeptAnswer);
    }
    blame = blame_of(answer.status);
    return problem;
  }

  const SinkSettings settings_;
  const std::string url_;
  const CurlLibrary* curl_ = nullptr;
  CURLM* multi_ = nullptr;
  CURL* easy_ = nullptr;
  bool one_by_one_ = false;
  char error_[CURL_ERROR_SIZE] = {};
};

}  // namespace

std::unique_ptr<Outlet> make_http_outlet(const SinkSettings& settings) {
  return std::make_unique<HttpOutlet>(settings);
}

}  // namespace ward::enforcer::sinks
