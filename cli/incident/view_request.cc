// SPDX-License-Identifier: Apache-2.0
#include "cli/incident/view_request.h"

#include <sodium/utils.h>

#include <algorithm>
#include <cctype>
#include <optional>

namespace ward::cli {
namespace {

constexpr std::size_t kMaxHeaders = 64;

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// The one Host there is; nothing where there is none, or two, or a line that is no header.
std::optional<std::string> host_of(std::string_view lines) {
  std::optional<std::string> host;
  for (std::size_t count = 0; !lines.empty(); ++count) {
    const std::size_t end = lines.find("\r\n");
    if (end == std::string_view::npos || count > kMaxHeaders) return std::nullopt;
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(end + 2);
    if (line.empty()) break;
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) return std::nullopt;
    if (lower(line.substr(0, colon)) != "host") continue;
    if (host) return std::nullopt;
    host = lower(trimmed(line.substr(colon + 1)));
  }
  return host;
}

// Takes as long wherever they differ.
bool is_token(std::string_view given, std::string_view token) {
  return given.size() == token.size() &&
         sodium_memcmp(given.data(), token.data(), token.size()) == 0;
}

bool is_page_name(std::string_view name) {
  constexpr std::string_view kBegin = "incident-", kEnd = ".html";
  if (name.size() <= kBegin.size() + kEnd.size() || name.size() > 128) return false;
  if (!name.starts_with(kBegin) || !name.ends_with(kEnd)) return false;
  name = name.substr(kBegin.size(), name.size() - kBegin.size() - kEnd.size());
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

std::string_view reason_of(int status) {
  switch (status) {
    case 200: return "OK";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 503: return "Service Unavailable";
    default: return "Bad Request";
  }
}

}  // namespace

ViewVerdict judge_request(std::string_view head, std::string_view token, std::uint16_t port) {
  if (head.size() > kMaxRequestBytes) return {400, ""};
  const std::size_t end = head.find("\r\n");
  if (end == std::string_view::npos) return {400, ""};
  const std::string_view line = head.substr(0, end);
  const std::size_t first = line.find(' ');
  const std::size_t second = first == std::string_view::npos ? first : line.find(' ', first + 1);
  if (second == std::string_view::npos) return {400, ""};
  const std::string_view method = line.substr(0, first);
  std::string_view target = line.substr(first + 1, second - first - 1);
  const std::string_view version = line.substr(second + 1);
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return {400, ""};
  if (method != "GET") return {405, ""};
  const auto host = host_of(head.substr(end + 2));
  const std::string at = ":" + std::to_string(port);
  if (!host || (*host != "127.0.0.1" + at && *host != "localhost" + at)) return {403, ""};
  if (!target.starts_with('/')) return {400, ""};
  target.remove_prefix(1);
  const std::size_t slash = target.find('/');
  if (slash == std::string_view::npos || !is_token(target.substr(0, slash), token))
    return {404, ""};
  const std::string_view page = target.substr(slash + 1);
  if (page.empty() || page == "index.html") return {200, ""};
  return is_page_name(page) ? ViewVerdict{200, std::string(page)} : ViewVerdict{404, ""};
}

std::string http_answer(int status, std::string_view body) {
  const std::string text = body.empty() ? std::string(reason_of(status)) + "\n" : std::string(body);
  return "HTTP/1.1 " + std::to_string(status) + " " + std::string(reason_of(status)) +
         "\r\nContent-Type: " + (body.empty() ? "text/plain" : "text/html; charset=utf-8") +
         "\r\nContent-Length: " + std::to_string(text.size()) +
         "\r\nContent-Security-Policy: frame-ancestors 'none'; script-src 'none'; object-src "
         "'none'; base-uri 'none'; form-action 'none'"
         "\r\nX-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY"
         "\r\nReferrer-Policy: no-referrer\r\nCache-Control: no-store"
         "\r\nCross-Origin-Resource-Policy: same-origin"
         "\r\nCross-Origin-Opener-Policy: same-origin"
         "\r\nConnection: close\r\n\r\n" +
         text;
}

}  // namespace ward::cli
