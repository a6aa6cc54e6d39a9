// SPDX-License-Identifier: Apache-2.0
// What Ward adds to a containerd shim, as the shim sees it: hooks in the life of a container. The
// life cycle (Container, Process) calls these in the order below and knows nothing else of
// profiles; admission/ and supervisor/ are behind it. One thread, one loop: no hook blocks longer
// than local file I/O.
#pragma once

#include <sys/types.h>

#include <asio/io_context.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/places.h"
#include "lib/base/result.h"

namespace ward::ttrpc {
class Server;
}

namespace ward {
struct Exit;
}

namespace ward::oci {
class Config;
}

namespace ward::shim::admission {
struct NodeIndex;
}

namespace ward::shim::guard {

struct GuardConfig {
  Places places;
  std::string containerd_namespace;
  std::string shim_address;  // unix path of our ttrpc socket, for wardd
};

// What the guard may ask of the life cycle. Ids are containerd's container ids.
struct GuardCallbacks {
  // Kill every process of the container by cgroup or pid; used where the guard does not do it
  // itself.
  std::function<void(const std::string& id)> kill_all;
  // A quarantine froze (true) or released (false) the container: State must say PAUSED / RUNNING
  // and the events /tasks/paused and /tasks/resumed go out.
  std::function<void(const std::string& id, bool frozen)> frozen_changed;
};

class Guard {
 public:
  Guard(asio::io_context& loop, GuardConfig config, GuardCallbacks callbacks);
  ~Guard();
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

  // Adds the ward.node.v1.Shim service to the shim's own server, before it starts.
  void serve_on(ttrpc::Server& server);

  // 1. Before `runc create`: the node's index, opened once for all that one create decides by it.
  [[nodiscard]] std::shared_ptr<admission::NodeIndex> open_index() const;

  //    The runtime binary to run for this container: the node's setting or `asked`
  //    (options.BinaryName).
  [[nodiscard]] std::string runtime_binary(const admission::NodeIndex& index,
                                           const std::string& asked) const;

  //    Match the policy, intersect, rewrite config.json. An error refuses the container; asked
  //    again, `config` is to be read again. `config`: the bundle's, as it was just read, and
  //    afterwards as the runtime gets it. `runtime`: the binary that will be run. `layers`:
  //    Identity.layers.
  Result<void> admit(const std::string& id, const std::filesystem::path& bundle,
                     admission::NodeIndex& index, oci::Config& config,
                     const std::filesystem::path& runtime, const std::string& layers);

  //    Exec announces a session. An error refuses it: nothing of it has been run, and nothing is to
  //    be.
  Result<void> admit_session(const std::string& id, const std::string& exec_id);

  // 2. Before `runc exec`: cut capabilities, set no_new_privs; the rewritten process document.
  Result<std::string> admit_exec(const std::string& id, const std::string& exec_id,
                                 std::string process_json);

  // 3. The runc process of a create (exec_id empty) or an exec is forked and waits at its gate.
  // `go` lets it run; the
  //    guard calls it exactly once, at the latest after its own bound (300 ms), at once where
  //    nothing is recorded.
  void before_runtime(const std::string& id, const std::string& exec_id, pid_t runc_pid,
                      std::function<void()> go);

  // 4. `runc create` or `runc exec` came back well, `pid` is the container's process. Checks that
  // the listener, where
  //    one is due, has arrived and is genuine (waits up to 2 s for it); an error fails the create
  //    or exec.
  void confirm(const std::string& id, const std::string& exec_id, pid_t pid,
               std::function<void(Result<void>)> done);

  //    It came back with an error: with the reason before it where the guard made it fail, by
  //    refusing its listener.
  [[nodiscard]] Error why_failed(const std::string& id, const std::string& exec_id,
                                 Error said) const;

  // 5. `runc start` came back well (exec_id empty), or an exec runs.
  void started(const std::string& id, const std::string& exec_id);

  // 6. Exits, with the wait status. The guard closes the listener, ends a recording, reads SIGSYS
  // as a violation.
  void exited(const std::string& id, const std::string& exec_id, const Exit& exit);

  // A child of ours, now a zombie, that SIGSYS ended and that may be nobody's we know: what is to
  // be called where it is not. Empty where it is of no container.
  std::function<void()> stranger(pid_t pid, std::uint64_t start_ticks);

  // 7. The container is deleted, or its create failed.
  void forget(const std::string& id);

  // Admitted with a profile: its filter has a listener, which every start has to deliver.
  [[nodiscard]] bool is_supervised(const std::string& id) const;

  // In mode learn, or for a person's request: a recording begins before the runtime of each start.
  [[nodiscard]] bool is_recorded(const std::string& id) const;

  // Pause/Resume/Kill by containerd. A quarantined container may not be resumed; a signal to one
  // becomes SIGKILL.
  [[nodiscard]] bool is_quarantined(const std::string& id) const;
  // What is told to who asks such a container for something: "container web is quarantined: mount
  // is not in profile web; to let it run again: ward quarantine release web".
  [[nodiscard]] Error quarantined_error(const std::string& id) const;
  void paused(const std::string& id, bool paused);

  // Every process of a quarantined or ordinary container dies now, frozen or not (v1: SIGKILL all,
  // then thaw): containerd sent this signal.
  Result<void> kill_container(const std::string& id, int signal);

  // Cancels timers and links so that the loop can run dry; spooled events stay on disk.
  void stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ward::shim::guard
