// SPDX-License-Identifier: Apache-2.0
// wardd's end of the node link for tests: a real ttrpc server with a journal that knows each event
// once.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lib/linux/unix_socket.h"
#include "lib/ttrpc/server.h"
#include "tests/support/loop_test.h"
#include "ward/node/v1/node.pb.h"

namespace ward::shim::links {

class FakeWardd {
 public:
  FakeWardd(asio::io_context& loop, std::filesystem::path socket)
      : loop_(loop), socket_(std::move(socket)) {}

  void start() {
    auto listener = listen_unix(socket_, StaleSocket::kReplace);
    ASSERT_TRUE(listener) << listener.error().message;
    server_.emplace(loop_, std::move(*listener));
    add<node::v1::RegisterRequest>("Register",
                                   [this](const auto& request, ttrpc::Responder responder) {
                                     registrations.push_back(request);
                                     responder.reply(node::v1::RegisterResponse());
                                   });
    add<node::v1::UpdateContainerRequest>("UpdateContainer",
                                          [this](const auto& request, ttrpc::Responder responder) {
                                            updates.push_back(request.container());
                                            if (silent) return kept.push_back(std::move(responder));
                                            responder.reply(node::v1::Ack());
                                          });
    add<node::v1::ReportRequest>("Report", [this](const auto& request, ttrpc::Responder responder) {
      if (silent) return kept.push_back(std::move(responder));
      received += request.violations_size();
      node::v1::ReportResponse response;
      for (const auto& violation : request.violations()) {
        if (full_disk || (violation.event_id() == poison && poison_refusals-- > 0)) continue;
        if (known.insert(violation.event_id()).second) journal.push_back(violation);
        response.add_accepted_event_ids(violation.event_id());
      }
      if (held)
        return answers.push_back([response, to = std::make_shared<ttrpc::Responder>(
                                                std::move(responder))] { to->reply(response); });
      responder.reply(response);
    });
    add<node::v1::BeginRecordingRequest>(
        "BeginRecording", [this](const auto& /*request*/, ttrpc::Responder responder) {
          if (silent) return kept.push_back(std::move(responder));
          node::v1::BeginRecordingResponse response;
          response.set_recording(true);
          responder.reply(response);
        });
    add<node::v1::EndRecordingRequest>("EndRecording",
                                       [this](const auto& request, ttrpc::Responder responder) {
                                         ended.push_back(request.run_id());
                                         responder.reply(node::v1::Ack());
                                       });
    server_->start();
  }
  void answer_held() {
    for (const auto& answer : std::exchange(answers, {})) answer();
  }
  void die() {
    server_.reset();  // the socket file stays, as after SIGKILL
    kept.clear();
  }

  bool silent = false;     // takes everything but registrations and answers nothing
  bool held = false;       // journals reports and answers them later
  bool full_disk = false;  // accepts nothing
  std::string poison;      // is not accepted this often
  int poison_refusals = 0;
  std::vector<node::v1::RegisterRequest> registrations;
  std::vector<node::v1::ContainerStatus> updates;
  std::vector<node::v1::Violation> journal;
  std::set<std::string> known;
  std::vector<std::string> ended;
  std::vector<ttrpc::Responder> kept;
  std::vector<std::function<void()>> answers;
  int received = 0;  // violations, also those that are known

 private:
  template <typename Message, typename Answer>
  void add(const std::string& method, Answer answer) {
    server_->add("ward.node.v1.Node", method,
                 [answer](const ttrpc::Request& request, ttrpc::Responder responder) {
                   Message message;
                   ASSERT_TRUE(message.ParseFromString(request.payload));
                   answer(message, std::move(responder));
                 });
  }

  asio::io_context& loop_;
  std::filesystem::path socket_;
  std::optional<ttrpc::Server> server_;
};

}  // namespace ward::shim::links
