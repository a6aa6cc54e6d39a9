// SPDX-License-Identifier: Apache-2.0
// `ward why`: which rule decides about a call of a container, or decided about an event.
#include <memory>

#include "cli/app.h"
#include "cli/incident/gather.h"
#include "cli/incident/incident_json.h"
#include "cli/incident/incident_text.h"
#include "cli/options.h"
#include "cli/present/event_text.h"
#include "cli/present/json_text.h"
#include "cli/verbs.h"
#include "lib/base/escape.h"
#include "lib/base/printable.h"
#include "lib/base/utf8.h"
#include "lib/oci/seccomp.h"
#include "profiles/filter/constants.h"
#include "profiles/words.h"

namespace ward::cli {
namespace {

struct Asked {
  std::string what;  // an event or a container
  std::string call;
  std::vector<std::string> arguments;
  std::string phase;
};

struct Answer {
  std::string container, event, call, mode, phase, note;
  std::optional<Judgement> judgement;
};

void print(Session& session, const Answer& answer) {
  if (!session.json) {
    std::string text = answer.call + " in " + answer.container + ", mode " + answer.mode +
                       (answer.phase.empty() ? "" : ", phase " + answer.phase) + "\n";
    if (answer.judgement) text += judgement_text(*answer.judgement);
    if (!answer.note.empty()) text += "  note      " + answer.note + "\n";
    return session.print(text);
  }
  nlohmann::ordered_json rulings = nlohmann::ordered_json::array();
  if (answer.judgement) rulings.push_back(to_json(*answer.judgement));
  session.print(json_text({{"schema", schema("Why")},
                           {"container", to_utf8(answer.container)},
                           {"event", answer.event},
                           {"call", to_utf8(answer.call)},
                           {"mode", answer.mode},
                           {"phase", answer.phase},
                           {"note", to_utf8(answer.note)},
                           {"rulings", rulings}}));
}

// What no profile says: the mode decides, or the container's own filter does besides.
std::string note_on(const std::string& mode, bool acted_upon, bool danger) {
  if (mode == "learn") return "mode learn: its own filter decides, and what runs is recorded";
  if (mode == "off") return "mode off: its own filter decides, and Ward does nothing";
  if (mode == "supervise" && acted_upon)
    return danger ? "mode supervise: a call of the danger set is refused in this mode as well"
                  : "mode supervise: it runs, and is recorded as a proposal";
  return "the container's own filter may refuse it besides: Ward never allows more than that";
}

bool acts(const Judgement& judgement) {
  return judgement.ruling.kind == profiles::Ruling::Kind::kActedUpon;
}

int about_event(Session& session, Gathered& node, const std::string& id) {
  const auto event = node.find_event(id);
  if (!event) return session.refuse("why: " + event.error().message, kExitFailed);
  if (event->syscall().empty())
    return session.refuse("why: event '" + event->id() + "' is no call", kExitFailed);
  Answer answer{escape(where_of(*event), 512),
                event->id(),
                call_text(*event),
                escape(event->mode()),
                event->origin() == "exec" ? "exec" : escape(event->phase()),
                "",
                {}};
  auto judged = node.judge(event->profile(), event->profile_digest(), asked_call(*event));
  if (!judged) return session.refuse("why: " + judged.error().message, kExitFailed);
  const std::string reason = event->reason();
  answer.note = reason.empty() ? note_on(event->mode(), acts(*judged), judged->ruling.danger)
                               : "then: " + printable(reason, 1000);
  answer.judgement = std::move(*judged);
  print(session, answer);
  return kExitOk;
}

Result<profiles::AskedCall> parse_call(const Asked& asked, const std::string& phase) {
  profiles::AskedCall call;
  call.syscall = asked.call;
  if (!oci::find_syscall(asked.call))
    return fail(Code::kInvalidArgument, "unknown call '" + escape(asked.call, 60) + "'" +
                                            oci::hint_for_syscall(asked.call));
  if (asked.arguments.size() > call.arguments.size())
    return fail(Code::kInvalidArgument, "a call has six arguments");
  for (std::size_t i = 0; i < asked.arguments.size(); ++i) {
    if (asked.arguments[i] == "_") continue;  // not known
    const bool netlink = asked.call == "socket" && i == 2 && call.arguments[0] == 16;
    const auto value = filter::parse_argument_value(
        netlink ? filter::kNetlinkSocket : std::string_view(asked.call),
        static_cast<std::uint32_t>(i), asked.arguments[i]);
    if (!value) return tl::unexpected<Error>(value.error());
    call.arguments.at(i) = *value;
  }
  call.phase = phase == "exec"   ? profiles::Layer::kExec
               : phase == "boot" ? profiles::Layer::kBoot
                                 : profiles::Layer::kServing;
  return call;
}

int about_container(Session& session, Gathered& node, const Asked& asked) {
  const auto container = node.find_container(asked.what);
  if (!container) return session.refuse("why: " + container.error().message, kExitFailed);
  const std::string phase = asked.phase.empty() ? container->phase() : asked.phase;
  const auto call = parse_call(asked, phase);
  if (!call) return session.refuse("why: " + call.error().message, kExitUsage);
  std::string shown = asked.call + "(";
  for (std::size_t i = 0; i < asked.arguments.size(); ++i)
    shown += (i == 0 ? "" : ", ") + escape(asked.arguments[i], 80);
  Answer answer{escape(container->containerd_namespace() + "/" + container->id(), 512),
                "",
                shown + ")",
                escape(container->mode()),
                escape(phase),
                "",
                {}};
  if (container->profile().empty()) {
    answer.note = note_on(container->mode(), false, false);
    print(session, answer);
    return kExitOk;
  }
  auto judged = node.judge(container->profile(), container->profile_digest(), *call);
  if (!judged) return session.refuse("why: " + judged.error().message, kExitFailed);
  answer.note = note_on(container->mode(), acts(*judged), judged->ruling.danger);
  answer.judgement = std::move(*judged);
  print(session, answer);
  return kExitOk;
}

int run(Session& session, const Asked& asked) {
  Gathered node(session);
  if (const auto status = node.ask(); !status.ok()) return session.fail("why", status);
  return asked.call.empty() ? about_event(session, node, asked.what)
                            : about_container(session, node, asked);
}

}  // namespace

void add_why(CLI::App& app, Session& session, int& exit_code) {
  auto* verb = add_verb(
      app, "why", "Which rule decides about a call of a container, or decided about an event");
  verb->footer(examples({"ward why a7e928162e5b788debe5-1", "ward why web-1 accept4",
                         "ward why shop/cart/app socket AF_NETLINK SOCK_RAW NETLINK_ROUTE",
                         "ward why web-1 mount --phase exec -o json"}));
  const auto asked = std::make_shared<Asked>();
  add_value(*verb, "what", asked->what,
            "an event's id or its beginning; or, before a call, a container: its id, "
            "namespace/id, or as `ward ps` shows it")
      ->required()
      ->type_name(kContainerValue);
  add_value(*verb, "call", asked->call, "such as openat");
  add_value(*verb, "arguments", asked->arguments,
            "its arguments, as names or numbers; _ for one that is not known");
  add_value(*verb, "--phase", asked->phase, "instead of the one that the container is in")
      ->check(one_of({"boot", "serving", "exec"}));
  verb->callback([&session, &exit_code, asked] { exit_code = run(session, *asked); });
}

}  // namespace ward::cli
