// SPDX-License-Identifier: Apache-2.0
#include "enforcer/record.h"

#include <algorithm>
#include <memory>

#include "enforcer/node.h"
#include "enforcer/node_link/container_name.h"
#include "lib/base/clock.h"
#include "lib/base/digest.h"
#include "lib/base/escape.h"
#include "profiles/filter/record_rule.h"
#include "profiles/filter/terms.h"
#include "profiles/filter/treatment.h"
#include "profiles/words.h"

namespace ward::enforcer {
namespace {

constexpr std::int64_t kLongest_ns = 24LL * 3600 * 1'000'000'000;
constexpr int kMaxPatterns = 64;
constexpr std::size_t kRunIdBytes = 16;

bool is_record_id(const std::string& id) {
  return id.size() >= 16 && id.size() <= 64 &&
         id.find_first_not_of("0123456789abcdef") == std::string::npos;
}

tl::unexpected<Error> invalid(const std::string& what) {
  return fail(Code::kInvalidArgument, what);
}

Result<void> include(const std::string& word, node::v1::Selector& selector) {
  if (word == "kube-system") {
    selector.set_include_kube_system(true);
  } else if (word == "privileged") {
    selector.set_include_privileged(true);
  } else if (word == "sandboxes") {
    selector.set_include_sandboxes(true);
  } else {
    return invalid("'" + escape(word, 80) +
                   "' cannot be included: kube-system, privileged or sandboxes");
  }
  return {};
}

std::string left_alone(const node::v1::RecordRule& rule, const node::v1::Identity& identity) {
  const std::string why = filter::exemption(rule.selectors(0), identity);
  return "it is " + why + " and left alone: --include " +
         (identity.is_privileged() && why == "privileged" ? "privileged" : "kube-system") +
         ", if it is meant";
}

// What all shims that were asked have answered. Each question holds it, so it is sent with the last
// of them.
struct Answers {
  Answers(Node& n, node::v1::RecordRule r, std::function<void(Result<v1::RecordResponse>)> d)
      : node(n), rule(std::move(r)), done(std::move(d)) {}
  Answers(const Answers&) = delete;
  Answers& operator=(const Answers&) = delete;
  ~Answers() {
    for (const auto& run : node.recordings.runs_of(rule.id())) {
      v1::RecordedRun& out = *response.add_runs();
      out.set_id(run.run_id);
      out.set_workload(run.workload);
      out.set_containerd_namespace(run.containerd_namespace);
      out.set_container(run.container);
      out.set_start_not_seen(!run.start_seen);
      if (const auto entry = node.containers.find(run.containerd_namespace, run.container)) {
        out.set_kubernetes_namespace(entry->status.identity().kubernetes_namespace());
        out.set_pod(entry->status.identity().pod());
        out.set_container_name(entry->status.identity().container_name());
      }
    }
    response.set_until_wall_ns(rule.until_wall_ns());
    done(std::move(response));
  }
  void refuse(const node::v1::Identity& who, const std::string& why) {
    v1::RefusedContainer& out = *response.add_refused();
    out.set_containerd_namespace(who.containerd_namespace());
    out.set_container(who.container_id());
    out.set_why(why);
  }

