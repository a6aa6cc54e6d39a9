// SPDX-License-Identifier: Apache-2.0
// What the guard of a pod holds, for its own sources: guard.cc has its hooks, guard_listeners.cc
// takes seccomp listeners, guard_commands.cc does what people ask for through wardd.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "shim/guard/guard.h"
#include "shim/guard/guarded_container.h"
#include "shim/links/node_link.h"
#include "shim/supervisor/listener_socket.h"
#include "shim/supervisor/supervisor.h"
#include "ward/node/v1/node.pb.h"

namespace ward::shim::guard {

struct Guard::State {
  State(asio::io_context& l, GuardConfig c, GuardCallbacks cb);
  GuardedContainer* find(const std::string& id) const;
  // Connects early: the first container may have to be recorded.
  links::NodeLink& node_link();
  [[nodiscard]] std::vector<node::v1::ContainerStatus> statuses() const;
  void tell(GuardedContainer& container);

  // --- guard_listeners.cc

  // One socket for the pod, made for the first container that needs one; the id and the nonce tell
  // whose listener it is.
  Result<void> expect_listeners(GuardedContainer& container);
  [[nodiscard]] supervisor::Charge charge_of(const GuardedContainer& container) const;
  std::unique_ptr<supervisor::Supervisor> make_supervisor(const std::string& id,
                                                          supervisor::Charge charge);
  // A listener is believed when it names the container, knows its nonce, and comes from the very
  // runtime process of a start that has not had its listener yet.
  Result<void> take(supervisor::ListenerOffer offer);
  // The start whose runtime sent it fails at once, and says why.
  void listener_refused(pid_t sender, const Error& why);
  // From 1.2 on the runtime's init waits for its parent in a call that its own filter notifies, and
  // holds the listener itself: nobody answers, and it does not even see its parent die. And runc
  // goes on waiting for it (K69).
  static void end_waiting(pid_t runtime);
  // No listener comes any more. A caller that has not asked yet hears it when it does; the first
  // reason is the true one.
  static void give_up(GuardedContainer& container, const std::string& exec_id, Error why);
  // `exec_id` by value: the start it is the key of goes away.
  static void finish(GuardedContainer& container, std::string exec_id, const Result<void>& result);
  void confirm(GuardedContainer& container, const std::string& exec_id,
               std::function<void(Result<void>)> done);
  // From the loop, so that the runtime is on its way first.
  void look_at_program(const std::string& id, const std::string& exec_id, std::string process_json);

  // --- guard_commands.cc

  Result<GuardedContainer*> running(const std::string& id) const;
  Result<void> quarantine(const std::string& id, const std::string& reason);
  Result<void> release(const std::string& id);
  void kill(const std::string& id, std::function<void(Result<void>)> done);
  Result<node::v1::ContainerStatus> set_mode(const std::string& id, node::v1::Mode mode);
  Result<void> calm(const node::v1::CalmCommand& command);
  Result<node::v1::ContainerStatus> widen(const node::v1::WidenRequest& request);
  // For a person, through wardd. The recorder tags what runs; from here on exec sessions are told
  // to it, and so is the end.
  Result<node::v1::ContainerStatus> record(const node::v1::RecordCommand& command);
  void keep_to_time(GuardedContainer& container, std::int64_t until_wall_ns);
  // What the kernel saw. The first processes are our own children: their ends we see ourselves.
  Result<void> told(const node::v1::Seen& what);

  asio::io_context& loop;
  GuardConfig config;
  GuardCallbacks callbacks;
  std::filesystem::path private_directory;
  std::unique_ptr<supervisor::ListenerSocket> socket;  // once a container was supervised
  std::string runtime;
  std::optional<node::v1::NodeSettings> seen;  // admission::Request::seen
  std::map<std::string, std::unique_ptr<GuardedContainer>> containers;
  std::unique_ptr<links::NodeLink> link;
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);  // for callbacks that may come later
};

}  // namespace ward::shim::guard
