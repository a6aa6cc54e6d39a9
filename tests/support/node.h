// SPDX-License-Identifier: Apache-2.0
// A private node for an integration test: its own containerd (root, state, socket, configuration),
// its own containerd namespace, and on request its own wardd, all below one temporary directory. It
// is stopped by pid, and leftovers() says what is still there afterwards. Failures are reported
// through GoogleTest.
//
// isolate_mounts() must have run once in the test program: /run/containerd and /sys/fs/bpf are then
// private, so that sockets, runc's state and pins that are found there can only be the node's own.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/support/child.h"
#include "tests/support/node_remains.h"
#include "tests/support/peers.h"
#include "tests/support/private_network.h"

namespace ward::test {

inline constexpr char kWardRuntime[] = "io.containerd.ward.v1";
inline constexpr char kRuncRuntime[] = "io.containerd.runc.v2";
inline constexpr char kBoxImage[] = "docker.io/ward/box:demo";

// A mount namespace of its own for this program. Needs root; an empty string, or why it cannot be
// had.
std::string isolate_mounts();

std::filesystem::path shim_binary();
std::filesystem::path wardd_binary();
std::filesystem::path ward_binary();

class Node {
 public:
  explicit Node(Cri cri = Cri::kOff);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }  // unique
  [[nodiscard]] const std::string& containerd_namespace() const {
    return containerd_namespace_;
  }  // CRI has its own
  [[nodiscard]] std::filesystem::path containerd_socket() const {
    return directory_ / "containerd/containerd.sock";
  }
  [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }
  [[nodiscard]] std::filesystem::path config() const {
    return usual_places_ ? "/etc/ward" : directory_ / "etc";
  }
  [[nodiscard]] std::filesystem::path state() const {
    return usual_places_ ? "/var/lib/ward" : directory_ / "var";
  }
  void use_usual_places() {
    usual_places_ = true;
  }  // before anything starts; they must be the test's alone
  [[nodiscard]] std::filesystem::path bundle(const std::string& id) const;
  [[nodiscard]] std::string shim_socket(const std::string& id) const;

  // With CRI, where containerd and its pods are; else nothing.
  [[nodiscard]] const PrivateNetwork* network() const { return network_.get(); }

  void start_containerd();           // and waits until it answers
  void stop_containerd(int signal);  // and waits until it is gone; containers live on
  void start_wardd(
      std::vector<std::string> through = {});  // `through`: a command line that ends in wardd's
  void stop_wardd(int signal);
  std::optional<int> await_end_of_wardd();  // its exit status, where it ends by itself
  [[nodiscard]] std::string log_of(
      const std::string& program) const;  // the end of what containerd or wardd said
  [[nodiscard]] pid_t containerd_pid() const { return containerd_ ? containerd_->pid() : -1; }
  [[nodiscard]] pid_t wardd_pid() const { return wardd_ ? wardd_->pid() : -1; }

  void import_image(const std::string& name);  // of tests/workloads/images.py; built by
                                               // scripts/build-image where it is not cached
  void write_policy(const std::string& name, const std::string& yaml) const;
  void write_profile(const std::string& name, const std::string& yaml) const;

  [[nodiscard]] std::vector<std::string> ctr_command(std::vector<std::string> arguments) const;
  Output ctr(const std::vector<std::string>& arguments, std::string_view input = {}) const;
  Output ward(std::vector<std::string> arguments) const;
  [[nodiscard]] Child::Options environment(bool terminal = false) const;

  [[nodiscard]] std::string unique(const std::string& prefix);  // a container id
  // The status column of `ctr task ls` (RUNNING, PAUSED, STOPPED), empty where there is none; its
  // pid, or -1.
  [[nodiscard]] std::string task_status(const std::string& id) const;
  [[nodiscard]] pid_t task_pid(const std::string& id) const;
  [[nodiscard]] pid_t shim_pid(
      const std::string& id) const;  // of the shim that has the container, or -1
  // Writes one line to the fifo that `box entry` watches inside the container.
  void poke(const std::string& id, const std::string& attack) const;
  // Kills, deletes the task and the container; silent where there is none. FIFOs of a client that
  // died, or whose task went with its shim, are nobody's to remove but ours.
  void remove(const std::string& id) const;

  // Everything of this node that exists now (remains_of() and BPF programs). Between tests
  // containerd and wardd live, and kIgnore asks for what containers have left.
  [[nodiscard]] std::vector<std::string> processes() const;
  [[nodiscard]] std::vector<std::string> leftovers(Daemons daemons = Daemons::kCount) const;
  void
  stop();  // removes all containers, stops everything, checks leftovers() and deletes the directory

 private:
  void note_bpf_programs();  // what the node's processes hold, before one of them ends
  [[nodiscard]] Child::Options logged(const std::string& program) const;

  std::string name_, containerd_namespace_;
  std::filesystem::path directory_;
  std::unique_ptr<PrivateNetwork> network_;
  std::unique_ptr<Child> containerd_, wardd_;
  bool wardd_was_killed_ = false;
  bool usual_places_ = false;
  std::set<std::uint32_t> bpf_programs_;  // all that were seen
  unsigned counter_ = 0;
};

// `ctr events` of a node. Lines that arrive are kept; `await` looks at all that came since
// construction.
class Events {
 public:
  explicit Events(Node& node);  // returns when the stream is known to deliver

  // One word an event, for this container: "create start exec-added exec-started exit delete ...".
  std::vector<std::string> await(const std::string& id, const std::string& last_topic);
  [[nodiscard]] std::vector<std::string> of(const std::string& id) const;
  // All that was told of tasks so far, in order: "<container> <topic>".
  [[nodiscard]] std::vector<std::string> all() const;
  [[nodiscard]] const std::string& text() const { return child_.out(); }

 private:
  Child child_;
};

}  // namespace ward::test
