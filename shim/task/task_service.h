// SPDX-License-Identifier: Apache-2.0
// containerd's Task service, versions 2 and 3, over the sandbox: decodes requests, checks what
// comes from outside, encodes answers. Decides nothing.
#pragma once

#include <functional>
#include <string>

#include "lib/ttrpc/server.h"
#include "shim/task/sandbox.h"

namespace ward::shim::task {

class TaskService {
 public:
  // `shut_down` is called when containerd asked for it and no container is left, after the answer
  // was given.
  TaskService(Sandbox& sandbox, std::function<void()> shut_down);

  void serve_on(ttrpc::Server& server);

 private:
  void state(const std::string& payload, ttrpc::Responder responder);
  void create(const std::string& payload, ttrpc::Responder responder);
  void start(const std::string& payload, ttrpc::Responder responder);
  void remove(const std::string& payload, ttrpc::Responder responder);
  void pids(const std::string& payload, ttrpc::Responder responder);
  void pause(const std::string& payload, ttrpc::Responder responder);
  void resume(const std::string& payload, ttrpc::Responder responder);
  void kill(const std::string& payload, ttrpc::Responder responder);
  void exec(const std::string& payload, ttrpc::Responder responder);
  void resize_pty(const std::string& payload, ttrpc::Responder responder);
  void close_io(const std::string& payload, ttrpc::Responder responder);
  void wait(const std::string& payload, ttrpc::Responder responder);
  void connect(const std::string& payload, ttrpc::Responder responder);
  void shutdown(const std::string& payload, ttrpc::Responder responder);
  void update(const std::string& payload, ttrpc::Responder responder);
  void stats(const std::string& payload, ttrpc::Responder responder);
  void checkpoint(const std::string& payload, ttrpc::Responder responder);

  Sandbox& sandbox_;
  std::function<void()> shut_down_;
};

// Pure: what containerd accepts as an id, and so safe as a file name: letters and digits, one '.',
// '_' or '-' between.
bool is_valid_id(std::string_view id);

}  // namespace ward::shim::task
