// SPDX-License-Identifier: Apache-2.0
#include <grpcpp/client_context.h>
#include <poll.h>

#include <algorithm>
#include <csignal>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "cli/app.h"
#include "cli/discovery_view.h"
#include "cli/generate_profile.h"
#include "cli/options.h"
#include "cli/out_option.h"
#include "cli/progress.h"
#include "cli/record_words.h"
#include "cli/recorded_command.h"
#include "cli/request_text.h"
#include "cli/stop_signals.h"
#include "cli/verbs.h"
#include "lib/base/clock.h"
#include "lib/base/digest.h"
#include "lib/base/escape.h"
#include "lib/base/printable.h"
#include "lib/base/utf8.h"

namespace ward::cli {
namespace {

using Clock = std::chrono::steady_clock;

// The kernel counts and tells nobody, so somebody has to look.
constexpr std::chrono::milliseconds kBetweenLooks{1000};
// Where no end was named, wardd hears again and again that we are there; if it does not, the
// recording ends so long after the last time.
constexpr std::chrono::seconds kLease{60};
constexpr std::chrono::seconds kRenewAfter{20};
constexpr std::chrono::seconds kPatienceAtTheEnd{10};
constexpr int kBetweenAttempts_ms = 250;

struct Wanted {
  std::vector<std::string> patterns;
  std::vector<std::string> command;
  std::string length;  // as it was typed; empty: until Ctrl-C, or until the command has ended
  std::string output;
  std::string name;
  std::vector<std::string> include;
  bool force = false;
  bool only_next = false;
};

class Record {
 public:
  Record(Session& session, Wanted wanted)
      : session_(session),
        wanted_(std::move(wanted)),
        view_(session, DiscoveryView::To::kStandardError, true) {}

  int run() {
    if (const auto refused = prepare()) return *refused;
    auto signals = StopSignals::block();
    if (!signals) return session_.fail(signals.error());
    if (const grpc::Status status = ask(); !status.ok()) return session_.fail("record", status);
    if (const auto hopeless = announce()) return *hopeless;
    if (!wanted_.command.empty()) {
      auto started = RecordedCommand::start(wanted_.command, *signals);
      if (!started) return end_with(session_.fail(started.error()));
      command_.emplace(*started);
    }
    watch(*signals);
    // From here on a signal ends us as usual: wardd makes the profile, and the recordings are kept.
    { const StopSignals done = std::move(*signals); }
    return conclude();
  }

 private:
  std::optional<int> prepare() {
    if (wanted_.patterns.empty() && wanted_.command.empty())
      return session_.refuse("record: which containers? Name them, or give a command behind --",
                             kExitUsage);
    if (!wanted_.length.empty() && !wanted_.command.empty())
      return session_.refuse("record: --for or a command, not both: the recording ends with one",
                             kExitUsage);
    if (!wanted_.length.empty()) {
      const auto length = parse_length(wanted_.length);
      if (!length) return session_.refuse("record: --for: " + length.error().message, kExitUsage);
      length_ = *length;
    }
    if (is_in_the_way(wanted_.output) && !wanted_.force)
      return refuse_to_overwrite(session_, "record", wanted_.output);
    request_.set_id(random_hex(16));
    // A command starts what it starts: whatever else runs is not meant.
    request_.set_only_next(wanted_.only_next || !wanted_.command.empty());
    const std::vector<std::string> all = {"*"};
    const auto& patterns = wanted_.patterns.empty() ? all : wanted_.patterns;
    request_.mutable_patterns()->Assign(patterns.begin(), patterns.end());
    request_.mutable_include()->Assign(wanted_.include.begin(), wanted_.include.end());
    request_.set_workload(wanted_.name.empty() ? workload_of(patterns) : wanted_.name);
    if (const auto why = why_not_text(request_))
      return session_.refuse("record: " + *why, kExitUsage);
    for (const std::string& pattern : patterns) {
      if (!is_utf8(pattern))
        return session_.refuse("record: '" + escape(pattern, 80) + "' is not UTF-8", kExitUsage);
    }
    return std::nullopt;
  }

