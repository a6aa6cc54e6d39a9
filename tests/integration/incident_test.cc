// SPDX-License-Identifier: Apache-2.0
// From a real quarantine to what somebody who is woken at night sees of it: list, text, page,
// folder and the pages served to this machine.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "lib/base/unique_fd.h"
#include "tests/integration/guarded_test_base.h"

namespace ward::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::string content_of(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Everything that the server says to these bytes.
std::string ask(std::uint16_t port, const std::string& request) {
  const UniqueFd connection(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(connection.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return "no connection";
  EXPECT_EQ(::send(connection.get(), request.data(), request.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(request.size()));
  std::string answer, chunk(65536, '\0');
  for (ssize_t n; (n = ::recv(connection.get(), chunk.data(), chunk.size(), 0)) > 0;)
    answer.append(chunk, 0, static_cast<std::size_t>(n));
  return answer;
}

class Incidents : public GuardedTest {
 protected:
  void SetUp() override {
    GuardedTest::SetUp();
    id_ = start_watched("quarantine");
    node().poke(id_, "unshare");
    event_ = await_violation(id_);
    ASSERT_TRUE(await([&] { return row(id_)["state"] == "QUARANTINED"; }));
    const fs::path evidence = event_["evidence"].get<std::string>();
    ASSERT_TRUE(await([&] { return fs::exists(evidence / "SHA256SUMS"); }));
  }
  void TearDown() override {
    if (!id_.empty()) node().remove(id_);
  }
  [[nodiscard]] std::string incident() const { return event_["id"].get<std::string>(); }

  std::string id_;
  Json event_;
};

TEST_F(Incidents, AQuarantineIsListedAndShownWithWhatToDoNext) {
  const Output list = node().ward({"incident", "list"});
  EXPECT_THAT(list.out, AllOf(HasSubstr(incident()), HasSubstr("unshare"), HasSubstr(id_)));
  const Output text = node().ward({"incident", "show", incident()});
  EXPECT_EQ(text.status, 0) << text.err;
  const std::string name = node().containerd_namespace() + "/" + id_;
  for (const std::string& part :
       {"It is contained: frozen, without network, and waits for you." + std::string(),
        "ward quarantine release " + name, "onViolation.workload: quarantine" + std::string(),
        (node().config() / "profiles/box.yaml").string() + ":", std::string("T1611"),
        std::string("it was never learned"), std::string("ms  frozen")})
    EXPECT_THAT(text.out, HasSubstr(part));
  const Json json = ward_json({"incident", "show", incident()});
  EXPECT_EQ(json["now"], "quarantined");
  EXPECT_EQ(json["evidence_complete"], true) << json["notes"].dump();
  EXPECT_EQ(json["rulings"][0]["ruling"], "acted-upon");
  EXPECT_EQ(node().ward({"quarantine", "release", name}).status, 0);
  EXPECT_THAT(node().ward({"incident", "show", incident()}).out, HasSubstr("it was released"));
}

TEST_F(Incidents, TheReportIsOneFileForRootWithoutScriptsThatNamesTheOffender) {
  const fs::path file = node().directory() / "incident.html";
  const Output output = node().ward({"incident", "report", incident(), "-o", file.string()});
  EXPECT_EQ(output.status, 0) << output.err;
  struct stat about {};
  ASSERT_EQ(::stat(file.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777U, 0600U);
  const std::string page = content_of(file);
  for (const char* part : {"Content-Security-Policy", "default-src 'none'", "made the call",
                           "<section id=\"mounts\">", "Raw JSON"})
    EXPECT_THAT(page, HasSubstr(part));
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_LT(page.find("<section id=\"raw\">"), 300'000U);
}

TEST_F(Incidents, TheFolderHasAPageForEachAndOnlyRootReadsIt) {
  const fs::path folder = node().directory() / "pages";
  const Output output = node().ward({"view", "--out", folder.string()});
  EXPECT_EQ(output.status, 0) << output.err;
  EXPECT_THAT(content_of(folder / "index.html"), HasSubstr("incident-" + incident() + ".html"));
  EXPECT_THAT(content_of(folder / ("incident-" + incident() + ".html")),
              HasSubstr("It is contained"));
  struct stat about {};
  ASSERT_EQ(::stat(folder.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777U, 0700U);
}

TEST_F(Incidents, WhoKnowsTheAddressIsServedAndNobodyElse) {
  Child server({ward_binary().string(), "view", "--serve"}, node().environment());
  ASSERT_TRUE(server.await_output("/\n")) << server.err();
  const std::string address = server.out().substr(0, server.out().find('\n'));
  const std::string begin = "http://127.0.0.1:";
  ASSERT_EQ(address.rfind(begin, 0), 0U) << address;
  const auto port = static_cast<std::uint16_t>(std::stoi(address.substr(begin.size())));
  const std::string path = address.substr(address.find('/', begin.size()));
  const std::string host = "Host: 127.0.0.1:" + std::to_string(port) + "\r\n\r\n";
  EXPECT_THAT(ask(port, "GET " + path + " HTTP/1.1\r\n" + host),
              AllOf(HasSubstr("200 OK"), HasSubstr("no-store"), HasSubstr(incident())));
  EXPECT_THAT(ask(port, "GET " + path + "incident-" + incident() + ".html HTTP/1.1\r\n" + host),
              AllOf(HasSubstr("200 OK"), HasSubstr("It is contained")));
  const std::vector<std::pair<std::string, std::string>> refused = {
      {"GET / HTTP/1.1\r\n" + host, "404"},
      {"GET /0123456789abcdef0123456789abcdef/ HTTP/1.1\r\n" + host, "404"},
      {"GET " + path + "incident-none.html HTTP/1.1\r\n" + host, "404"},
      {"POST " + path + " HTTP/1.1\r\n" + host, "405"},
      {"GET " + path + " HTTP/1.1\r\nHost: rebound.example\r\n\r\n", "403"},
      {"\r\n\r\n", "400"}};
  for (const auto& [request, status] : refused)
    EXPECT_THAT(ask(port, request), AllOf(HasSubstr("HTTP/1.1 " + status), Not(HasSubstr(id_))))
        << request;
  EXPECT_EQ(ask(port, std::string(20'000, 'x')), "") << "too long, and closed";
  node().stop_wardd(SIGTERM);
  EXPECT_THAT(ask(port, "GET " + path + " HTTP/1.1\r\n" + host), HasSubstr("503"));
  node().start_wardd();
  EXPECT_THAT(ask(port, "GET " + path + " HTTP/1.1\r\n" + host), HasSubstr("200 OK"));
  server.signal(SIGTERM);
  EXPECT_EQ(server.wait(), 0) << server.err();
}

TEST_F(Incidents, WhyNamesTheLayerTheRuleAndItsLine) {
  const std::string file = (node().config() / "profiles/box.yaml").string();
  const Json of_event = ward_json({"why", incident()});
  EXPECT_EQ(of_event["rulings"][0]["ruling"], "acted-upon");
  EXPECT_THAT(of_event["rulings"][0]["decides"]["place"].get<std::string>(), HasSubstr(file + ":"));
  const Json allowed = ward_json({"why", id_, "kill"});
  EXPECT_EQ(allowed["rulings"][0]["decides"]["from"], "listed in serving");
  EXPECT_THAT(allowed["rulings"][0]["decides"]["place"].get<std::string>(), HasSubstr(file + ":"));
  const Json near = ward_json({"why", id_, "clone", "CLONE_NEWUSER"});
  EXPECT_EQ(near["rulings"][0]["nearest_why"], "the same call with other arguments");
  const Output wrong = node().ward({"why", id_, "clone33"});
  EXPECT_EQ(wrong.status, 2);
  EXPECT_THAT(wrong.err, HasSubstr("clone3"));
  const std::string off = start_watched("off");
  EXPECT_THAT(node().ward({"why", off, "mount"}).out, HasSubstr("mode off"));
  node().remove(off);
}

TEST_F(Incidents, I7_EvidenceThatSomebodyDamagedBreaksNeitherTextNorPage) {
  const fs::path evidence = event_["evidence"].get<std::string>();
  fs::remove(evidence / "mounts.txt");
  fs::create_symlink("/etc/shadow", evidence / "mounts.txt");
  std::ofstream(evidence / "evidence.json") << std::string(100'000, '[') << "\x1b[2J<script>";
  const Output page = node().ward({"incident", "report", incident()});
  EXPECT_EQ(page.status, 0) << page.err;
  EXPECT_THAT(page.out, AllOf(Not(HasSubstr("root:")), Not(HasSubstr("\x1b")),
                              Not(HasSubstr("<script")), HasSubstr("evidence.json")));
}

}  // namespace
}  // namespace ward::test
