// SPDX-License-Identifier: Apache-2.0
// The recordings of a node: which runs are open in the recorder, and everything that was ever
// recorded, run by run, in the database. Runs are kept as they are and never summed. Core loop
// only.
#pragma once

#include <asio/io_context.hpp>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "enforcer/database/reader.h"
#include "enforcer/database/writer.h"
#include "enforcer/journal/journal.h"
#include "lib/base/result.h"
#include "profiles/learn/observation.h"
#include "ward/node/v1/node.pb.h"

namespace ward::enforcer {

// The recorder as the recordings see it: see enforcer/recorder/recorder.h for what the calls mean.
class RunRecorder {
 public:
  virtual ~RunRecorder() = default;
  virtual Result<void> begin(const std::string& run_id, pid_t pid) = 0;
  virtual Result<void> begin_running(const std::string& run_id, pid_t first) = 0;
  virtual Result<std::uint64_t> join(const std::string& run_id, pid_t first) = 0;
  virtual Result<void> add_exec(const std::string& run_id, pid_t pid) = 0;
  virtual Result<profiles::Run> snapshot(const std::string& run_id) = 0;
  virtual Result<profiles::Run> end(const std::string& run_id) = 0;
};

// Everything recorded for one workload. `notes`: what people must know of single runs.
struct WorkloadRecording {
  profiles::Observations observations;
  std::vector<std::string> notes;
};

struct Forgotten {
  std::uint32_t runs = 0;
  std::vector<std::string> run_ids;  // of these
  std::uint32_t kept_active = 0;     // they go on; end the container first
};

class Recordings {
 public:
  // `alive`: does a container that has not stopped say it is this run? An open run that nobody
  // claims is ended.
  Recordings(RunRecorder& recorder, Writer& writer, Journal& journal,
             std::filesystem::path database, std::function<bool(const std::string& run_id)> alive);

  // After a restart: `open_runs` go on in the recorder; a run that the database has open and the
  // recorder has not was cut off, and is closed with a loss.
  void adopt(const std::vector<std::string>& open_runs);
  // What a container says of its run fills in what an adopted run lacks.
  void identify(const node::v1::ContainerStatus& status);

  Result<void> begin(const node::v1::BeginRecordingRequest& request);
  Result<void> end(const node::v1::EndRecordingRequest& request);

  // A container that runs already, for the request `record_id`: first the run is open, so that its
  // shim can name it; join() takes the container in once the shim has agreed. One that it did not
  // agree to is dropped without a trace.
  Result<void> begin_running(const node::v1::ContainerStatus& container, const std::string& run_id,
                             const std::string& record_id, const std::string& workload);
  Result<std::uint64_t> join(const std::string& run_id, pid_t first);
  void drop(const std::string& run_id, const std::string& why);

  struct Recorded {
    std::string run_id, workload, containerd_namespace, container;
    bool start_seen = true;
  };
  // All runs of a request, also those that have ended since wardd started.
  [[nodiscard]] std::vector<Recorded> runs_of(const std::string& record_id) const;

  void persist();  // writes what open runs saw since the last time; ends those that nobody claims
  void set_runs_per_workload(std::uint32_t runs) { runs_per_workload_ = runs; }

  [[nodiscard]] std::size_t open_runs() const { return open_.size(); }
  Result<std::vector<std::string>> workloads();
  // "warning: recording 'web': it has runs of different images or namespaces: ..."
  [[nodiscard]] std::vector<std::string> problems() const;
  Result<WorkloadRecording> find(
      const std::string& workload);  // kNotFound where nothing was recorded

  // Removes ended runs of a workload: all, or the one whose id begins with `run_id`. `done` when
  // they are off the disk.
  void forget(const std::string& workload, const std::string& run_id,
              std::function<void(Result<Forgotten>)> done);

 private:
  struct Entry {
    std::string workload;  // empty: adopted, and not yet identified
    std::string containerd_namespace;
    profiles::Run run;
    std::string note;
    std::string stored;        // what the database has
    int unclaimed_checks = 0;  // in a row
  };

  void close(const std::string& run_id, std::uint32_t exit_status, bool graceful,
             const std::string& note);
  void close_unclaimed(const std::string& run_id);
  void open(Entry entry);  // which the recorder has begun
  void remember(const Entry& entry);
  void remove(std::vector<std::string> run_ids, std::function<void(Result<void>)> done);
  void refresh(const std::string& run_id, Entry& entry);
  void store(const std::string& run_id, const Entry& entry, std::function<void(Result<void>)> done);
  void store_closed(const std::string& run_id);

  RunRecorder& recorder_;
  Writer& writer_;
  Journal& journal_;
  mutable Reader reader_;  // it opens the file when it is first asked
  std::function<bool(const std::string&)> alive_;
  std::uint32_t runs_per_workload_ = 64;
  std::map<std::string, Entry> open_;                   // by run id
  std::map<std::string, Entry> closed_;                 // not yet known to be in the database
  std::map<std::string, std::vector<Recorded>> asked_;  // by request; the newest kMaxAsked of them
  std::vector<std::string> asked_in_order_;
};

}  // namespace ward::enforcer