  // Asks wardd, or tells it that we are still there.
  grpc::Status ask() {
    const auto now = Clock::now();
    if (request_.until_wall_ns() == 0 || (!length_ && now - renewed_ > kRenewAfter)) {
      const auto left = length_.value_or(kLease);
      request_.set_until_wall_ns(wall_ns() + std::chrono::nanoseconds(left).count());
      renewed_ = now;
      if (length_) end_ = now + *length_;
    }
    grpc::ClientContext context;
    context.set_deadline(deadline());
    ward::v1::RecordResponse answer;
    const Progress progress("asking wardd");
    grpc::Status status = session_.api().Record(&context, request_, &answer);
    if (status.ok()) take(answer);
    return status;
  }

  void take(const ward::v1::RecordResponse& answer) {
    for (const auto& run : answer.runs()) {
      if (runs_.emplace(run.id(), run).second) fresh_.push_back(run);
    }
    for (const auto& container : answer.refused()) {
      const std::string line = printable(container.containerd_namespace() + "/" +
                                         container.container() + ": " + container.why());
      if (refused_.insert(line).second) fresh_refusals_.push_back(line);
    }
  }

  // What is new of containers; an exit code where nothing can come of it.
  std::optional<int> announce() {
    say_containers();
    if (runs_.empty() && !refused_.empty() && are_literal(wanted_.patterns) &&
        !request_.only_next()) {
      return end_with(
          session_.refuse("record: nothing is recorded: " + *refused_.begin(), kExitFailed));
    }
    if (runs_.empty() && wanted_.command.empty() && !session_.json)
      session_.say(
          "waiting for the next container of that name to start; Ctrl-C ends it. Containers of "
          "another runtime than io.containerd.ward.v1 are not seen");
    return std::nullopt;
  }

  void say_containers() {
    if (!session_.json && !(fresh_.empty() && fresh_refusals_.empty())) view_.clear_state();
    for (const auto& run : std::exchange(fresh_, {})) {
      if (session_.json) continue;
      const std::string whose = run.pod().empty() ? std::string()
                                                  : " (" + escape(run.kubernetes_namespace()) +
                                                        "/" + escape(run.pod()) + "/" +
                                                        escape(run.container_name()) + ")";
      session_.say("recording " + escape(run.containerd_namespace()) + "/" +
                   escape(run.container()) + whose + " as '" + escape(run.workload()) + "'" +
                   (run.start_not_seen() ? session_.err.warn(" (runs already: start not seen)")
                                         : std::string()));
    }
    for (const std::string& line : std::exchange(fresh_refusals_, {})) {
      if (!session_.json) session_.say(session_.err.warn("not recorded: ") + line);
    }
  }

  void watch(const StopSignals& signals) {
    for (;;) {
      std::chrono::milliseconds patience = kBetweenLooks;
      if (end_) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(*end_ - Clock::now());
        if (left.count() <= 0) return;
        patience = std::min(patience, left);
      }
      const auto signal = signals.wait(patience);
      if (command_ && command_->ended()) return;
      if (signal == SIGINT || signal == SIGTERM) {
        if (!command_) return;
        command_->pass_on(*signal);
      }
      look();
    }
  }

  void look() {
    grpc::Status status = ask();
    say_containers();
    std::set<std::string> workloads;
    for (const auto& [id, run] : runs_) workloads.insert(run.workload());
    for (const std::string& workload : workloads) {
      if (status.ok()) status = view_.look(workload);
      if (status.error_code() == grpc::StatusCode::NOT_FOUND) status = grpc::Status::OK;
    }
    if (!status.ok()) {
      session_.warn("record: wardd does not answer; what is being recorded goes on without it");
      session_.connect_again();
    }
    if (!end_) return view_.show_state("");
    const auto left = std::chrono::ceil<std::chrono::seconds>(*end_ - Clock::now());
    view_.show_state(std::to_string(std::max<std::int64_t>(left.count(), 0)) + " s left");
  }

  // A wardd that is being started anew is waited for: the profile is its to make.
  grpc::Status end() {
    const Progress progress("ending the recordings");
    const auto patience = Clock::now() + kPatienceAtTheEnd;
    for (;;) {
      grpc::ClientContext context;
      context.set_deadline(deadline());
      ward::v1::EndRecordRequest request;
      request.set_id(request_.id());
      ward::v1::RecordResponse answer;
      grpc::Status status = session_.api().EndRecord(&context, request, &answer);
      if (status.ok()) take(answer);
      if (status.error_code() != grpc::StatusCode::UNAVAILABLE || Clock::now() > patience)
        return status;
      session_.connect_again();
      // Its socket will be another file: nothing tells when.
      ::poll(nullptr, 0, kBetweenAttempts_ms);
    }
  }

