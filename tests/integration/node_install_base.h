// SPDX-License-Identifier: Apache-2.0
// `ward node` on a containerd of the test's own, which a supervisor starts again whenever it ends,
// as systemd would: its configuration, root, state and socket are below one directory.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "lib/base/digest.h"
#include "lib/json/json.h"
#include "tests/support/child.h"
#include "tests/support/cri_client.h"
#include "tests/support/node.h"
#include "tests/support/peers.h"

namespace ward::test {

class NodeInstallTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = "/tmp/ward-node-" + random_hex(4);
    for (const char* part : {"etc", "bin", "payload", "ward/etc", "ward/var", "ward/run", "cni"})
      std::filesystem::create_directories(directory_ / part);
    put_payload("0.1.0");
    config_ = directory_ / "etc/config.toml";
  }
  void TearDown() override {
    stop();
    std::error_code error;
    std::filesystem::remove_all(directory_, error);
    EXPECT_FALSE(std::filesystem::exists(directory_));
  }

  [[nodiscard]] std::filesystem::path socket() const { return directory_ / "c.sock"; }
  [[nodiscard]] std::filesystem::path shim() const {
    return directory_ / "bin/containerd-shim-ward-v1";
  }

  static void write(const std::filesystem::path& path, const std::string& text) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  static std::string read(const std::filesystem::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  // A shim that says its version and no more; large enough to be half written.
  void put_payload(const std::string& version) const {
    const auto path = directory_ / "payload/containerd-shim-ward-v1";
    write(path, "#!/bin/sh\necho containerd-shim-ward-v1:\necho '  Version: " + version +
                    "'\nexit 0\n" + std::string(100'000, '#') + "\n");
    std::filesystem::permissions(path, std::filesystem::perms::owner_all |
                                           std::filesystem::perms::group_read |
                                           std::filesystem::perms::group_exec);
  }

  static int major() { return containerd_version().major; }
  static std::string cri_table() {
    return major() >= 2 ? "plugins.\"io.containerd.cri.v1.runtime\""
                        : "plugins.\"io.containerd.grpc.v1.cri\"";
  }
  // As a person has it: names runc with options, and more that must not be lost.
  [[nodiscard]] std::string places() const {
    return "root = \"" + (directory_ / "root").string() + "\"\nstate = \"" +
           (directory_ / "state").string() + "\"\n";
  }
  [[nodiscard]] std::string version_line() const {
    return major() >= 2 ? "version = 3\n" : "version = 2\n";
  }
  [[nodiscard]] std::string rest() const {
    return "[grpc]\n  address = \"" + socket().string() + "\"\n";
  }
  [[nodiscard]] std::string plain_config() const {
    return version_line() + places() + rest() + "# a person's words\n[" + cri_table() +
           ".containerd.runtimes.runc]\n  runtime_type = \"io.containerd.runc.v2\"\n[" +
           cri_table() + ".containerd.runtimes.runc.options]\n  SystemdCgroup = true\n";
  }

  void start(const std::string& config) {
    write(config_, config);
    start_as({"-c", config_.string()});
  }
  // Every end of containerd is followed by a start, until stop().
  void start_as(const std::vector<std::string>& arguments) {
    const char* named = std::getenv("WARD_TEST_CONTAINERD");
    std::string line = named != nullptr && *named != '\0' ? named : "containerd";
    for (const std::string& argument : arguments) line += " '" + argument + "'";
    const std::string d = directory_.string();
    Child::Options options;
    options.environment = {"PATH=" + d +
                               "/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
                               "/sbin:/bin",
                           "WARD_CONFIG_DIR=" + d + "/ward/etc",
                           "WARD_STATE_DIR=" + d + "/ward/var", "WARD_RUN_DIR=" + d + "/ward/run"};
    options.log = d + "/containerd.log";
    supervisor_ = std::make_unique<Child>(
        std::vector<std::string>{"sh", "-c",
                                 "while [ ! -e " + d + "/stop ]; do " + line + " & echo $! >" + d +
                                     "/pid.new; mv " + d + "/pid.new " + d + "/pid; wait $!; done"},
        options);
    ASSERT_TRUE(await([this] {
      CriClient client(socket());
      return std::filesystem::exists(socket()) && client.status().has_value();
    })) << read(directory_ / "containerd.log");
  }
  void stop() {
    if (!supervisor_) return;
    write(directory_ / "stop", "");
    // Between two of them there is none for a moment.
    pid_t told = -1;
    EXPECT_TRUE(await([this, &told] {
      if (daemon() != told) signal_process(told = daemon(), SIGTERM);
      return supervisor_->wait(std::chrono::milliseconds(20)).has_value();
    }));
    supervisor_.reset();
    std::filesystem::remove(directory_ / "stop");
  }
  [[nodiscard]] pid_t daemon() const {
    pid_t pid = -1;
    std::ifstream(directory_ / "pid") >> pid;
    return pid;
  }

  Output ward(const std::vector<std::string>& arguments, const std::string& fault = {}) const {
    std::vector<std::string> command{ward_binary().string()};
    command.insert(command.end(), arguments.begin(), arguments.end());
    const std::string d = directory_.string();
    return run(command,
               {{"WARD_CONFIG_DIR=" + d + "/ward/etc", "WARD_STATE_DIR=" + d + "/ward/var",
                 "WARD_RUN_DIR=" + d + "/ward/run", "WARD_FAULTS=" + fault, "NO_COLOR=1"}});
  }
  [[nodiscard]] std::string restart_command() const {
    return "kill $(cat " + (directory_ / "pid").string() + ")";
  }
  Output node(const std::string& verb, std::vector<std::string> more = {},
              const std::string& fault = {}) const {
    std::vector<std::string> arguments{"node", verb};
    const auto add = [&](const std::string& flag, const std::string& value) {
      if (std::find(more.begin(), more.end(), flag) == more.end())
        arguments.insert(arguments.end(), {flag, value});
    };
    add("--socket", socket().string());
    if (verb != "doctor" && verb != "status") add("--restart-command", restart_command());
    if (verb == "install" || verb == "upgrade") {
      add("--from", (directory_ / "payload").string());
      add("--bin-dir", (directory_ / "bin").string());
    }
    arguments.insert(arguments.end(), more.begin(), more.end());
    return ward(arguments, fault);
  }
  nlohmann::json json(const std::string& verb) const {
    return parse_json<nlohmann::json>(node(verb, {"-o", "json"}).out);
  }
  // The finding with this id, or an empty object.
  nlohmann::json finding(const std::string& id) const {
    for (const auto& one : json("doctor").value("findings", nlohmann::json::array()))
      if (one["id"] == id) return one;
    return nlohmann::json::object();
  }
  [[nodiscard]] nlohmann::json json_of_record() const {
    return parse_json<nlohmann::json>(read(directory_ / "ward/var/node.json"));
  }
  // As CRI answers who asks for its configuration.
  [[nodiscard]] bool handler_is_live(const std::string& name = "ward") const {
    const auto handlers = json("status").value("handlers", nlohmann::json::array());
    return std::find(handlers.begin(), handlers.end(), name) != handlers.end();
  }
  [[nodiscard]] bool nothing_is_left() const {
    return !std::filesystem::exists(shim()) && std::filesystem::is_empty(directory_ / "bin") &&
           !std::filesystem::exists(directory_ / "ward/var/node.json") &&
           !std::filesystem::exists(directory_ / "ward/etc/runtime.toml");
  }

  std::filesystem::path directory_, config_;
  std::unique_ptr<Child> supervisor_;
};

}  // namespace ward::test
