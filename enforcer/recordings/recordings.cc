// SPDX-License-Identifier: Apache-2.0
#include "enforcer/recordings/recordings.h"

#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <set>

#include "enforcer/recordings/run_json.h"
#include "lib/base/clock.h"
#include "lib/base/escape.h"
#include "lib/base/log.h"

namespace ward::enforcer {
namespace {

constexpr int kUnclaimedChecks =
    6;  // persist() every five seconds: half a minute for a shim to come back
constexpr int kEndedChecks = 2;  // likewise, where the kernel saw that the container ended
constexpr std::size_t kMaxIdBytes = 127;
constexpr std::size_t kMaxAsked = 64;

// One row for each workload and kind of run, of those that are stored.
constexpr const char* kStoredKinds =
    "SELECT DISTINCT k.workload, k.kind FROM run_kinds k JOIN runs r ON r.run_id = k.run_id AND "
    "r.workload = "
    "k.workload";

// Of runs that are gone, whichever way they went.
constexpr const char* kForgetKinds =
    "DELETE FROM run_kinds WHERE run_id NOT IN (SELECT run_id FROM runs)";

JournalEntry event(EventKind kind, const std::string& containerd_namespace,
                   const profiles::Run& run, const std::string& reason) {
  JournalEntry entry{kind, {}};
  entry.body.set_event_id(std::string(event_kind_name(kind)) + "-" + run.id);
  entry.body.mutable_identity()->set_containerd_namespace(containerd_namespace);
  entry.body.mutable_identity()->set_container_id(run.container);
  entry.body.set_mode(node::v1::MODE_LEARN);
  entry.body.set_reason(reason);
  return entry;
}

profiles::Source source_of(const node::v1::Identity& identity) {
  const bool named = identity.container_name() != identity.container_id();
  return {identity.containerd_namespace(),
          identity.kubernetes_namespace(),
          identity.pod(),
          named ? identity.container_name() : "",
          identity.image(),
          identity.layers()};
}

// What the caller of the recorder knows stays, the rest is what the recorder saw.
void take_observation(profiles::Run& run, profiles::Run seen) {
  run.syscalls = std::move(seen.syscalls);
  run.runtime = std::move(seen.runtime);
  run.capabilities = std::move(seen.capabilities);
  run.programs = std::move(seen.programs);
  run.fine = std::move(seen.fine);
  run.coarse = std::move(seen.coarse);
  run.lost_events = seen.lost_events;
  run.foreign_calls = seen.foreign_calls;
  run.refused = std::move(seen.refused);
  run.foreign_programs = std::move(seen.foreign_programs);
  run.unknown_calls = std::move(seen.unknown_calls);
  run.life = std::move(seen.life);
  run.start_seen = seen.start_seen;
  if (run.started_wall_ns == 0) run.started_wall_ns = seen.started_wall_ns;
}

}  // namespace

Recordings::Recordings(RunRecorder& recorder, Writer& writer, Journal& journal,
                       std::filesystem::path database,
                       std::function<bool(const std::string&)> alive)
    : recorder_(recorder),
      writer_(writer),
      journal_(journal),
      reader_(writer, std::move(database)),
      alive_(std::move(alive)) {}

void Recordings::adopt(const std::vector<std::string>& open_runs) {
  for (const std::string& run_id : open_runs) {
    open_[run_id].run.id = run_id;
  }
  auto statement = reader_.prepare(
      "SELECT run_id, workload, containerd_namespace, observation FROM runs WHERE ended_wall_ns = "
      "0");
  if (!statement) return;
  for (auto row = statement->step(); row && *row; row = statement->step()) {
    const std::string run_id = statement->text(0);
    Entry entry;
    entry.workload = statement->text(1);
    entry.containerd_namespace = statement->text(2);
    if (auto run = read_run_json(statement->text(3))) entry.run = std::move(*run);
    entry.run.id = run_id;
    if (auto found = open_.find(run_id); found != open_.end()) {
      found->second = std::move(entry);
      remember(found->second);
      log::info("recording goes on", {{"run", run_id}, {"workload", found->second.workload}});
      continue;
    }
    entry.note = "cut off: wardd ended, and what was called afterwards is not known";
    entry.run.ended_wall_ns = wall_ns();
    entry.run.lost_events = std::max<std::uint64_t>(entry.run.lost_events, 1);
    closed_[run_id] = std::move(entry);
  }
  std::vector<std::string> cut_off;
  for (const auto& [run_id, entry] : closed_) cut_off.push_back(run_id);
  for (const std::string& run_id : cut_off) store_closed(run_id);
}

void Recordings::identify(const node::v1::ContainerStatus& status) {
  auto found = open_.find(status.recording_id());
  if (found == open_.end() || !found->second.workload.empty()) return;
  found->second.workload = status.workload();
  found->second.containerd_namespace = status.identity().containerd_namespace();
  found->second.run.container = status.identity().container_id();
  found->second.run.source = source_of(status.identity());
}

Result<void> Recordings::begin(const node::v1::BeginRecordingRequest& request) {
  const std::string& run_id = request.run_id();
  if (run_id.empty() || run_id.size() > kMaxIdBytes)
    return fail(Code::kInvalidArgument, "run_id must have 1 to 127 bytes");
  if (request.pid() <= 0) return fail(Code::kInvalidArgument, "pid must be a process id");
  if (!request.exec_id().empty()) return recorder_.add_exec(run_id, request.pid());
  if (closed_.count(run_id) != 0)
    return fail(Code::kAlreadyExists, "run '" + run_id + "' has ended");
  if (auto begun = recorder_.begin(run_id, request.pid()); !begun) return begun;
  Entry entry;
  entry.workload =
      request.workload().empty() ? request.identity().container_id() : request.workload();
  entry.containerd_namespace = request.identity().containerd_namespace();
  entry.run.id = run_id;
  entry.run.container = request.identity().container_id();
  entry.run.source = source_of(request.identity());
  entry.run.started_wall_ns = wall_ns();
  entry.run.runtime_sha256 = request.runtime_sha256();
  entry.run.no_new_privileges = request.no_new_privileges();
  entry.run.record_id = request.record_id();
  open(std::move(entry));
  return {};
}

Result<void> Recordings::begin_running(const node::v1::ContainerStatus& container,
                                       const std::string& run_id, const std::string& record_id,
                                       const std::string& workload) {
  if (auto begun = recorder_.begin_running(run_id, container.pid()); !begun) return begun;
  Entry entry;
  entry.workload = workload;
  entry.containerd_namespace = container.identity().containerd_namespace();
  entry.run.id = run_id;
  entry.run.container = container.identity().container_id();
  entry.run.source = source_of(container.identity());
  entry.run.started_wall_ns = wall_ns();
  entry.run.start_seen = false;
  entry.run.record_id = record_id;
  open(std::move(entry));
  return {};
}

Result<std::uint64_t> Recordings::join(const std::string& run_id, pid_t first) {
  return recorder_.join(run_id, first);
}

void Recordings::open(Entry entry) {
  const std::string run_id = entry.run.id;
  journal_.note(
      event(EventKind::kRecordingStarted, entry.containerd_namespace, entry.run,
            "recording of " + entry.workload + (entry.run.start_seen ? "" : ", start not seen")));
  store(run_id, entry, nullptr);
  remember(entry);
  open_[run_id] = std::move(entry);
}

void Recordings::remember(const Entry& entry) {
  const std::string& record_id = entry.run.record_id;
  if (record_id.empty()) return;
  const auto [found, fresh] = asked_.try_emplace(record_id);
  found->second.push_back({entry.run.id, entry.workload, entry.containerd_namespace,
                           entry.run.container, entry.run.start_seen});
  if (!fresh) return;
  asked_in_order_.push_back(record_id);
  if (asked_in_order_.size() <= kMaxAsked) return;
  asked_.erase(asked_in_order_.front());
  asked_in_order_.erase(asked_in_order_.begin());
}

std::vector<Recordings::Recorded> Recordings::runs_of(const std::string& record_id) const {
  const auto found = asked_.find(record_id);
  return found == asked_.end() ? std::vector<Recorded>() : found->second;
}

Result<void> Recordings::end(const node::v1::EndRecordingRequest& request) {
  // A second EndRecording is a shim that did not get the first answer.
  if (open_.count(request.run_id()) == 0) return {};
  if (request.abandoned()) {
    drop(request.run_id(), "its container had started before it was ready");
  } else {
    close(request.run_id(), request.exit_status(), request.graceful(),
          request.goes_on() ? "its container went on when the recording ended" : "");
  }
  return {};
}

void Recordings::drop(const std::string& run_id, const std::string& why) {
  auto node = open_.extract(run_id);
  if (node.empty()) return;
  const Entry entry = std::move(node.mapped());
  (void)recorder_.end(run_id);
  if (const auto asked = asked_.find(entry.run.record_id); asked != asked_.end())
    std::erase_if(asked->second, [&](const Recorded& run) { return run.run_id == run_id; });
  journal_.note(event(EventKind::kRecordingEnded, entry.containerd_namespace, entry.run,
                      "recording of " + entry.workload + ": dropped, for " + why));
  remove({run_id}, nullptr);
}

void Recordings::remove(std::vector<std::string> run_ids, std::function<void(Result<void>)> done) {
  writer_.submit(
      [ids = std::move(run_ids)](Connection& connection) -> Result<void> {
        for (const std::string& id : ids) {
          auto statement = connection.prepare("DELETE FROM runs WHERE run_id = ?");
          if (!statement) return tl::unexpected<Error>(statement.error());
          statement->bind(id);
          if (auto deleted = statement->run(); !deleted) return deleted;
        }
        return connection.execute(kForgetKinds);
      },
      std::move(done));
}

void Recordings::close(const std::string& run_id, std::uint32_t exit_status, bool graceful,
                       const std::string& note) {
  auto node = open_.extract(run_id);
  if (node.empty()) return;
  Entry entry = std::move(node.mapped());
  if (auto seen = recorder_.end(run_id)) {
    take_observation(entry.run, std::move(*seen));
  } else {
    entry.note = "the recorder's last word is missing: " + seen.error().message;
    entry.run.lost_events += 1;
  }
  if (!note.empty()) entry.note = note;
  entry.run.ended_wall_ns = wall_ns();
  entry.run.exit_status = exit_status;
  entry.run.graceful = graceful;
  if (entry.workload.empty()) {
    log::warn("recording of an unknown container dropped", {{"run", run_id}});
    return;
  }
  std::string reason = "recording of " + entry.workload + ": " +
                       std::to_string(entry.run.syscalls.size()) + " calls, " +
                       std::to_string(entry.run.lost_events) + " events lost";
  if (!entry.note.empty()) reason += "; " + entry.note;
  journal_.note(event(EventKind::kRecordingEnded, entry.containerd_namespace, entry.run, reason));
  closed_[run_id] = std::move(entry);
  store_closed(run_id);
}

void Recordings::store_closed(const std::string& run_id) {
  store(run_id, closed_.at(run_id), [this, run_id](const Result<void>& result) {
    if (result) closed_.erase(run_id);  // else persist() tries again
  });
}

void Recordings::store(const std::string& run_id, const Entry& entry,
                       std::function<void(Result<void>)> done) {
  writer_.submit(
      [run_id, workload = entry.workload, name_space = entry.containerd_namespace,
       note = entry.note, container = entry.run.container, started = entry.run.started_wall_ns,
       ended = entry.run.ended_wall_ns, status = entry.run.exit_status,
       graceful = entry.run.graceful, body = write_run_json(entry.run),
       kind = profiles::kind_of(entry.run.source),
       keep = runs_per_workload_](Connection& connection) -> Result<void> {
        auto statement = connection.prepare(
            "INSERT OR REPLACE INTO runs (run_id, workload, containerd_namespace, container, "
            "started_wall_ns,"
            " ended_wall_ns, exit_status, graceful, recorder, note, observation) VALUES "
            "(?,?,?,?,?,?,?,?,'ebpf',?,?)");
        if (!statement) return tl::unexpected<Error>(statement.error());
        statement->bind(run_id)
            .bind(workload)
            .bind(name_space)
            .bind(container)
            .bind(started)
            .bind(ended);
        statement->bind(std::int64_t{status})
            .bind(std::int64_t{graceful ? 1 : 0})
            .bind(note)
            .bind_blob(body);
        if (auto stored = statement->run(); !stored) return stored;
        auto named = connection.prepare("INSERT OR REPLACE INTO run_kinds VALUES (?,?,?)");
        if (!named) return tl::unexpected<Error>(named.error());
        if (auto stored = named->bind(run_id).bind(workload).bind(kind).run(); !stored)
          return stored;
        auto old = connection.prepare(
            "DELETE FROM runs WHERE workload = ?1 AND ended_wall_ns != 0 AND run_id NOT IN"
            " (SELECT run_id FROM runs WHERE workload = ?1 ORDER BY started_wall_ns DESC LIMIT "
            "?2)");
        if (!old) return tl::unexpected<Error>(old.error());
        if (auto removed = old->bind(workload).bind(std::int64_t{keep}).run(); !removed)
          return removed;
        return connection.changes() == 0 ? Result<void>() : connection.execute(kForgetKinds);
      },
      std::move(done));
}

void Recordings::refresh(const std::string& run_id, Entry& entry) {
  if (auto seen = recorder_.snapshot(run_id)) take_observation(entry.run, std::move(*seen));
}

void Recordings::persist() {
  std::vector<std::string> unclaimed;
  for (auto& [run_id, entry] : open_) {
    refresh(run_id, entry);
    entry.unclaimed_checks = alive_(run_id) ? 0 : entry.unclaimed_checks + 1;
    const bool ended = entry.run.life && entry.run.life->end;
    if (entry.unclaimed_checks >= (ended ? kEndedChecks : kUnclaimedChecks))
      unclaimed.push_back(run_id);
    std::string body = write_run_json(entry.run);
    if (entry.workload.empty() || body == entry.stored) continue;
    entry.stored = std::move(body);
    store(run_id, entry, nullptr);
  }
  for (const std::string& run_id : unclaimed) {
    close_unclaimed(run_id);
  }
  std::vector<std::string> waiting;
  for (const auto& [run_id, entry] : closed_) waiting.push_back(run_id);
  for (const std::string& run_id : waiting) store_closed(run_id);
}

void Recordings::close_unclaimed(const std::string& run_id) {
  const auto& life = open_.at(run_id).run.life;
  if (!life || !life->end)
    return close(run_id, 0, false,
                 "its container went away without a word; how it ended is not known");
  const int status = life->end->wait_status;
  const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  close(run_id, static_cast<std::uint32_t>(signal != 0 ? 128 + signal : WEXITSTATUS(status)),
        signal == 0 || signal == SIGTERM || signal == SIGQUIT, "");
}

Result<std::vector<std::string>> Recordings::workloads() {
  std::set<std::string> names;
  for (const auto* entries : {&open_, &closed_}) {
    for (const auto& [run_id, entry] : *entries) names.insert(entry.workload);
  }
  auto statement = reader_.prepare("SELECT DISTINCT workload FROM runs");
  if (!statement) return tl::unexpected<Error>(statement.error());
  for (auto row = statement->step();; row = statement->step()) {
    if (!row) return tl::unexpected<Error>(row.error());
    if (!*row) break;
    names.insert(statement->text(0));
  }
  names.erase("");
  return std::vector<std::string>(names.begin(), names.end());
}

std::vector<std::string> Recordings::problems() const {
  std::map<std::string, std::set<std::string>> kinds;
  for (const auto* entries : {&open_, &closed_})
    for (const auto& [run_id, entry] : *entries)
      kinds[entry.workload].insert(profiles::kind_of(entry.run.source));
  auto statement = reader_.prepare(kStoredKinds);
  if (!statement) return {};  // the database's own problem says so
  for (auto row = statement->step(); row && *row; row = statement->step())
    kinds[statement->text(0)].insert(statement->text(1));
  std::vector<std::string> out;
  for (auto& [workload, of_it] : kinds) {
    of_it.erase("");
    const std::string mixture = profiles::describe_mixture({of_it.begin(), of_it.end()});
    if (workload.empty() || mixture.empty()) continue;
    std::string warning = "warning: recording '";
    warning.append(workload).append("': ").append(mixture);
    warning.append("; no profile is generated of it (`ward learn show ")
        .append(workload)
        .append("`)");
    out.push_back(std::move(warning));
  }
  return out;
}

Result<WorkloadRecording> Recordings::find(const std::string& workload) {
  WorkloadRecording out;
  out.observations.workload = workload;
  out.observations.recorder = "ebpf";
  const auto add = [&](const profiles::Run& run, const std::string& note) {
    out.observations.runs.push_back(run);
    if (!note.empty()) out.notes.push_back("run " + run.id + ": " + note);
  };
  auto statement = reader_.prepare(
      "SELECT run_id, note, observation FROM runs WHERE workload = ? ORDER BY started_wall_ns");
  if (!statement) return tl::unexpected<Error>(statement.error());
  statement->bind(workload);
  for (auto row = statement->step();; row = statement->step()) {
    if (!row) return tl::unexpected<Error>(row.error());
    if (!*row) break;
    const std::string run_id = statement->text(0);
    if (open_.count(run_id) != 0 || closed_.count(run_id) != 0)
      continue;  // those are newer in memory
    auto run = read_run_json(statement->text(2));
    if (run) {
      add(*run, statement->text(1));
    } else {
      out.notes.push_back("run " + run_id + ": " + run.error().message);
    }
  }
  for (const auto& [run_id, entry] : closed_) {
    if (entry.workload == workload) add(entry.run, entry.note);
  }
  for (auto& [run_id, entry] : open_) {
    if (entry.workload != workload) continue;
    refresh(run_id, entry);
    add(entry.run, entry.note);
  }
  if (out.observations.runs.empty()) {
    return fail(
        Code::kNotFound,
        "nothing was recorded for '" + escape(workload, 80) +
            "': run it under a policy of mode learn; `ward learn list` shows what was recorded");
  }
  return out;
}

void Recordings::forget(const std::string& workload, const std::string& run_id,
                        std::function<void(Result<Forgotten>)> done) {
  const auto recording = find(workload);
  if (!recording) return done(tl::unexpected<Error>(recording.error()));
  Forgotten out;
  std::vector<std::string> ids;
  for (const profiles::Run& run : recording->observations.runs) {
    if (run.id.compare(0, run_id.size(), run_id) != 0) continue;
    if (open_.count(run.id) != 0) {
      ++out.kept_active;
    } else {
      ids.push_back(run.id);
    }
  }
  if (!run_id.empty() && ids.size() + out.kept_active != 1) {
    return done(
        fail(ids.empty() && out.kept_active == 0 ? Code::kNotFound : Code::kInvalidArgument,
             (ids.empty() && out.kept_active == 0 ? "no run of '" : "more than one run of '") +
                 escape(workload, 80) + "' begins with '" + escape(run_id, 80) +
                 "': `ward learn show " + escape(workload, 80) + "` lists them"));
  }
  if (ids.empty()) {
    return done(fail(Code::kFailedPrecondition,
                     "'" + escape(workload, 80) +
                         "' is being recorded: stop its containers, then forget what they did"));
  }
  out.runs = static_cast<std::uint32_t>(ids.size());
  out.run_ids = ids;
  for (const std::string& id : ids) closed_.erase(id);  // or persist() would write it again
  JournalEntry entry{EventKind::kRecordingForgotten, {}};
  entry.body.set_reason(std::to_string(out.runs) + " runs of " + escape(workload));
  journal_.note(std::move(entry));
  remove(std::move(ids), [out, done = std::move(done)](const Result<void>& deleted) {
    if (!deleted) return done(tl::unexpected<Error>(deleted.error()));
    done(out);
  });
}

}  // namespace ward::enforcer
