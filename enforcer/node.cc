// SPDX-License-Identifier: Apache-2.0
#include "enforcer/node.h"

#include <chrono>
#include <map>
#include <set>

#include "enforcer/amend.h"
#include "enforcer/api/translate.h"
#include "enforcer/make_operations.h"
#include "enforcer/node_events.h"
#include "enforcer/recorder/calibration.h"
#include "enforcer/recorder/calibration_remains.h"
#include "enforcer/sinks/sinks.h"
#include "lib/base/clock.h"
#include "lib/base/digest.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/linux/host_name.h"
#include "lib/spool/locked_file.h"
#include "profiles/filter/terms.h"
#include "profiles/filter/watch_pins.h"
#include "profiles/yaml/yaml_tree.h"

namespace ward::enforcer {
namespace {

constexpr std::int64_t kShimsAreBack_ns =
    60'000'000'000;  // after a start; a shim that is not known looks every 30 s

class BpfRuns final : public RunRecorder {
 public:
  explicit BpfRuns(recorder::Recorder& recorder) : recorder_(recorder) {}
  Result<void> begin(const std::string& run_id, pid_t pid) override {
    return recorder_.begin(run_id, pid);
  }
  Result<void> begin_running(const std::string& run_id, pid_t first) override {
    return recorder_.begin_running(run_id, first);
  }
  Result<std::uint64_t> join(const std::string& run_id, pid_t first) override {
    return recorder_.join(run_id, first);
  }
  Result<void> add_exec(const std::string& run_id, pid_t pid) override {
    return recorder_.add_exec(run_id, pid);
  }
  Result<profiles::Run> snapshot(const std::string& run_id) override {
    return recorder_.snapshot(run_id);
  }
  Result<profiles::Run> end(const std::string& run_id) override { return recorder_.end(run_id); }

