// SPDX-License-Identifier: Apache-2.0
#include "tests/support/task_client.h"

#include <gtest/gtest.h>

#include <fstream>

#include "lib/base/file.h"
#include "lib/json/json.h"
#include "lib/linux/mount.h"

namespace ward::test {
namespace fs = std::filesystem;

bool TaskClient::run_until(const std::function<bool()>& done) {
  const auto deadline = Clock::now() + kPatience;
  while (!done() && Clock::now() < deadline) {
    loop_.restart();
    loop_.run_one_for(std::chrono::milliseconds(20));
  }
  return done();
}

Result<containerd::StateResponse> TaskClient::state(const std::string& id,
                                                    const std::string& exec_id) {
  containerd::StateRequest request;
  request.set_id(id);
  request.set_exec_id(exec_id);
  return call<containerd::StateResponse>("State", request);
}

Result<containerd::StartResponse> TaskClient::start(const std::string& id,
                                                    const std::string& exec_id) {
  containerd::StartRequest request;
  request.set_id(id);
  request.set_exec_id(exec_id);
  return call<containerd::StartResponse>("Start", request);
}

Result<containerd::DeleteResponse> TaskClient::remove(const std::string& id,
                                                      const std::string& exec_id) {
  containerd::DeleteRequest request;
  request.set_id(id);
  request.set_exec_id(exec_id);
  return call<containerd::DeleteResponse>("Delete", request);
}

Result<containerd::Empty> TaskClient::kill(const std::string& id, int signal,
                                           const std::string& exec_id, bool all) {
  containerd::KillRequest request;
  request.set_id(id);
  request.set_exec_id(exec_id);
  request.set_signal(static_cast<std::uint32_t>(signal));
  request.set_all(all);
  return call<containerd::Empty>("Kill", request);
}

Result<containerd::WaitResponse> TaskClient::wait(const std::string& id,
                                                  const std::string& exec_id) {
  containerd::WaitRequest request;
  request.set_id(id);
  request.set_exec_id(exec_id);
  return call<containerd::WaitResponse>("Wait", request);
}

containerd::ExecProcessRequest TaskClient::exec_request(const std::string& id,
                                                        const std::string& exec_id,
                                                        const std::vector<std::string>& arguments) {
  containerd::ExecProcessRequest request;
  request.set_id(id);
  request.set_exec_id(exec_id);
  request.mutable_spec()->set_type_url("types.containerd.io/opencontainers/runtime-spec/1/Process");
  const nlohmann::json process = {
      {"args", arguments}, {"cwd", "/"}, {"user", {{"uid", 0}, {"gid", 0}}}};
  request.mutable_spec()->set_value(process.dump());
  return request;
}

Result<containerd::Empty> TaskClient::exec(const std::string& id, const std::string& exec_id,
                                           const std::vector<std::string>& arguments) {
  return call<containerd::Empty>("Exec", exec_request(id, exec_id, arguments));
}

Bundle::Bundle(const Node& node, const std::string& model, std::string id,
               const std::vector<std::string>& command)
    : id_(std::move(id)), path_(node.directory() / "bundles" / id_) {
  fs::create_directories(rootfs());
  for (const char* directory : {"proc", "dev", "sys", "run", "tmp"})
    fs::create_directories(rootfs() / directory);
  fs::copy_file(node.bundle(model) / "rootfs/box", rootfs() / "box");
  // What the policy made of the model is not part of what was asked for.
  auto text = read_file(node.bundle(model) / "config.json.orig");
  if (!text) text = read_file(node.bundle(model) / "config.json");
  if (!text) {
    ADD_FAILURE() << text.error().message;
    return;
  }
  auto config = parse_json_or_throw<nlohmann::json>(*text);
  config["process"]["args"] = command;
  config["process"]["terminal"] = false;
  config["root"] = {{"path", "rootfs"}};
  config["linux"]["cgroupsPath"] = "/" + node.name() + "/" + id_;
  std::ofstream(path_ / "config.json") << config.dump();
}

Bundle::~Bundle() {
  std::error_code ignored;
  if (auto ok = unmount_tree(rootfs()); !ok) ADD_FAILURE() << ok.error().message;
  fs::remove_all(path_, ignored);
}

void Bundle::patch(const std::string& merge) const {
  auto config = parse_json_or_throw<nlohmann::json>(*read_file(path_ / "config.json"));
  config.merge_patch(parse_json_or_throw<nlohmann::json>(merge));
  std::ofstream(path_ / "config.json") << config.dump();
}

containerd::CreateTaskRequest Bundle::create_request() const {
  containerd::CreateTaskRequest request;
  request.set_id(id_);
  request.set_bundle(path_);
  return request;
}

}  // namespace ward::test