  Node& node;
  const node::v1::RecordRule rule;
  std::function<void(Result<v1::RecordResponse>)> done;
  v1::RecordResponse response;
};

node::v1::RecordCommand command_for(const ContainerEntry& entry, const node::v1::RecordRule& rule,
                                    std::int64_t until_wall_ns) {
  node::v1::RecordCommand command;
  command.set_containerd_namespace(entry.status.identity().containerd_namespace());
  command.set_container_id(entry.status.identity().container_id());
  command.set_record_id(rule.id());
  command.set_until_wall_ns(until_wall_ns);
  return command;
}

// What the shim says of the container now; it tells this by itself, too, sooner or later.
void take_status(Node& node, const ContainerEntry& before, const std::string& answer) {
  node::v1::RecordAnswer said;
  if (said.ParseFromString(answer) && said.has_container())
    node.containers.update(before.shim_pid, before.shim_address, said.container());
}

void ask_shim(Node& node, const ContainerEntry& entry, const node::v1::RecordCommand& command,
              std::function<void(Result<std::string>)> answer) {
  node.shims.call(entry.shim_address, "Record", command.SerializeAsString(), std::move(answer));
}

void give_up(Node& node, const ContainerEntry& entry, const std::shared_ptr<Answers>& answers,
             const std::string& run_id, const Error& why) {
  node.recordings.drop(run_id, why.message);
  answers->refuse(entry.status.identity(),
                  why.code == Code::kUnimplemented
                      ? "its shim is of a version of Ward that records from the start only: start "
                        "it anew while this goes on"
                      : why.message);
  // It may have agreed, and its answer was late.
  ask_shim(node, entry, command_for(entry, answers->rule, 0), [](const Result<std::string>&) {});
}

// The run is open before the shim is asked, so that an exec session that begins in between finds
// it; and the container is looked at after the shim has agreed, so that none is missed. The shim
// agrees only while it has not reaped the first process: the number was not given away before that,
// and the namespace that begin_running() found by it is the container's.
void join(Node& node, const ContainerEntry& entry, const std::shared_ptr<Answers>& answers) {
  const node::v1::RecordRule& rule = answers->rule;
  const std::string run_id = random_hex(kRunIdBytes);
  node::v1::RecordCommand command = command_for(entry, rule, rule.until_wall_ns());
  command.set_run_id(run_id);
  command.set_workload(rule.workload().empty() ? filter::default_workload(entry.status.identity())
                                               : rule.workload());
  if (auto begun =
          node.recordings.begin_running(entry.status, run_id, rule.id(), command.workload());
      !begun) {
    return answers->refuse(entry.status.identity(), begun.error().message);
  }
  ask_shim(node, entry, command,
           [&node, entry, answers, run_id](const Result<std::string>& answer) {
             if (!answer) return give_up(node, entry, answers, run_id, answer.error());
             if (auto joined = node.recordings.join(run_id, entry.status.pid()); !joined)
               return give_up(node, entry, answers, run_id, joined.error());
             take_status(node, entry, *answer);
           });
}

}  // namespace

Result<node::v1::RecordRule> make_record_rule(const v1::RecordRequest& request,
                                              std::int64_t now_wall_ns) {
  if (!is_record_id(request.id())) return invalid("the id has 16 to 64 characters of 0-9 and a-f");
  if (request.patterns_size() == 0 || request.patterns_size() > kMaxPatterns)
    return invalid("which containers? 1 to " + std::to_string(kMaxPatterns) + " patterns");
  if (!request.workload().empty() && !profiles::is_name(request.workload()))
    return invalid("'" + escape(request.workload(), 80) +
                   "' is not a name: a-z, 0-9, '.', '_' and '-'");
  const std::int64_t left_ns = request.until_wall_ns() - now_wall_ns;
  if (left_ns <= 0 || left_ns > kLongest_ns)
    return invalid("a recording that is asked for lasts a day at most, and ends in the future");
  node::v1::RecordRule rule;
  rule.set_id(request.id());
  rule.set_workload(request.workload());
  rule.set_until_wall_ns(request.until_wall_ns());
  for (const std::string& pattern : request.patterns()) {
    auto selectors = filter::selectors_of(pattern);
    if (!selectors) return tl::unexpected<Error>(selectors.error());
    for (node::v1::Selector& selector : *selectors) {
      for (const std::string& word : request.include()) {
        if (auto known = include(word, selector); !known) return tl::unexpected(known.error());
      }
      *rule.add_selectors() = std::move(selector);
    }
  }
  return rule;
}

Joining judge(const node::v1::RecordRule& rule, const node::v1::ContainerStatus& container) {
  using What = Joining::What;
  const node::v1::Identity& who = container.identity();
  const filter::Reach reach = filter::reach(rule, who);
  const bool runs = container.state() == node::v1::CONTAINER_STATE_RUNNING ||
                    container.state() == node::v1::CONTAINER_STATE_PAUSED;
  if (reach == filter::Reach::kNo) return {What::kNothing, ""};
  if (container.record_id() == rule.id()) return {What::kGoesOn, ""};
  if (container.state() == node::v1::CONTAINER_STATE_QUARANTINED)
    return {What::kRefuse, "it is in quarantine: `ward quarantine` shows why"};
  if (!runs) return {What::kNothing, ""};
  // Every pod has one: not worth a line.
  if (reach == filter::Reach::kLeftAlone && who.is_sandbox()) return {What::kNothing, ""};
  if (reach == filter::Reach::kLeftAlone) return {What::kRefuse, left_alone(rule, who)};
  // Started where no index could be read: then nobody asked whether it is privileged.
  if (who.container_name().empty())
    return {What::kRefuse,
            "Ward does not know what it is, for it started without any policy to be "
            "read: start it anew while this goes on"};
  if (container.mode() == node::v1::MODE_SUPERVISE || container.mode() == node::v1::MODE_ENFORCE) {
    return {What::kRefuse,
            "it runs in mode " + std::string(filter::mode_name(container.mode())) +
                " under policy '" + container.policy() +
                "', which a recording does not loosen: what it calls outside of its profile "
                "is proposed by `ward profile propose " +
                container.profile_name() +
                "`; to record it, let the policy say `mode: learn` and start it anew"};
  }
  if (!container.recording_id().empty())
    return {What::kRefuse, "it is recorded already, as '" + container.workload() +
                               "': `ward learn watch " + container.workload() + "`"};
  return {What::kJoin, ""};
}

void record(Node& node, const v1::RecordRequest& request,
            std::function<void(Result<v1::RecordResponse>)> done) {
  auto rule = make_record_rule(request, wall_ns());
  if (!rule) return done(tl::unexpected<Error>(rule.error()));
  if (!node.recorder->available())
    return done(fail(Code::kFailedPrecondition,
                     "this node cannot record: recorder " + node.recorder->status()));
  // First what starts from now on: whatever starts while those that run are looked at is recorded.
  const auto put = node.store.put_record(*rule);
  if (!put) return done(tl::unexpected<Error>(put.error()));
  const auto answers = std::make_shared<Answers>(node, std::move(*rule), std::move(done));
  for (const ContainerEntry& entry : node.containers.list()) {
    const Joining joining = judge(answers->rule, entry.status);
    if (joining.what == Joining::What::kGoesOn) {
      if (!*put) continue;  // it knows its time
      ask_shim(node, entry, command_for(entry, answers->rule, answers->rule.until_wall_ns()),
               [answers](const Result<std::string>&) {});
    } else if (request.only_next()) {
      continue;
    } else if (joining.what == Joining::What::kJoin) {
      join(node, entry, answers);
    } else if (joining.what == Joining::What::kRefuse) {
      answers->refuse(entry.status.identity(), joining.why);
    }
  }
}

void end_record(Node& node, const v1::EndRecordRequest& request,
                std::function<void(Result<v1::RecordResponse>)> done) {
  if (!is_record_id(request.id()))
    return done(invalid("the id has 16 to 64 characters of 0-9 and a-f"));
  if (auto dropped = node.store.drop_record(request.id()); !dropped)
    return done(tl::unexpected<Error>(dropped.error()));
  // Here at once: a shim that has not come back to a wardd just started tells it later, and one
  // that does not answer ends by the time that it knows.
  for (const auto& run : node.recordings.runs_of(request.id())) {
    node::v1::EndRecordingRequest end;
    end.set_run_id(run.run_id);
    end.set_goes_on(true);
    (void)node.recordings.end(end);
  }
  node::v1::RecordRule rule;
  rule.set_id(request.id());
  const auto answers = std::make_shared<Answers>(node, std::move(rule), std::move(done));
  for (const ContainerEntry& entry : node.containers.list()) {
    if (entry.status.record_id() != request.id()) continue;
    ask_shim(node, entry, command_for(entry, answers->rule, 0),
             [&node, entry, answers](const Result<std::string>& answer) {
               if (answer) take_status(node, entry, *answer);
             });
  }
}

}  // namespace ward::enforcer