 private:
  recorder::Recorder& recorder_;
};

// Two nodes of one machine (tests) must not share pins; the state directory is what makes a node.
std::filesystem::path pin_directory(const Places& places) {
  return std::filesystem::path("/sys/fs/bpf") /
         ("ward-" + sha256_hex(places.state.string()).substr(0, 12));
}

// No document is this: whatever is read next is new.
constexpr const char* kUnread = "\x01";

// What an event's record does not say, of a container that is still there.
sinks::Sinks::Around surroundings_in(const ContainerTable& containers) {
  return [&containers, node = host_name()](const node::v1::Violation& event) {
    sinks::Surroundings out{node, "", ""};
    const node::v1::Identity& identity = event.identity();
    if (identity.container_id().empty()) return out;
    const auto found = containers.find(identity.containerd_namespace(), identity.container_id());
    if (!found) return out;
    out.policy = found->status.policy();
    out.workload = found->status.workload();
    return out;
  };
}

Measure measure_below(const std::filesystem::path& directory) {
  return [directory](const std::filesystem::path& runtime, bool no_new_privileges,
                     int stop) -> Result<MeasuredRuntime> {
    auto layer = recorder::calibrate({runtime, directory, no_new_privileges, stop});
    if (!layer) return tl::unexpected<Error>(layer.error());
    return MeasuredRuntime{"", no_new_privileges, layer->create, layer->exec, layer->version};
  };
}

}  // namespace

Node::Node(asio::io_context& loop, Places where, NodeClaim claimed,
           std::function<void(const Error&)> claim_is_lost, Moment now)
    : core(loop),
      places(std::move(where)),
      started_at(now),
      writer(loop, places.database()),
      journal(writer, places.database(), config.journal),
      spools(journal, places.spool(), tallies_below(places.run)),
      lost(loop, journal, tallies_below(places.run), places.spool()),
      evidence(places.evidence()),
      sealing(places.state),
      shims(loop, [this](const KnownShim& shim) { shim_gone(shim); }),
      seen(loop, filter::watch_pins(places), containers, shims, journal),
      widening(containers, shims, journal),
      recorder(recorder::Recorder::open(pin_directory(places))),
      run_recorder(std::make_unique<BpfRuns>(*recorder)),
      recordings(*run_recorder, writer, journal, places.database(),
                 [this](const std::string& run) { return claims_run(run); }),
      calibrations(loop, writer, places.database(), measure_below(places.run)),
      store(places, writer, journal),
      storms(containers, shims, journal, store),
      sampling(loop, filter::watch_pins(places), containers, store, journal, writer),
      amendments(writer, journal, places.database()),
      sinks(std::make_unique<sinks::Sinks>(loop, journal, writer, places.state / "sinks",
                                           surroundings_in(containers))),
      claim_(std::move(claimed)),
      claim_is_lost_(std::move(claim_is_lost)),
      moments_(loop),
      seconds_(loop),
      minutes_(loop) {
  writer.on_repair([this](const std::string& what) {
    journal.count_lost([this, what](std::uint64_t gone) {
      JournalEntry repaired{EventKind::kDatabaseRepaired, {}};
      if (gone > 0) repaired.body.set_dropped_before(gone);
      repaired.body.set_reason(what + (gone > 0 ? "; events lost: " + std::to_string(gone) : ""));
      journal.note(std::move(repaired));
    });
  });
  journal.set_held([this] { return quarantined_containers(); });
  containers.observe([this](const ContainerEntry* before, const ContainerEntry* after) {
    container_changed(before, after);
  });
}

Node::~Node() = default;

Result<void> Node::serve() {
  if (!recorder->note().empty()) log::info("recorder", {{"note", recorder->note()}});
  recordings.adopt(recorder->open_runs());
  const auto cleared = recorder::clear_abandoned_calibrations(places.run);
  for (const auto& id : cleared.removed)
    log::info("calibration of a wardd that was killed cleared away", {{"id", id}});
  for (const auto& problem : cleared.problems)
    log::warn("calibration not cleared away", {{"error", problem}});
  // Watched before it is read: what is written in between is read again, not missed until somebody
  // looks by chance.
  watch = Watch::start(core, {places.config, places.profiles(), places.policies()},
                       [this] { read_configuration(); });
  read_configuration();
  if (auto made = make_spool_directory(tallies_below(places.run)); !made) return made;
  lost.start();
  // A shim that ends closes its files. Where they cannot be watched, they are looked at every few
  // seconds.
  spool_watch = Watch::start(core, {places.spool(), tallies_below(places.run)},
                             [this] { take_what_shims_left(); });

  auto node_socket = node_socket_.listen();
  if (!node_socket) return tl::unexpected<Error>(node_socket.error());
  auto api_socket = api_socket_.listen();
  if (!api_socket) return tl::unexpected<Error>(api_socket.error());
  RecordingCalls calls;
  calls.begin = [this](const auto& request) { return recordings.begin(request); };
  calls.end = [this](const auto& request) { return recordings.end(request); };
  node_service.emplace(core, std::move(*node_socket), containers, shims, journal, writer,
                       std::move(calls));
  node_service->start();
  node_service->ask_known_shims(places.database());
  api.emplace(core, std::move(*api_socket), make_operations(*this), journal);
  if (auto started = api->start(); !started) return started;
  storms.start();
  sampling.start(places.database());
  every_moment();
  every_few_seconds();
  every_few_minutes();
  return {};
}

void Node::read_again() {
  store.look_again();
  read_configuration();
}

void Node::read_configuration() {
  std::error_code error;
  if (store.governed() && !std::filesystem::exists(places.config, error)) {
    // Not a node without configuration: what was said there still holds, also over a restart.
    config_read_ = true;
    config_text_ = kUnread;
    config_problems = {places.config.string() + ":1:1: the directory is gone: bring it back"};
    return reload();
  }
  const auto path = places.config / "wardd.yaml";
  auto text = read_file(path, profiles::kMaxYamlBytes + 1);
  // Not there is the choice of the defaults; a link that leads nowhere (yet) is not.
  const bool absent = !text && text.error().code == Code::kNotFound;
  if (absent && !std::filesystem::is_symlink(path, error)) text = std::string();
  if (!text) {
    // As below, nothing is set: the store goes on with the settings that it has, at start those
    // that were in force.
    config_text_ = kUnread;  // so that the problem ends when it can be read again, as it was
    config_problems = {path.string() + ":1:1: " + text.error().message};
  } else if (!config_read_ || *text != config_text_) {
    config_text_ = *text;
    auto parsed = text->empty() ? Result<Config>(Config{}) : parse_config(*text, path.string());
    const auto refers = parsed ? check_references(*parsed, path.string()) : Result<void>();
    if (!refers) {
      // It may be there the next time, although nobody touches this file.
      config_text_ = kUnread;
      config_awaits_ = true;
      refuse_configuration(refers.error());
    } else if (parsed) {
      config_awaits_ = false;
      config = *parsed;
      config_accepted_ = true;
      config_problems.clear();
      journal.set_limits(config.journal);
      recordings.set_runs_per_workload(config.runs_per_workload);
      store.set_settings(node_settings(config));
      serve_metrics();
      sampling.set({config.sampling_window, config.sampling_every});
      sinks->set(config.sinks);
    } else {
      config_awaits_ = false;
      refuse_configuration(parsed.error());
    }
    config_read_ = true;
  }
  reload();
}

void Node::reload() {
  remember_amendments(*this);
  store.reload();
  amend(*this);
  store.end_records(wall_ns());
  if (store.governed()) seen.watch();
  widen_running();
}

std::size_t Node::widen_running() {
  if (containers.size() == 0) return 0;
  const auto versions = store.versions();
  return widening.look([&versions](const std::string& profile) {
    const auto found = versions.find(profile);
    return found == versions.end() ? nullptr : &found->second;
  });
}

void Node::refuse_configuration(const Error& why) {
  auto lines = problem_lines(why);
  if (lines == config_problems) return;
  config_problems = std::move(lines);
  log::warn("wardd.yaml refused", {{"why", why.message}});
  JournalEntry rejected{EventKind::kRejected, {}};
  rejected.body.set_reason(why.message);
  journal.note(std::move(rejected));
}

void Node::serve_metrics() {
  metrics.reset();
  metrics_problem.clear();
  if (config.metrics_listen.empty()) return;
  auto endpoint =
      MetricsEndpoint::start(core, config.metrics_listen, [this] { return metrics_snapshot(); });
  if (endpoint) {
    metrics = std::move(*endpoint);
  } else {
    metrics_problem = endpoint.error().message;
  }
}

void Node::tend_evidence() {
  // Without an accepted wardd.yaml the limits are not known, and what is removed does not come
  // back.
  const EvidenceLimits& limits = config_accepted_ ? config.evidence : kKeepAllEvidence;
  const auto removed = evidence.expire(limits, wall_ns(), [this](const Removal& removal) {
    // First: a seal that an earlier wardd did not enter into the ledger has the next number there.
    sealing.seal(evidence.complete(), wall_ns());
    sealing.note_removal(removal, wall_ns());
  });
  sealing.seal(evidence.complete(), wall_ns());
  if (!removed) {
    if (evidence_problem_.empty())
      log::warn("evidence not looked at", {{"error", removed.error().message}});
    evidence_problem_ = "evidence: " + removed.error().message;
    return;
  }
  evidence_problem_.clear();
  if (removed->empty()) return;
  for (const Removal& removal : *removed) {
    log::info("evidence removed", {{"directory", removal.bundle.name},
                                   {"workload", removal.bundle.workload},
                                   {"why", std::string(describe(removal.why))}});
  }
  journal.note(evidence_removed_event(*removed));
}

// The claim of a directory that is removed goes with it: until it is claimed again, a second wardd
// may start on it.
void Node::keep_claim() {
  const auto kept = claim_.keep();
  const std::string problem = kept ? "" : kept.error().message;
  if (problem == claim_problem_) return;
  claim_problem_ = problem;
  if (kept) return;
  log::error("a directory of ours is not ours", {{"error", problem}});
  if (kept.error().code == Code::kAlreadyExists && claim_is_lost_)
    std::exchange(claim_is_lost_, nullptr)(kept.error());
}

// A path that was removed, or the directory with it, leaves us listening where nobody comes.
void Node::keep_sockets() {
  if (!claim_problem_.empty()) return;
  std::string problems;
  const auto keep = [&problems](SocketFile& file, const auto& listen_on) {
    if (file.is_there()) return;
    auto socket = file.listen();
    const Result<void> served =
        socket ? listen_on(std::move(*socket)) : tl::unexpected<Error>(socket.error());
    if (served)
      return log::warn("a socket of ours was removed, and is made again",
                       {{"path", file.path().string()}});
    file.remove();  // it is tried again
    problems += (problems.empty() ? "" : "; ") + served.error().message;
  };
  keep(node_socket_, [this](UniqueFd socket) -> Result<void> {
    node_service->listen_on(std::move(socket));
    return make_spool_directory(tallies_below(places.run));  // it was below the same directory
  });
  keep(api_socket_, [this](UniqueFd socket) { return api->listen_on(std::move(socket)); });
  if (!problems.empty() && problems != socket_problem_)
    log::error("sockets are gone", {{"error", problems}});
  socket_problem_ = std::move(problems);
}

// While compiled files are gone, shims refuse new containers: soon, and by asking, because a
// directory that is removed with all above it is not watched any more.
void Node::every_moment() {
  keep_claim();
  keep_sockets();
  store.look_after_files(false);
  moments_.expires_after(std::chrono::milliseconds(500));
  moments_.async_wait([this](const asio::error_code& error) {
    if (!error) every_moment();
  });
}

void Node::every_few_seconds() {
  recordings.persist();
  store.end_records(wall_ns());
  storms.tend(wall_ns());
  journal.write_again();
  if (store.must_try_again() || config_awaits_) read_configuration();
  if (!metrics_problem.empty()) serve_metrics();
  tend_evidence();
  take_what_shims_left();
  amend(*this);
  seen.tend(shims_are_back());
  sampling.tend();
  sinks->tend();
  widen_running();  // shims that came while nothing was applied
  seconds_.expires_after(std::chrono::seconds(5));
  seconds_.async_wait([this](const asio::error_code& error) {
    if (!error) every_few_seconds();
  });
}

void Node::every_few_minutes() {
  journal.expire();
  store.look_after_files(true);
  calibrations.check(config.runtime_binary);
  // Not at start: the shims have not told yet what they use.
  if (shims_are_back()) store.collect_garbage(containers.profile_digests());
  minutes_.expires_after(std::chrono::minutes(2));
  minutes_.async_wait([this](const asio::error_code& error) {
    if (!error) every_few_minutes();
  });
}

bool Node::claims_run(const std::string& run_id) const {
  for (const ContainerEntry& entry : containers.list()) {
    if (entry.status.recording_id() == run_id &&
        entry.status.state() != node::v1::CONTAINER_STATE_STOPPED)
      return true;
  }
  return false;
}

// The first minute belongs to the shims, which have to come and tell.
bool Node::shims_are_back() const {
  return monotonic_ns() - started_at.monotonic_ns > kShimsAreBack_ns;
}

std::optional<std::vector<HeldContainer>> Node::quarantined_containers() const {
  if (!shims_are_back()) return std::nullopt;
  std::vector<HeldContainer> out;
  for (const ContainerEntry& entry : containers.list()) {
    if (entry.status.state() != node::v1::CONTAINER_STATE_QUARANTINED) continue;
    out.push_back(
        {entry.status.identity().containerd_namespace(), entry.status.identity().container_id()});
  }
  return out;
}

void Node::shim_gone(const KnownShim& shim) {
  log::debug("shim ended", {{"pid", std::to_string(shim.pid)}, {"address", shim.address}});
  containers.remove_shim(shim.address);
  take_what_shims_left();
}

void Node::take_what_shims_left() {
  spools.scan();
  lost.scan();
}

std::uint64_t Node::dropped() const { return journal.counts().dropped + lost.held(); }

void Node::container_changed(const ContainerEntry* before, const ContainerEntry* after) {
  const auto state = [](const ContainerEntry* entry) {
    return entry != nullptr ? entry->status.state() : node::v1::CONTAINER_STATE_GONE;
  };
  if (after != nullptr && !after->status.recording_id().empty()) recordings.identify(after->status);
  // What waits for this container's shim need not wait any more.
  if (before == nullptr) seen.container_came();
  if (state(after) == node::v1::CONTAINER_STATE_QUARANTINED &&
      state(before) != node::v1::CONTAINER_STATE_QUARANTINED) {
    journal.note(quarantined_event(*after));
  }
  if (after != nullptr && !after->status.killed_for().empty() &&
      (before == nullptr || before->status.killed_for().empty())) {
    journal.note(killed_event(after->status));
  }
  if (before != nullptr && after != nullptr && before->status.mode() != after->status.mode()) {
    journal.note(mode_changed_event(before->status, *after));
  }
}

std::vector<std::string> Node::problems() const {
  std::vector<std::string> out = config_problems;
  const auto add = [&out](const std::vector<std::string>& more) {
    out.insert(out.end(), more.begin(), more.end());
  };
  if (!claim_problem_.empty()) out.push_back(claim_problem_);
  if (!socket_problem_.empty()) out.push_back(socket_problem_);
  add(store.problems());
  add(storms.problems(wall_ns()));
  if (const auto problem = writer.problem()) out.push_back(*problem);
  if (const auto problem = journal.problem()) out.push_back(*problem);
  for (const std::string& repair : writer.repairs()) out.push_back("warning: " + repair);
  add(spools.problems());
  add(lost.problems());
  if (!evidence_problem_.empty()) out.push_back(evidence_problem_);
  add(evidence.problems());
  add(amendments.problems());
  add(sealing.problems());
  add(calibrations.problems());
  add(recordings.problems());
  if (node_service) {
    if (const auto problem = node_service->problem()) out.push_back(*problem);
  }
  // What was there when wardd.yaml was taken may be gone since.
  if (const auto refers = check_references(config, (places.config / "wardd.yaml").string());
      !refers) {
    add(problem_lines(refers.error()));
  }
  std::error_code error;
  if (config_problems.empty() && !std::filesystem::exists(places.config, error)) {
    out.push_back("warning: there is no directory " + places.config.string() +
                  ": no policy is in force, and every container runs in mode off");
  }
  if (watch && watch->problem()) out.push_back("warning: " + *watch->problem());
  if (!metrics_problem.empty()) out.push_back(metrics_problem);
  add(sinks->problems());
  // Each is said once.
  std::set<std::string> said;
  std::erase_if(out, [&said](const std::string& line) { return !said.insert(line).second; });
  return out;
}

std::map<std::string, std::uint64_t> Node::expired_events() const {
  return {{"age", journal.counts().expired_age},
          {"share", journal.counts().expired_share},
          {"number", journal.counts().expired_number}};
}

MetricsSnapshot Node::metrics_snapshot() const {
  MetricsSnapshot out;
  for (const auto& [action, count] : journal.counts().violations)
    out.violations[std::string(filter::action_name(action))] = count;
  for (const ContainerEntry& entry : containers.list())
    ++out.containers[std::string(filter::mode_name(entry.status.mode()))];
  out.events = journal.counts().events;
  out.dropped = dropped();
  out.expired = expired_events();
  out.open_recordings = recordings.open_runs();
  out.quarantined = containers.count(node::v1::CONTAINER_STATE_QUARANTINED);
  out.partly_enforced = containers.partly_enforced();
  out.shims = shims.size();
  out.index_generation = store.generation();
  out.problems = problems().size();
  for (const sinks::SinkNumbers& sink : sinks->numbers())
    out.sinks.push_back({sink.name, sink.waiting, sink.sent, sink.dropped, sink.refused});
  return out;
}

void Node::stop(std::function<void()> done) {
  moments_.cancel();
  seconds_.cancel();
  minutes_.cancel();
  watch.reset();
  spool_watch.reset();
  lost.stop();
  sampling.stop();  // before the tags go
  seen.stop();
  metrics.reset();
  recordings.persist();
  node_socket_.remove();
  api_socket_.remove();
  node_service->stop([this, done = std::move(done)]() mutable {
    shims.close();
    api->stop([this, done = std::move(done)]() mutable {
      recorder->shutdown(recorder::Pins::kKeep);
      // What was journalled at the end is sent by the next wardd.
      sinks->stop([this, done = std::move(done)]() mutable { writer.drain(std::move(done)); });
    });
  });
}

}  // namespace ward::enforcer
