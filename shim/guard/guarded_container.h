// SPDX-License-Identifier: Apache-2.0
// What the Guard keeps of one container: what admission decided, the starts in progress that wait
// for a listener, the supervisor and what is told to wardd.
#pragma once

#include <sys/types.h>

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "lib/base/places.h"
#include "lib/base/result.h"
#include "shim/admission/admission.h"
#include "shim/supervisor/listener_socket.h"
#include "shim/supervisor/supervisor.h"
#include "ward/node/v1/node.pb.h"

namespace ward::shim::guard {

// A `runc create` or `runc exec` between its fork and its confirmation.
struct Start {
  pid_t runtime_pid = 0;
  bool listener_arrived = false;
  std::optional<Error> refused;                 // why none will
  std::function<void(Result<void>)> confirmed;  // waits for the listener
  std::unique_ptr<asio::steady_timer> deadline;
};

struct GuardedContainer {
  GuardedContainer(std::string container_id, std::filesystem::path bundle_directory,
                   admission::Admitted decided);

  std::string id;
  std::filesystem::path bundle;
  admission::Admitted admitted;
  std::unique_ptr<supervisor::Supervisor>
      supervisor;  // where a listener is due, or once a person has asked for a quarantine
  std::map<std::string, Start> starts;  // by exec id, "" the container's own

  node::v1::ContainerState state = node::v1::CONTAINER_STATE_CREATED;
  std::int64_t since_wall_ns = 0;
  bool was_quarantined = false;
  pid_t pid = 0;
  std::int64_t made_wall_ns = 0;  // wall_ns_of_files() when its own program had not begun
  std::shared_ptr<int> looks = std::make_shared<int>(0);  // look_at_session_program()
  std::map<std::string, pid_t> sessions;  // first processes of exec sessions that run
  std::uint64_t watch_key =
      0;               // in the maps of profiles/filter/watch_maps.h; 0: not announced there
  std::string run_id;  // mode learn
  bool recording = false;
  std::string unrecorded;  // why not
  // Another version of its profile came into force while it ran: what it began with. It is judged
  // by both.
  std::optional<admission::ProfileInForce> began_under;
  // The request of a person that the recording is for, whatever the mode; empty: a policy's.
  std::string record_id;
  std::unique_ptr<asio::steady_timer> record_end;
  std::shared_ptr<bool> alive =
      std::make_shared<bool>(true);  // for answers that come after the container is gone

  // That of its start, or the one that it was switched to.
  [[nodiscard]] node::v1::Mode mode() const;
  // What of mode enforce is not in force, because the container began in supervise: for people.
  // Empty: all of it is.
  [[nodiscard]] std::string partly() const;
  [[nodiscard]] bool is_first_process(
      pid_t process) const;  // the container's own, or that of a session
  void set_state(node::v1::ContainerState next);
  // A quarantine is a state of its own towards people, and begins with itself.
  void note_quarantine();
  [[nodiscard]] node::v1::ContainerStatus status() const;
};

// The supervisor's view of what admission decided. The profile is absent in modes off and learn:
// then nothing is asked and only a person's quarantine ever touches the container.
supervisor::Charge make_charge(const admission::Admitted& admitted, const Places& places);

// Is `pid` the process `runtime_pid` or a child of it?
bool is_or_descends_from(pid_t pid, pid_t runtime_pid);

}  // namespace ward::shim::guard
