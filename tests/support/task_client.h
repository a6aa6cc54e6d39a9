// SPDX-License-Identifier: Apache-2.0
// The Task service of a running shim without containerd between: calls that ctr has no word for,
// calls in states where containerd would not make them, containers with options of the test's own.
#pragma once

#include <asio/io_context.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "containerd/task.pb.h"
#include "lib/base/result.h"
#include "lib/ttrpc/client.h"
#include "tests/support/node.h"

namespace ward::test {

class TaskClient {
 public:
  // `version`: of the service; Ward's shim has v2 and v3, a stock shim one of them.
  explicit TaskClient(const std::string& socket, const char* version = "v2")
      : client_(loop_, socket), version_(version) {}

  template <typename Reply, typename Request>
  Result<Reply> call(const char* method, const Request& request, const char* version = nullptr) {
    Result<std::string> answer = fail(Code::kDeadlineExceeded, "no answer");
    bool done = false;
    begin(method, request, version != nullptr ? version : version_, [&](Result<std::string> bytes) {
      answer = std::move(bytes);
      done = true;
    });
    run_until([&] { return done; });
    if (!answer) return tl::unexpected(answer.error());
    Reply reply;
    if (!reply.ParseFromString(*answer))
      return fail(Code::kInternal, "the answer cannot be decoded");
    return reply;
  }
  template <typename Request>
  void begin(const char* method, const Request& request, const char* version,
             ttrpc::Client::Answer answer) {
    client_.call("containerd.task." + std::string(version) + ".Task", method,
                 request.SerializeAsString(), kPatience, std::move(answer));
  }
  bool run_until(const std::function<bool()>& done);

  // The calls that tests need most.
  Result<containerd::StateResponse> state(const std::string& id, const std::string& exec_id = {});
  Result<containerd::StartResponse> start(const std::string& id, const std::string& exec_id = {});
  Result<containerd::DeleteResponse> remove(const std::string& id, const std::string& exec_id = {});
  Result<containerd::Empty> kill(const std::string& id, int signal, const std::string& exec_id = {},
                                 bool all = false);
  Result<containerd::WaitResponse> wait(const std::string& id, const std::string& exec_id = {});
  static containerd::ExecProcessRequest exec_request(const std::string& id,
                                                     const std::string& exec_id,
                                                     const std::vector<std::string>& arguments);
  Result<containerd::Empty> exec(const std::string& id, const std::string& exec_id,
                                 const std::vector<std::string>& arguments);

 private:
  asio::io_context loop_{1};
  ttrpc::Client client_;
  const char* version_;
};

// A bundle of the test's own: the configuration of a container that runs on the node, with another
// command, and a root file system that holds /box only.
class Bundle {
 public:
  Bundle(const Node& node, const std::string& model, std::string id,
         const std::vector<std::string>& command);
  ~Bundle();
  Bundle(const Bundle&) = delete;
  Bundle& operator=(const Bundle&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path rootfs() const { return path_ / "rootfs"; }
  [[nodiscard]] const std::string& id() const { return id_; }
  // A JSON merge patch (RFC 7386) of config.json.
  void patch(const std::string& merge) const;
  [[nodiscard]] containerd::CreateTaskRequest create_request() const;

 private:
  std::string id_;
  std::filesystem::path path_;
};

}  // namespace ward::test
