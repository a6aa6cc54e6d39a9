// SPDX-License-Identifier: Apache-2.0
#include <grpcpp/client_context.h>
#include <poll.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <optional>

#include "cli/app.h"
#include "cli/options.h"
#include "cli/patience.h"
#include "cli/present/event_text.h"
#include "cli/present/json.h"
#include "cli/present/since.h"
#include "cli/request_text.h"
#include "cli/verbs.h"
#include "lib/base/clock.h"

namespace ward::cli {
namespace {

constexpr std::chrono::seconds kLongestSilence{10};
constexpr int kBetweenAttempts_ms = 250;

// Following ends when somebody ends it: that is no failure. Every event is one write, so that none
// is cut in two.
void end_on_signal() {
  for (const int number : {SIGINT, SIGTERM}) std::signal(number, [](int) { ::_exit(kExitOk); });
}

// One stream after the other, where wardd restarts meanwhile.
class Events {
 public:
  Events(Session& session, ward::v1::ListEventsRequest request)
      : session_(session), request_(std::move(request)) {}

  int run() {
    if (request_.follow()) end_on_signal();
    for (;;) {
      const grpc::Status ended = stream();
      if (unwritten_) return session_.fail(*unwritten_);
      const bool away = ended.error_code() == grpc::StatusCode::UNAVAILABLE;
      if (!request_.follow() || !subscribed_ || !away)
        return ended.ok() ? int{kExitOk} : session_.fail("events", ended);
      if (!said_) session_.warn("events: wardd went away; the stream goes on when it is back");
      said_ = true;
      session_.connect_again();
      // Its socket will be another file: nothing tells when.
      ::poll(nullptr, 0, kBetweenAttempts_ms);
    }
  }

 private:
  grpc::Status stream() {
    grpc::ClientContext context;
    Patience patience(context, kLongestSilence);
    const auto reader = session_.api().ListEvents(&context, request_);
    reader->WaitForInitialMetadata();
    const auto place = context.GetServerInitialMetadata().find("ward-after");
    if (place != context.GetServerInitialMetadata().end()) {
      begin_behind(std::stoull(std::string(place->second.data(), place->second.size())));
      // A restarted wardd does not know the names before the shims have come back.
      const auto container = context.GetServerInitialMetadata().find("ward-container");
      if (container != context.GetServerInitialMetadata().end()) {
        request_.set_container(std::string(container->second.data(), container->second.size()));
      }
      if (request_.follow()) patience.end();
    }
    ward::v1::Event event;
    while (reader->Read(&event)) {
      patience.something_came();
      show(event);
      if (!unwritten_) continue;
      context.TryCancel();
      break;
    }
    grpc::Status ended = reader->Finish();
    if (patience.is_over()) return {grpc::StatusCode::DEADLINE_EXCEEDED, ""};
    return ended;
  }

  // From here on only what comes behind it, also in the next stream.
  void begin_behind(std::uint64_t sequence) {
    if (subscribed_ && sequence < request_.after_sequence())
      session_.warn("events: wardd's journal was begun anew");
    subscribed_ = true;
    said_ = false;
    request_.set_only_new(false);
    request_.set_limit(0);
    request_.set_since_wall_ns(0);  // of a backlog; what comes later is new, whenever it happened
    request_.set_after_sequence(sequence);
  }

  void show(const ward::v1::Event& event) {
    session_.print(session_.json ? to_json(event, JsonForm::kLine)
                                 : event_text(event, session_.out));
    request_.set_after_sequence(event.sequence());
    if (!request_.follow()) return;
    if (auto written = session_.output.flush(); !written) unwritten_ = written.error();
  }

  Session& session_;
  ward::v1::ListEventsRequest request_;
  std::optional<Error> unwritten_;
  bool subscribed_ = false;  // ever
  bool said_ = false;
};

struct Asked {
  ward::v1::ListEventsRequest request;
  std::optional<std::uint32_t> last;
  std::string since;
};

int run(Session& session, const Asked& asked) {
  ward::v1::ListEventsRequest request = asked.request;
  if (!asked.since.empty()) {
    const auto since = parse_since(asked.since, wall_ns());
    if (!since) return session.refuse("--since: " + since.error().message, kExitUsage);
    request.set_since_wall_ns(*since);
  }
  if (asked.last) request.set_limit(*asked.last);
  // Following means what happens from now on, unless something older is asked for.
  const bool asks_for_old = asked.last || !asked.since.empty() || request.after_sequence() > 0;
  request.set_only_new((asked.last && *asked.last == 0) || (request.follow() && !asks_for_old));
  if (const auto why = why_not_text(request)) return session.refuse("events: " + *why, kExitUsage);
  return Events(session, request).run();
}

}  // namespace

void add_events(CLI::App& app, Session& session, int& exit_code) {
  auto* verb =
      add_verb(app, "events", "Violations and what was done about them; json: one object per line");
  verb->footer(examples({"ward events -n 20", "ward events -f -c web-1",
                         "ward events --since 10m -c shop/cart/app",
                         "ward events --since 2026-11-23T18:43:01Z -o json"}));
  const auto asked = std::make_shared<Asked>();
  add_switch(
      *verb, "-f,--follow", [asked] { asked->request.set_follow(true); },
      "print new ones as they come, also over a restart of wardd");
  add_value(
      *verb, "-c,--container",
      [asked](const std::string& name) { asked->request.set_container(name); },
      "only this container: its id, namespace/id, or as `ward ps` shows it")
      ->type_name(kContainerValue);
  add_value(*verb, "-n,--last", asked->last, "the newest N; with -f these, then new ones");
  add_value(*verb, "--since", asked->since,
            "what happened then or later: 10m ago, or 2026-11-23T18:43:01Z");
  add_value(
      *verb, "--after", [asked](std::uint64_t n) { asked->request.set_after_sequence(n); },
      "only events after this sequence number");
  verb->callback([&session, &exit_code, asked] { exit_code = run(session, *asked); });
}

}  // namespace ward::cli