  // Nothing is to remain of a request that came to nothing.
  int end_with(int exit_code) {
    (void)end();
    return exit_code;
  }

  int conclude() {
    if (const grpc::Status status = end(); !status.ok()) {
      view_.clear_state();
      return session_.fail("record", status);
    }
    say_containers();
    std::set<std::string> workloads;
    for (const auto& [id, run] : runs_) workloads.insert(run.workload());
    for (const std::string& workload : workloads) (void)view_.look(workload);
    view_.conclude();
    const int written = write(workloads);
    const auto status = command_ ? command_->ended() : std::nullopt;
    if (written != kExitOk || !status || *status == 0) return written;
    return session_.refuse("record: the command ended with " + std::to_string(*status),
                           kExitFailed);
  }

  int write(const std::set<std::string>& workloads) {
    if (workloads.empty()) {
      return session_.refuse(
          "record: nothing was recorded: no container that is meant started under Ward in that "
          "time (`ward ps` shows those that run, `ward policy test` what a policy does with one)",
          kExitFailed);
    }
    if (workloads.size() > 1) {
      std::string names;
      for (const std::string& workload : workloads)
        names += (names.empty() ? "" : ", ") + escape(workload);
      return session_.refuse("record: several workloads were recorded: " + names +
                                 ". `ward profile generate` writes the profile of each; with "
                                 "--name they are recorded as one",
                             kExitFailed);
    }
    ward::v1::GenerateProfileRequest request;
    request.set_workload(*workloads.begin());
    request.set_name(wanted_.name);
    return generate_profile(session_, "record", request, wanted_.output);
  }

  Session& session_;
  const Wanted wanted_;
  DiscoveryView view_;
  ward::v1::RecordRequest request_;
  std::optional<std::chrono::seconds> length_;
  std::optional<Clock::time_point> end_;
  Clock::time_point renewed_;
  std::optional<RecordedCommand> command_;
  std::map<std::string, ward::v1::RecordedRun> runs_;
  std::vector<ward::v1::RecordedRun> fresh_;
  std::set<std::string> refused_;
  std::vector<std::string> fresh_refusals_;
};

// Everything behind `--` is the command, and the parser has put it behind the patterns.
void split(Session& session, Wanted& wanted) {
  const std::size_t words = std::min(session.behind_dashes, wanted.patterns.size());
  const auto begin = wanted.patterns.end() - static_cast<std::ptrdiff_t>(words);
  wanted.command.assign(begin, wanted.patterns.end());
  wanted.patterns.erase(begin, wanted.patterns.end());
}

}  // namespace

void add_record(CLI::App& app, Session& session, int& exit_code) {
  auto* verb =
      add_verb(app, "record",
               "Record containers without a policy, watch what they do, and write the profile");
  verb->footer(examples({"ward record --for 60s -o web.yaml web-1",
                         "ward record --for 5m -o web.yaml 'shop/web-*'",
                         "ward record -o job.yaml -- ctr run --rm --runtime io.containerd.ward.v1 "
                         "docker.io/library/job:1 job-1"}));
  const auto wanted = std::make_shared<Wanted>();
  add_value(*verb, "container", wanted->patterns,
            "those that run, and the next that start: NAME of a container or pod, "
            "NAMESPACE/POD, NAMESPACE/POD/CONTAINER, or containerd's NAMESPACE/ID; '*' is "
            "any run of characters. Behind -- a command: what starts while it runs")
      ->type_name(kContainerValue);
  add_value(*verb, "--for", wanted->length,
            "60s, 5m or 2h; without it until Ctrl-C, or until the command has ended")
      ->type_name("TIME");
  add_out_option(*verb, session, [wanted](const std::string& file) { wanted->output = file; });
  add_switch(*verb, "--force", wanted->force, "also over a file that is there already");
  add_value(*verb, "--name", wanted->name,
            "of the recording and the profile, all containers taken as one workload; "
            "without it that of the pattern, or each container's own");
  add_switch(*verb, "--next", wanted->only_next, "only containers that start from now on");
  add_value(*verb, "--include", wanted->include,
            "what is left alone otherwise: kube-system, privileged, sandboxes")
      ->check(one_of({"kube-system", "privileged", "sandboxes"}))
      ->allow_extra_args(false)
      ->type_name("KIND");
  verb->callback([&session, &exit_code, wanted] {
    split(session, *wanted);
    exit_code = Record(session, *wanted).run();
  });
}

}  // namespace ward::cli
