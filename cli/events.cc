// SPDX-License-Identifier: Apache-2.0
#include <grpcpp/client_context.h>

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <memory>

#include "cli/present/event_text.h"
#include "cli/present/json.h"
#include "cli/verbs.h"

namespace ward::cli {
namespace {

// Following ends when somebody ends it: that is no failure. Every event is one write, so that none is cut in two.
void end_on_signal() {
  constexpr std::size_t kMostOfOneEvent_bytes = 256U << 10U;
  std::setvbuf(stdout, nullptr, _IOFBF, kMostOfOneEvent_bytes);
  for (const int number : {SIGINT, SIGTERM}) std::signal(number, [](int) { ::_exit(kExitOk); });
}

int run(Session& session, const ward::v1::ListEventsRequest& request) {
  if (request.follow()) end_on_signal();
  grpc::ClientContext context;
  const auto stream = session.api().ListEvents(&context, request);
  ward::v1::Event event;
  while (stream->Read(&event)) {
    const std::string text = session.json ? to_json(event, JsonForm::kLine) + "\n" : event_text(event, session.out);
    std::fputs(text.c_str(), stdout);
    if (request.follow() && std::fflush(stdout) != 0) {
      const Error error = fail_errno("write to standard output").value();
      context.TryCancel();
      (void)stream->Finish();
      return session.fail(error);
    }
  }
  if (const auto rpc = stream->Finish(); !rpc.ok()) return session.fail("events", rpc);
  return kExitOk;
}

}  // namespace

void add_events(CLI::App& app, Session& session, int& exit_code) {
  auto* verb = app.add_subcommand("events", "Violations and what was done about them; json: one object per line");
  const auto request = std::make_shared<ward::v1::ListEventsRequest>();
  verb->add_flag_callback(
      "-f,--follow", [request] { request->set_follow(true); }, "stay and print new events");
  verb->add_option_function<std::string>(
      "-c,--container", [request](const std::string& id) { request->set_container(id); }, "only this container");
  verb->add_option_function<std::uint32_t>(
      "-n,--last", [request](std::uint32_t n) { request->set_limit(n); }, "only the newest N");
  verb->add_option_function<std::uint64_t>(
      "--after", [request](std::uint64_t n) { request->set_after_sequence(n); },
      "only events after this sequence number");
  verb->callback([&session, &exit_code, request] { exit_code = run(session, *request); });
}

}  // namespace ward::cli
