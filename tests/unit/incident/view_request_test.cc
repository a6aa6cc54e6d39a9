// SPDX-License-Identifier: Apache-2.0
// Who may see the pages of `ward view --serve`.
#include "cli/incident/view_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ward::cli {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kToken = "0123456789abcdef0123456789abcdef";

ViewVerdict ask(const std::string& line, const std::string& headers = "Host: 127.0.0.1:8080\r\n") {
  return judge_request(line + "\r\n" + headers + "\r\n", kToken, 8080);
}
std::string get(const std::string& page) {
  return "GET /" + std::string(kToken) + "/" + page + " HTTP/1.1";
}

TEST(ViewRequest, WhoKnowsTheTokenGetsThePagesAndNothingElse) {
  EXPECT_EQ(ask(get("")).status, 200);
  EXPECT_EQ(ask(get("index.html")).page, "");
  const auto page = ask(get("incident-a7e928-1.html"));
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.page, "incident-a7e928-1.html");
  for (const char* other : {"../etc/passwd", "incident-../x.html", "incident-.html", "x.html",
                            "incident-a.html?x", "incident-%2e.html", "/", "incident-A\n.html"})
    EXPECT_NE(ask(get(other)).status, 200) << other;
}

TEST(ViewRequest, AWrongTokenIsNoPageWhateverItIs) {
  for (const std::string& token : {std::string(), std::string("0"), std::string(32, 'f'),
                                   std::string(kToken.substr(0, 31)), std::string(kToken) + "0"})
    EXPECT_EQ(ask("GET /" + token + "/ HTTP/1.1").status, 404) << token;
  EXPECT_EQ(ask("GET /" + std::string(kToken) + " HTTP/1.1").status, 404);
}

TEST(ViewRequest, APageOfAnotherNameThatLeadsHereIsRefused) {
  for (const char* headers :
       {"Host: evil.example:8080\r\n", "Host: 127.0.0.1\r\n", "Host: 127.0.0.1:80\r\n",
        "Host: 127.0.0.1:8080\r\nHost: evil.example\r\n", "", "Host 127.0.0.1:8080\r\n",
        "Host: 127.0.0.1:8080.evil.example\r\n", "X-Host: 127.0.0.1:8080\r\n"})
    EXPECT_EQ(ask(get(""), headers).status, 403) << headers;
  EXPECT_EQ(ask(get(""), "host: LOCALHOST:8080\r\n").status, 200);
}

TEST(ViewRequest, NothingButGetIsAnswered) {
  for (const char* method : {"POST", "HEAD", "OPTIONS", "PUT", "get", "CONNECT"}) {
    const auto verdict = ask(std::string(method) + " /" + std::string(kToken) + "/ HTTP/1.1");
    EXPECT_EQ(verdict.status, 405) << method;
  }
}

TEST(ViewRequest, WhatIsNoRequestIsRefused) {
  EXPECT_EQ(judge_request("", kToken, 8080).status, 400);
  EXPECT_EQ(judge_request("GET / HTTP/1.1", kToken, 8080).status, 400);
  EXPECT_EQ(ask("GET  HTTP/1.1").status, 400);
  EXPECT_EQ(ask(get("") + " x").status, 400);
  EXPECT_EQ(judge_request(std::string(kMaxRequestBytes + 1, 'x'), kToken, 8080).status, 400);
  std::string many;
  for (int i = 0; i < 100; ++i) many += "A: b\r\n";
  EXPECT_EQ(ask(get(""), many + "Host: 127.0.0.1:8080\r\n").status, 403);
}

TEST(ViewRequest, AnAnswerLetsABrowserKeepRunAndFrameNothing) {
  const std::string answer = http_answer(200, "<p>");
  for (const char* part : {"HTTP/1.1 200 OK\r\n", "Cache-Control: no-store",
                           "frame-ancestors 'none'", "nosniff", "script-src 'none'",
                           "Referrer-Policy: no-referrer", "Content-Length: 3\r\n", "\r\n\r\n<p>"})
    EXPECT_THAT(answer, HasSubstr(part));
  EXPECT_THAT(http_answer(404, ""), HasSubstr("404 Not Found"));
}

}  // namespace
}  // namespace ward::cli
